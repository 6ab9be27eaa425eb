"""The gateway's options for isolation "process": what becomes of workers that idle, wait or grow old, and strictness."""

import os
import re
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import pytest

import lambed
from conftest import eventually

COUNTS = """
    import os
    count = 0
    def handler(event, context):
        global count
        count += 1
        return [count, os.getpid()]
"""
# Looks at the clock every millisecond, and answers with the longest time in which it could not.
TICKS = """
    import threading, time
    longest, last = 0.0, None
    def tick():
        global longest, last
        while True:
            now = time.monotonic()
            longest, last = max(longest, now - (last or now)), now
            time.sleep(0.001)
    def handler(event, context):
        global longest, last
        if last is None: threading.Thread(target=tick, daemon=True).start()
        time.sleep(0.02)
        seen, longest = longest, 0.0
        return seen
"""


def create(gateway, source, isolation="process"):
    warnings.simplefilter("ignore", lambed.SharedLockWarning)
    gateway.create_function(
        "f", runtime="python3.11", handler="app.handler", code=lambed.Code.inline(textwrap.dedent(source)), isolation=isolation
    )


def launchers():
    """For each launcher of this process: how many processes of workers there are below it."""
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, tail = stat.read_text(errors="replace").rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        pid, _, name = head.partition(" (")
        parents[int(pid)], names[int(pid)] = int(tail.split()[1]), name

    def below(pid):
        workers = (pid for pid, name in names.items() if name not in ("lambed-images", "mke2fs"))
        return sum(1 + below(child) for child in workers if parents[child] == pid)

    return [below(pid) for pid, parent in parents.items() if parent == os.getpid() and names[pid] == "lambed-worker"]


@pytest.mark.parametrize("freeze_after", [0.01, 0.0])
def test_a_worker_that_idles_is_frozen_unless_that_is_turned_off(freeze_after):
    with lambed.Gateway(log="none", freeze_after=freeze_after) as gateway:
        create(gateway, TICKS)
        gateway.invoke("f").unwrap()

        def stood_still():
            time.sleep(0.5)  # longer than the limit that tells apart; there is nothing to see from outside
            return gateway.invoke("f").unwrap() > 0.4

        if freeze_after:
            eventually(stood_still)
        else:
            # A machine that is busy may hold the thread up once, but not each time.
            eventually(lambda: not stood_still())


@pytest.mark.parametrize("isolation", ["process", "in_process"])
def test_an_environment_that_is_too_old_takes_no_more_calls(isolation):
    with lambed.Gateway(log="none", max_lifetime=0.05) as gateway:
        create(gateway, COUNTS, isolation)
        assert gateway.invoke("f").unwrap()[0] == 1
        time.sleep(0.06)
        assert gateway.invoke("f").unwrap()[0] == 1


def test_so_many_workers_wait_as_are_asked_for():
    doctor = subprocess.run([sys.executable, "-m", "lambed", "doctor"], capture_output=True, text=True, check=False).stdout
    if not re.search(r"^  (root with cgroup v[12]|user namespaces) +works", doctor, re.MULTILINE):
        pytest.skip("the sandbox of seccomp and Landlock only has no stock")
    with lambed.Gateway(log="none", worker_stock=5) as gateway:
        create(gateway, COUNTS)
        gateway.invoke("f").unwrap()
        eventually(lambda: max(launchers()) >= 6)


def test_a_stock_of_none_makes_workers_when_they_are_needed():
    with lambed.Gateway(log="none", worker_stock=0) as gateway:
        create(gateway, COUNTS)
        gateway.invoke("f").unwrap()
        gateway.delete_function("f")
        eventually(lambda: min(launchers()) == 0)


def test_strict_isolation_refuses_what_the_machine_cannot_enforce(run_python):
    said = run_python(
        """
        import lambed
        from lambed import errors
        source = lambed.Code.inline("def handler(event, context): return 'ran'")
        with lambed.Gateway(log="none", require_strict_isolation=True) as gateway:
            for isolation in ("process", "in_process"):
                gateway.create_function(isolation, runtime="python3.11", handler="app.handler", code=source, isolation=isolation)
                try:
                    print(gateway.invoke(isolation).unwrap())
                except errors.HostUnavailable as error:
                    print(error)
        """,
        environment={"LAMBED_SANDBOX_LAYER": "bare"},
    ).splitlines()
    assert said[0].startswith("The strict isolation that is required cannot be had here.")
    assert "memory of the whole tree" in said[0] and "lambed doctor" in said[0]
    assert said[1] == "ran"


@pytest.mark.parametrize(
    "options", [{"worker_stock": -1}, {"freeze_after": -0.1}, {"max_lifetime": -1}, {"idle_expiry": float("nan")}]
)
def test_numbers_below_nothing_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be a number"):
        lambed.Gateway(log="none", **options)
