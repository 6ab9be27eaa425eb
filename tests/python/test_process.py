"""The process around the gateway: threads, forks, signals, exits. Each case is a program of its own."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

from conftest import LANGUAGES, PATIENCE, SOURCES

PROLOGUE = """
import os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore")
import lambed
SOURCES = {sources!r}

def create(gateway, name, language, source=None, **more):
    runtime, default = SOURCES[language]
    gateway.create_function(name, runtime=runtime, handler="app.handler", code=lambed.Code.inline(source or default), **more)

SLEEP = {{
    "python": "import time\\ndef handler(event, context):\\n    print('begun', flush=True)\\n    while True: time.sleep(0.01)",
    "nodejs": "exports.handler = () => new Promise(() => {{ console.log('begun'); setInterval(() => {{}}, 10); }})",
    "ruby": "def handler(event:, context:)\\n  puts 'begun'\\n  loop {{ sleep 0.01 }}\\nend",
}}

def await_busy(gateway, count):
    end = time.monotonic() + {patience}
    while gateway.status().busy < count:
        assert time.monotonic() < end
        time.sleep(0.005)
"""


def program(body):
    return PROLOGUE.format(sources=SOURCES, patience=PATIENCE) + textwrap.dedent(body)


@pytest.mark.parametrize("language", [*LANGUAGES, "callable"])
@pytest.mark.parametrize("how", ["from threads", "asyncio", "without close"])
def test_an_exit_with_calls_in_flight_is_clean(run_python, language, how):
    said = run_python(
        program(
            """
            import asyncio
            language, how = sys.argv[1:]
            gateway = lambed.Gateway(log="none")
            if language == "callable":
                def handler(event, context):
                    while True: time.sleep(0.01)
                for n in range(3): gateway.create_function(f"f{n}", code=handler, timeout=100)
            else:
                for n in range(3): create(gateway, f"f{n}", language, SLEEP[language], timeout=100)

            def call(name):
                try:
                    gateway.invoke(name)
                except lambed.errors.GatewayClosed:
                    pass

            if how == "asyncio":
                async def main():
                    calls = [asyncio.ensure_future(gateway.ainvoke(f"f{n}")) for n in range(3)]
                    while gateway.status().busy < 3: await asyncio.sleep(0.005)
                asyncio.run(main())
            else:
                for n in range(3): threading.Thread(target=call, args=(f"f{n}",), daemon=True).start()
                await_busy(gateway, 3)
                if how == "from threads": gateway.close()
            print("leaving")
            """
        ),
        language,
        how,
    )
    assert said == "leaving\n"


def test_an_exit_by_an_exception_keeps_its_code(run_python):
    run_python(
        program(
            """
            gateway = lambed.Gateway(log="none")
            for language in SOURCES:
                create(gateway, language, language)
                gateway.invoke(language, {"name": "Ada"})
            sys.exit(7)
            """
        ),
        code=7,
    )


@pytest.mark.parametrize("language", [*LANGUAGES, "callable"])
def test_ctrl_c_interrupts_a_call_that_runs(tmp_path, language):
    (tmp_path / "program.py").write_text(
        program(
            """
            language = sys.argv[1]
            with lambed.Gateway(log="none") as gateway:
                if language == "callable":
                    @gateway.function(timeout=100)
                    def f(event, context):
                        while not event: time.sleep(0.01)
                        return event
                else:
                    create(gateway, "f", language, SLEEP[language], timeout=100)
                def tell():
                    await_busy(gateway, 1)
                    print("runs", flush=True)
                threading.Thread(target=tell).start()
                try:
                    gateway.invoke("f")
                except KeyboardInterrupt:
                    print("interrupted", flush=True)
                end = time.monotonic() + 30
                while gateway.status().in_flight or gateway.status().interrupting:
                    assert time.monotonic() < end, gateway.status()
                    time.sleep(0.01)
                create(gateway, "g", "python")
                print(gateway.invoke("g", {"name": "Ada"}).payload["greeting"])
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, "program.py", language], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "runs\n"
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert time.monotonic() - sent < 5
        out, err = child.communicate(timeout=PATIENCE)
        assert (out, child.returncode) == ("Hello Ada\n", 0), err


def test_ctrl_c_ends_a_program_that_does_not_expect_it(tmp_path):
    (tmp_path / "program.py").write_text(
        program(
            """
            gateway = lambed.Gateway(log="none")
            create(gateway, "f", "nodejs", SLEEP["nodejs"], timeout=100)
            threading.Thread(target=lambda: (await_busy(gateway, 1), print("runs", flush=True))).start()
            gateway.invoke("f")
            """
        )
    )
    with subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "runs\n"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
        assert child.returncode == -signal.SIGINT, err
        assert err.rstrip().endswith("KeyboardInterrupt")


def test_a_signal_handler_of_the_program_runs_while_a_call_waits(run_python):
    said = run_python(
        program(
            """
            heard = []
            signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))
            with lambed.Gateway(log="none") as gateway:
                create(gateway, "f", "nodejs", "exports.handler = () => new Promise(done => setTimeout(done, 1500, 1))")
                def send():
                    await_busy(gateway, 1)
                    os.kill(os.getpid(), signal.SIGUSR1)
                threading.Thread(target=send).start()
                print(gateway.invoke("f").payload, heard)
            """
        )
    )
    assert said == "1 [1]\n"


def test_signal_handlers_of_the_program_stay_what_they_are(run_python):
    said = run_python(
        program(
            """
            handlers = {s: signal.getsignal(s) for s in signal.valid_signals()}
            with lambed.Gateway(log="none") as gateway:
                for language in SOURCES:
                    create(gateway, language, language)
                    assert gateway.invoke(language, {"name": "Ada"}).ok
                print([s for s in handlers if signal.getsignal(s) != handlers[s]])
                import subprocess
                print(subprocess.run(["true"]).returncode)
            """
        )
    )
    assert said == "[]\n0\n"


def test_a_forked_child_is_told_and_can_leave(run_python):
    said = run_python(
        program(
            """
            gateway = lambed.Gateway(log="none")
            for language in SOURCES:
                create(gateway, language, language)
                gateway.invoke(language, {"name": "Ada"})
            for leave in (os._exit, sys.exit):
                child = os.fork()
                if child == 0:
                    signal.alarm(30)
                    calls = [lambda: gateway.invoke("python"), lambda: gateway.status(), lambda: gateway.list_functions(),
                             lambda: create(gateway, "x", "python")]
                    told = 0
                    for call in calls:
                        try:
                            call()
                        except lambed.errors.GatewayClosed as error:
                            told += "fork" in str(error)
                    gateway.close()
                    try:
                        with lambed.Gateway(log="none") as own:
                            create(own, "x", "python")
                            own.invoke("x", {"name": "Ada"})
                    except lambed.errors.HostUnavailable as error:
                        told += "fork" in str(error)
                    leave(told)
                print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            print(gateway.invoke("python", {"name": "Ada"}).payload["greeting"])
            """
        ),
        options=(),
    )
    assert said == "5\n5\nHello Ada\n"


def test_every_kind_of_fork_returns_while_python_functions_run(run_python):
    # CPython would wait for itself in the child as soon as there are sub-interpreters (bindings/python/fork_guard.h).
    said = run_python(
        program(
            """
            import multiprocessing, subprocess
            gateway = lambed.Gateway(log="none")
            create(gateway, "idle", "python")
            gateway.invoke("idle", {"name": "Ada"})
            create(gateway, "busy", "python", SLEEP["python"], timeout=100)
            for n in range(2): threading.Thread(target=lambda: gateway.invoke("busy"), daemon=True).start()
            await_busy(gateway, 2)
            threading.excepthook = lambda _: None
            # A child has the main interpreter only, and may fork on, import, collect and start threads.
            def work(number):
                import decimal, gc
                gc.collect()
                thread = threading.Thread(target=lambda: None)
                thread.start(); thread.join()
                child = os.fork()
                if child == 0: os._exit(number)
                return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    signal.alarm(30)
                    sys.exit(work(5))
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map_async(work, range(3)).get(30))
            print(subprocess.run(["true"], preexec_fn=os.setpgrp, timeout=30).returncode, flush=True)
            print(gateway.invoke("idle", {"name": "Ada"}).payload["greeting"])
            """
        ),
        options=(),
    )
    assert said == "[0, 1, 2]\n0\nHello Ada\n"


def test_an_import_alone_may_be_forked(run_python):
    said = run_python(
        program(
            """
            child = os.fork()
            if child == 0:
                signal.alarm(30)
                with lambed.Gateway(log="none") as gateway:
                    for language in SOURCES:
                        create(gateway, language, language)
                        assert gateway.invoke(language, {"name": "Ada"}).ok
                sys.exit(5)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            """
        )
    )
    assert said == "5\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_multiprocessing(run_python, method):
    said = run_python(
        program(
            f"""
            import multiprocessing

            def work(number):
                with lambed.Gateway(log="none") as gateway:
                    create(gateway, "f", "ruby")
                    return gateway.invoke("f", {{"name": str(number)}}).payload["greeting"]

            if __name__ == "__main__":
                with lambed.Gateway(log="none") as gateway:
                    create(gateway, "f", "python")
                    gateway.invoke("f", {{"name": "Ada"}})
                    with multiprocessing.get_context({method!r}).Pool(2) as pool:
                        print(pool.map(work, range(3)))
            """
        ),
        options=(),
    )
    assert said == "['Hello 0', 'Hello 1', 'Hello 2']\n"


def test_a_thread_that_waits_does_not_hold_up_the_others(run_python):
    said = run_python(
        program(
            """
            with lambed.Gateway(log="none") as gateway:
                create(gateway, "f", "nodejs", "exports.handler = () => new Promise(done => setTimeout(done, 300, 1))")
                ticks = 0
                caller = threading.Thread(target=gateway.invoke, args=("f",))
                caller.start()
                while caller.is_alive():
                    time.sleep(0.01)
                    ticks += 1
                print(ticks > 5)
            """
        )
    )
    assert said == "True\n"


def test_gateways_that_nobody_closed_are_collected(run_python):
    said = run_python(
        program(
            """
            import gc
            def threads(): return len(os.listdir("/proc/self/task"))
            def once():
                gateway = lambed.Gateway(log="none")
                create(gateway, "f", "python")
                gateway.invoke("f", {"name": "Ada"})
            once(); gc.collect()
            before = threads()
            for _ in range(5): once()
            gc.collect()
            end = time.monotonic() + 20
            while threads() > before and time.monotonic() < end: time.sleep(0.01)
            print(threads() <= before)
            """
        )
    )
    assert said == "True\n"


def test_what_a_handler_does_to_its_process_does_not_reach_the_program(run_python):
    source = textwrap.dedent(
        """
        import os, sys
        def handler(event, context):
            os.environ["CHANGED"] = "1"
            sys.path.append("/changed")
            sys.modules["changed"] = sys
            if event: sys.exit(3)
        """
    )
    said = run_python(
        program(
            f"""
            before = dict(os.environ), list(sys.path), sys.stdout, os.getcwd()
            with lambed.Gateway(log="none") as gateway:
                create(gateway, "f", "python", {source!r})
                print(gateway.invoke("f").ok, gateway.invoke("f", 1).error_type)
            print(before == (dict(os.environ), list(sys.path), sys.stdout, os.getcwd()), "changed" in sys.modules)
            """
        )
    )
    assert said == "True Runtime.ExitError\nTrue False\n"
