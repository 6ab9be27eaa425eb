"""Dead letters as Python programs see them."""

import pytest

import lambed
from conftest import eventually
from lambed import errors

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
FAILS = "def handler(event, context): raise ValueError('boom')\n"
ECHOES = "def handler(event, context): return event\n"


def test_dead_letters_are_listed_read_redriven_and_purged(gateway):
    gateway.create_function(
        "f", runtime="python3.11", handler="app.handler", code=lambed.Code.inline(FAILS), dead_letter_target="lambed:local"
    )
    gateway.put_function_event_invoke_config("f", maximum_retry_attempts=0)
    request_id = gateway.invoke("f", {"n": 1}, invocation_type="Event").request_id
    [summary] = eventually(gateway.list_dead_letters)
    assert summary.request_payload is None
    letter = gateway.get_dead_letter(summary.id)
    assert isinstance(letter, lambed.DeadLetter)
    assert (letter.kind, letter.function_name, letter.function_arn) == ("DeadLetter", "f", f"{ARN}:$LATEST")
    assert (letter.request_id, letter.condition, letter.error_code) == (request_id, "RetriesExhausted", 200)
    assert (letter.error_message, letter.request_payload) == ("boom", {"n": 1})
    assert letter.response_payload["errorType"] == "ValueError"
    assert letter.stored >= letter.ended >= letter.accepted > 1.7e9
    assert gateway.list_dead_letters("g") == []
    assert gateway.list_dead_letters(after=summary.id) == []

    gateway.update_function_code("f", lambed.Code.inline(ECHOES))
    assert gateway.redrive_dead_letters(function="f") == lambed.Redrive(redriven=1, failed=0, failures=[])
    assert gateway.list_dead_letters() == []
    assert gateway.redrive_dead_letters([summary.id]).failures == [(summary.id, f"There is no dead letter {summary.id}")]
    with pytest.raises(errors.ResourceNotFoundException):
        gateway.get_dead_letter(summary.id)
    assert gateway.purge_dead_letters() == 0
