"""Python callables as functions."""

import sqlite3
import threading
import time

import pytest

import lambed
from conftest import PATIENCE


def test_a_callable_sees_the_program_and_gets_the_context(gateway):
    seen = []

    @gateway.function
    def hello(event, context):
        seen.append(threading.current_thread())
        assert isinstance(context, lambed.LambdaContext)
        return {
            "event": event,
            "name": context.function_name,
            "version": context.function_version,
            "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb,
            "id": context.aws_request_id,
            "left": context.get_remaining_time_in_millis(),
            "client": context.client_context.client.app_title if context.client_context else None,
            "identity": context.identity.cognito_identity_id,
        }

    result = gateway.invoke("hello", [1], client_context={"client": {"app_title": "shop"}})
    answer = result.unwrap()
    assert 0 < answer.pop("left") <= 3000
    assert answer == {
        "event": [1],
        "name": "hello",
        "version": "$LATEST",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:hello",
        "memory": "128",
        "id": result.request_id,
        "client": "shop",
        "identity": None,
    }
    assert hello([2], seen and _context())["event"] == [2], "the callable is still what it was"
    assert seen[0] is not threading.main_thread()


def _context():
    from lambed._callables import LambdaContext

    members = dict.fromkeys(
        ("aws_request_id", "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb",
         "log_group_name", "log_stream_name", "tenant_id", "client_context", "cognito_identity")
    )
    return LambdaContext(0, 0, members)


def test_calls_of_one_function_run_one_after_another_on_one_thread(gateway):
    running, most, threads = 0, 0, set()
    database = []

    @gateway.function(name="serial", timeout=30)
    def handler(event, context):
        nonlocal running, most
        running += 1
        most = max(most, running)
        threads.add(threading.get_ident())
        if not database:  # an object that may be used on the thread that made it only
            database.append(sqlite3.connect(":memory:"))
        [[value]] = database[0].execute("select ?", [event])
        time.sleep(0.005)
        running -= 1
        return value

    answers = []
    callers = [threading.Thread(target=lambda n=n: answers.append(gateway.invoke("serial", n).payload)) for n in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert sorted(answers) == list(range(16))
    assert most == 1 and len(threads) == 1

    @gateway.function
    def close(event, context):
        return None

    assert gateway.invoke("close").ok


def test_one_callable_may_invoke_another(gateway):
    @gateway.function
    def inner(event, context):
        return event + 1

    @gateway.function
    def outer(event, context):
        return gateway.invoke("inner", event).unwrap() * 2

    assert gateway.invoke("outer", 1).payload == 4


def test_what_a_callable_raises_is_its_error_document(gateway):
    class Unpaid(Exception):
        pass

    @gateway.function
    def fail(event, context):
        raise Unpaid("no money")

    @gateway.function
    def unserialisable(event, context):
        return object()

    @gateway.function
    def leave(event, context):
        raise SystemExit(3)

    result = gateway.invoke("fail")
    assert (result.error_type, result.error_message) == ("Unpaid", "no money")
    assert result.payload["requestId"] == result.request_id
    [frame] = result.payload["stackTrace"]
    assert 'raise Unpaid("no money")' in frame and __file__ in frame
    assert gateway.invoke("unserialisable").error_type == "Runtime.MarshalError"
    left = gateway.invoke("leave")
    assert left.error_type == "Runtime.ExitError" and "exit status 3" in left.error_message
    assert gateway.invoke("fail").error_type == "Unpaid"


def test_bytes_pass_unchanged(gateway):
    @gateway.function
    def raw(event, context):
        return b"\x00\xff"

    assert gateway.invoke("raw").payload == b"\x00\xff"


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_busy_callable_is_stopped_at_its_timeout(gateway, stubborn):
    stopped = threading.Event()

    @gateway.function(timeout=1)
    def loop(event, context):
        if event == "quick":
            return "quick"
        times = 0
        while True:
            try:
                while True:
                    pass
            except lambed.errors.InvocationInterrupted:
                times += 1
                if not stubborn or times > 2:
                    stopped.set()
                    raise

    result = gateway.invoke("loop")
    assert result.error_type == "Sandbox.Timedout"
    assert stopped.wait(PATIENCE)
    assert gateway.invoke("loop", "quick").payload == "quick"


def test_a_callable_that_cannot_be_stopped_is_abandoned_and_replaced(run_python):
    said = run_python(
        """
        import threading, time, lambed
        gateway = lambed.Gateway(log="none", interrupt_grace=0.2, close_grace=0.2)
        let_go = threading.Event()

        @gateway.function(timeout=1)
        def stuck(event, context):
            return event if event else let_go.wait(60)

        print(gateway.invoke("stuck", 0).error_type)
        print(gateway.invoke("stuck", 7).payload)
        end = time.monotonic() + 30
        while gateway.status().abandoned == 0 and time.monotonic() < end: time.sleep(0.01)
        print(gateway.status().abandoned)
        let_go.set()
        while gateway.status().abandoned and time.monotonic() < end: time.sleep(0.01)
        print(gateway.status().abandoned)
        gateway.close()
        """
    )
    assert said.split() == ["Sandbox.Timedout", "7", "1", "0"]


def test_names_and_lives(gateway):
    def handler(event, context):
        return 1

    made = gateway.create_function("by-call", code=handler, memory=256)
    assert (made.function_name, made.memory, made.runtime) == ("by-call", 256, "callable")
    assert gateway.invoke("by-call").payload == 1
    with pytest.raises(lambed.errors.ResourceConflictException):
        gateway.create_function("by-call", code=handler)
    gateway.delete_function("by-call")
    with pytest.raises(lambed.errors.ResourceNotFoundException):
        gateway.invoke("by-call")
    from lambed import _callables

    before = len(_callables._handlers)
    with lambed.Gateway(log="none") as other:
        other.function(handler)
        assert other.invoke("handler").payload == 1
    assert len(_callables._handlers) == before
