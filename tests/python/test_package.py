"""The package as a whole: what the wheel carries, the console script, the types, the pytest plugin, the documentation."""

import importlib.metadata
import inspect
import os
import subprocess
import sys
import textwrap

import lambed
from conftest import PATIENCE

TEN_LINES = """
import lambed
with lambed.Gateway() as gateway:
    gateway.create_function("shout", runtime="ruby3.2", handler="app.handler",
        code=lambed.Code.inline("def handler(event:, context:) = event['text'].upcase"))
    gateway.create_function("count", runtime="nodejs20.x", handler="app.handler",
        code=lambed.Code.inline("exports.handler = async (text) => ({ text, length: text.length })"))
    text = gateway.invoke("shout", {"text": "hello"}).payload
    result = gateway.invoke("count", text)
    print(result.payload)
"""


def test_ten_lines_run_a_ruby_and_a_node_function(run_python):
    assert run_python(TEN_LINES, options=()) == "{'text': 'HELLO', 'length': 5}\n"


def test_the_wheel_carries_core_plugins_and_program(package):
    assert (package / "py.typed").exists()
    assert os.access(package / "bin" / "lambed", os.X_OK)
    assert len(list((package / "lib").glob("liblambed.so.*"))) == 1
    assert {report.language for report in lambed.hosts()} == {"python", "nodejs", "ruby", "callable"}
    for report in lambed.hosts():
        assert report.language == "callable" or report.plugin_path.startswith(str(package / "lib" / "lambed"))
    assert lambed.__version__ == importlib.metadata.version("lambed")


def test_the_console_script_is_the_program(tmp_path):
    script = os.path.join(os.path.dirname(sys.executable), "lambed")
    version = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    assert lambed.__version__ in version
    (tmp_path / "lambda_function.py").write_text("def lambda_handler(event, context):\n    return event['n'] + 1\n")
    for command in ([script], [sys.executable, "-m", "lambed"]):
        done = subprocess.run(
            [*command, "invoke", str(tmp_path), "--event", '{"n": 1}'], capture_output=True, text=True, timeout=PATIENCE
        )
        assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr
    assert subprocess.run([script, "invoke"], capture_output=True, timeout=PATIENCE).returncode == 2


def test_the_package_and_a_program_that_uses_it_pass_mypy_strict(tmp_path):
    (tmp_path / "sample.py").write_text(
        textwrap.dedent(
            """
            import asyncio
            from typing import Any

            import lambed

            def main() -> int:
                with lambed.Gateway(log="memory") as gateway:
                    made: lambed.FunctionConfiguration = gateway.create_function(
                        "f", runtime="python3.11", handler="app.handler", code="functions/f", environment={"A": "b"})

                    @gateway.function
                    def bare(event: Any, context: lambed.LambdaContext) -> dict[str, int]:
                        return {"left": context.get_remaining_time_in_millis()}

                    @gateway.function(timeout=3)
                    def named(event: Any, context: Any) -> bytes:
                        return b""

                    unharmed: dict[str, int] = bare(1, lambed.LambdaContext(0, 0, {}))
                    result: lambed.InvokeResult = gateway.invoke(made.function_name, {"a": 1})
                    raw: bytes = gateway.invoke_raw("f", b"{}").payload
                    later: lambed.InvokeResult = asyncio.run(gateway.ainvoke("f"))
                    try:
                        gateway.invoke("f")
                    except lambed.errors.TooManyRequestsException as error:
                        status: int = error.http_status
                    text: str = gateway.log_text() + result.log_tail
                    return len(raw) + later.status_code + len(unharmed) + len(text)
            """
        )
    )
    (tmp_path / "wrong.py").write_text("import lambed\nlambed.Gateway(quotas='modern').invoke(3)\n")
    strict = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--no-color-output"]
    for what in (["sample.py"], ["-p", "lambed"]):
        done = subprocess.run([*strict, *what], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE * 3)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([*strict, "wrong.py"], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE * 3)
    assert done.stdout.count("[arg-type]") == 2, done.stdout + done.stderr


def test_everything_public_is_documented():
    for name in lambed.__all__:
        if name.startswith("__"):
            continue
        thing = getattr(lambed, name)
        assert inspect.getdoc(thing), name
    plain = {"get_alias", "list_aliases", "delete_alias", "get_function_concurrency", "delete_function_concurrency",
             "usage", "status"}  # their names say it
    for name, method in inspect.getmembers(lambed.Gateway, inspect.isfunction):
        assert name.startswith("_") or name in plain or inspect.getdoc(method), name


def test_python_functions_below_3_13_warn_once_of_the_shared_lock():
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(
            """
            import lambed
            with lambed.Gateway() as gateway:
                for name in "ab":
                    gateway.create_function(name, runtime="python3.11", handler="app.handler", code=lambed.Code.inline(""))
            """)],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )
    assert done.stderr.count("SharedLockWarning") == (0 if sys.version_info >= (3, 13) else 1)


def test_the_pytest_plugin_gives_a_gateway_and_shows_the_log_of_a_failure(pytester):
    pytester.makepyfile(
        test_handler="""
        import lambed, pytest

        @pytest.fixture
        def gateway_options():
            return {"quotas": "current"}

        def test_good(gateway):
            gateway.create_function("f", runtime="python3.11", handler="app.handler", memory=129,
                                    code=lambed.Code.inline("def handler(event, context): print('seen'); return 1"))
            assert gateway.invoke("f").payload == 1
            assert "seen" in gateway.log_text("f")

        def test_bad(gateway):
            gateway.create_function("f", runtime="python3.11", handler="app.handler",
                                    code=lambed.Code.inline("def handler(event, context): print('what it said')"))
            assert gateway.invoke("f").payload == 1
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*lambed log*", "what it said"])
    assert "seen" not in done.stdout.str()
    pytester.runpytest_subprocess("--fixtures").stdout.fnmatch_lines(["gateway *lambed/pytest.py*"])
