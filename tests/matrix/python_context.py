"""One language inside a Python process: the checks of the matrix, a line of JSON each (run.py tells what they mean).

python_context.py LANGUAGE, for a Python in which lambed is installed. Ends with calls in flight, with status 7.
"""

import json
import os
import platform
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lambed

HERE = Path(__file__).resolve().parent
PATIENCE = 60  # seconds; whoever waits so long has failed
GUESTS = 8
STATUS = 7
VALUES: list[Any] = [None, True, 0, -1.5, "text", "\U0001f600 \u2028 \0 ü", [], {}, [1, [2, {"a": None}]], 2**53 - 1]

language = sys.argv[1]
traits = json.loads((HERE / "languages.json").read_text())[language]
warnings.simplefilter("ignore", lambed.SharedLockWarning)
gateway = lambed.Gateway(log="memory")


def say(**members: Any) -> None:
    print(json.dumps(members), flush=True)


def create(name: str, **more: Any) -> None:
    code = HERE / "functions" / language
    gateway.create_function(name, runtime=traits["runtime"], handler="app.handler", code=code, **more)


def call(deed: str, function: str = "main", **event: Any) -> lambed.InvokeResult:
    return gateway.invoke(function, {"do": deed, **event})


def until(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.005)


def echo() -> None:
    for value in VALUES:
        assert call("echo", value=value).unwrap() == value, value


def error_document() -> None:
    result = call("fail")
    assert (result.status_code, result.function_error) == (200, "Unhandled")
    assert result.error_type == traits["error_type"] and "out of tea" in result.error_message, result.payload


def stops_at_its_timeout(deed: str) -> None:
    create(deed, timeout=1)
    begin = time.monotonic()
    result = call(deed, deed)
    took = time.monotonic() - begin
    assert result.error_type == "Sandbox.Timedout", result.payload
    assert 0.95 < took < 5, took
    # It really stops, and the next call is unharmed.
    until("the loop ends", lambda: gateway.status().interrupting == 0)
    assert gateway.status().abandoned == 0
    assert call("echo", value=1).payload == 1


def busy_loop() -> None:
    stops_at_its_timeout("busy_loop")


def swallow_loop() -> None:
    stops_at_its_timeout("swallow_loop")


def eight_at_once() -> None:
    met: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        guests = [
            threading.Thread(target=lambda n=n: met.append(call("meet", folder=folder, number=n, guests=GUESTS).payload))
            for n in range(GUESTS)
        ]
        for guest in guests:
            guest.start()
        for guest in guests:
            guest.join(PATIENCE)
    assert sorted(met) == list(range(GUESTS)), met


def child_environment() -> None:
    os.environ["SECRET_OF_THE_APPLICATION"] = "1"
    seen = call("child_environment").unwrap().splitlines()
    assert "COLOUR=blue" in seen and "AWS_LAMBDA_FUNCTION_NAME=main" in seen, seen
    assert not any("SECRET_OF_THE_APPLICATION" in line for line in seen)
    assert "COLOUR" not in os.environ


def memory_limit() -> bool:
    return not call("fill", megabytes=400).ok


def own_working_directory() -> bool:
    before = os.getcwd()
    result = call("change_folder")
    assert os.getcwd() == before
    return result.ok and bool(result.payload == "/usr")


def exit_ends_the_environment_only() -> bool:
    return "exit status 3" in call("leave").error_message and call("echo", value=1).payload == 1


def check(name: str, run: Callable[[], bool | None]) -> None:
    try:
        say(check=name, passed=True, observed=run())
    except Exception:
        say(check=name, passed=False, detail=traceback.format_exc())


def main() -> None:
    create("main", timeout=PATIENCE, environment={"COLOUR": "blue"})
    say(check="start", process=platform.python_version(), interpreter=call("version").unwrap())
    for run in (echo, error_document, busy_loop, swallow_loop, eight_at_once, child_environment):
        check(run.__name__, run)
    for feature in (memory_limit, own_working_directory, exit_ends_the_environment_only):
        check(feature.__name__, feature)
    for number, deed in enumerate(("wait", "busy_loop", "wait")):
        create(f"last-{number}", timeout=PATIENCE)
        threading.Thread(target=call, args=(deed, f"last-{number}"), daemon=True).start()
        until(f"{deed} runs", lambda name=f"last-{number}": "running" in gateway.log_text(name))
    threading.excepthook = lambda _: None  # GatewayClosed is what those calls get
    say(check="ending")
    sys.exit(STATUS)


main()
