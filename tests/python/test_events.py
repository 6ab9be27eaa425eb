"""What becomes of events: their configuration, and the table of dead letters."""

import pytest

import lambed
from lambed import errors

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


@pytest.fixture
def gateway():
    with lambed.Gateway(log="none") as made:
        yield made


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
