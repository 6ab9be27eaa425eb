"""What becomes of events: their configuration, and the table of dead letters."""

import asyncio
import threading

import pytest

import lambed
from conftest import eventually
from lambed import errors

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def make(gateway, **more):
    code = lambed.Code.inline("def handler(event, context): return event\n")
    return gateway.create_function("f", runtime="python3.11", handler="app.handler", code=code, **more)


def test_events_are_configured_by_qualifier(gateway):
    make(gateway)
    gateway.publish_version("f")
    gateway.create_alias("f", "live", "1")
    put = gateway.put_function_event_invoke_config("f", maximum_retry_attempts=0, on_failure="lambed:local")
    assert (put.function_arn, put.maximum_retry_attempts, put.maximum_event_age) == (f"{ARN}:$LATEST", 0, None)
    assert (put.on_success, put.on_failure) == ("", "lambed:local")
    assert put.last_modified > 1.7e9
    updated = gateway.update_function_event_invoke_config("f", maximum_event_age=60, on_success=QUEUE)
    assert (updated.maximum_retry_attempts, updated.maximum_event_age) == (0, 60)
    assert (updated.on_success, updated.on_failure) == (QUEUE, "lambed:local")
    assert gateway.update_function_event_invoke_config("f", on_success="").on_success == ""
    gateway.put_function_event_invoke_config("f", "live", maximum_retry_attempts=1)
    assert gateway.get_function_event_invoke_config("f", "live").maximum_retry_attempts == 1
    found = gateway.list_function_event_invoke_configs("f")
    assert [each.function_arn for each in found] == [f"{ARN}:$LATEST", f"{ARN}:live"]
    gateway.delete_function_event_invoke_config("f", "live")
    with pytest.raises(errors.ResourceNotFoundException, match="doesn't have an EventInvokeConfig"):
        gateway.get_function_event_invoke_config("f", "live")
    with pytest.raises(errors.ValidationException, match="maximumRetryAttempts"):
        gateway.put_function_event_invoke_config("f", maximum_retry_attempts=3)


def test_a_function_has_a_dead_letter_target(gateway):
    assert make(gateway, dead_letter_target=QUEUE).dead_letter_target == QUEUE
    assert gateway.update_function_configuration("f", description="d").dead_letter_target == QUEUE
    assert gateway.update_function_configuration("f", dead_letter_target="").dead_letter_target == ""
    with pytest.raises(errors.InvalidParameterValueException, match="dead-letter target"):
        gateway.update_function_configuration("f", dead_letter_target="arn:aws:s3:::b")


def test_an_empty_table_of_dead_letters(gateway):
    assert gateway.list_dead_letters() == []
    assert gateway.purge_dead_letters() == 0
    assert gateway.redrive_dead_letters() == lambed.Redrive(redriven=0, failed=0, failures=[])
    assert gateway.redrive_dead_letters([]).redriven == 0
    assert gateway.purge_dead_letters(iter([])) == 0
    with pytest.raises(errors.ResourceNotFoundException, match="There is no dead letter 7"):
        gateway.get_dead_letter("7")
    missing = gateway.redrive_dead_letters(["7"])
    assert (missing.failed, missing.failures) == (1, [("7", "There is no dead letter 7")])


# ---- Events themselves.


def test_an_event_is_accepted_and_run(gateway):
    make(gateway)
    accepted = gateway.invoke("f", {"n": 1}, invocation_type="Event")
    assert (accepted.status_code, accepted.payload, accepted.executed_version) == (202, None, "")
    eventually(lambda: gateway.event_status(accepted.request_id).state == "Succeeded")
    status = gateway.event_status(accepted.request_id)
    assert (status.function_arn, status.attempts, status.condition) == (f"{ARN}:$LATEST", 1, "Success")
    assert status.ended >= status.accepted > 1.7e9
    assert gateway.event_counts().succeeded == 1
    with pytest.raises(errors.ResourceNotFoundException, match="No asynchronous invocation is known"):
        gateway.event_status("nobody")
    with pytest.raises(ValueError, match="invocation_type must be"):
        gateway.invoke("f", invocation_type="Later")
    with pytest.raises(errors.ResourceNotFoundException):
        gateway.invoke("g", invocation_type="Event")


def test_asyncio_accepts_events_too(gateway):
    make(gateway)
    accepted = asyncio.run(gateway.ainvoke("f", invocation_type="Event"))
    assert accepted.status_code == 202
    assert gateway.invoke_raw("f", b"{}", invocation_type="Event").status_code == 202
    eventually(lambda: gateway.event_counts().succeeded == 2)


def test_hooks_hear_of_the_end():
    heard = []
    unraisable = []
    previous, threading.excepthook = threading.excepthook, unraisable.append

    def succeeded(outcome):
        heard.append(outcome)
        raise RuntimeError("a hook's own mistake")

    try:
        with lambed.Gateway(
            log="none", async_retry_base=0.05, on_event_success=succeeded, on_event_failure=heard.append
        ) as gateway:
            code = "def handler(event, context): return 1 / event\n"
            gateway.create_function("f", runtime="python3.11", handler="app.handler", code=lambed.Code.inline(code))
            gateway.invoke("f", 1, invocation_type="Event")
            eventually(lambda: len(heard) == 1)
            failing = gateway.invoke("f", 0, invocation_type="Event")
            eventually(lambda: len(heard) == 2)
    finally:
        threading.excepthook = previous
    assert (heard[0].state, heard[0].payload) == ("Succeeded", b"1.0")
    assert (heard[1].state, heard[1].condition, heard[1].attempts) == ("Failed", "RetriesExhausted", 3)
    assert heard[1].request_id == failing.request_id
    assert b"ZeroDivisionError" in heard[1].payload
    assert [str(each.exc_value) for each in unraisable] == ["a hook's own mistake"]
    assert not [thread for thread in threading.enumerate() if thread.name == "lambed-events"]


def test_a_full_queue_refuses():
    with lambed.Gateway(log="none", max_waiting_events=1, async_close_wait=0.0, close_grace=0.5) as gateway:
        code = lambed.Code.inline("import time\ndef handler(event, context): time.sleep(30)\n")
        gateway.create_function("f", runtime="python3.11", handler="app.handler", code=code, timeout=60)
        gateway.invoke("f", invocation_type="Event")
        with pytest.raises(errors.TooManyRequestsException, match="1 events wait already") as refused:
            gateway.invoke("f", invocation_type="Event")
        assert refused.value.reason == "EventQueueFull"
