"""Functions of every language and every kind of code, and what comes back."""

import io
import threading
import zipfile

import pytest

import lambed
from conftest import LANGUAGES, PATIENCE, PYTHON, SOURCES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_function_answers(gateway, create, language):
    runtime, source = SOURCES[language]
    create("hello", source, runtime)
    result = gateway.invoke("hello", {"name": "Ada"})
    assert result.payload == {"greeting": "Hello Ada"}
    assert (result.status_code, result.function_error, result.executed_version) == (200, "", "$LATEST")
    assert result.ok and result.unwrap() == {"greeting": "Hello Ada"}
    assert result.billed_duration_ms >= result.duration_ms > 0
    assert result.init_duration_ms > 0
    assert gateway.invoke("hello", {"name": "Ada"}).init_duration_ms == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_function_that_raises_gives_its_error_document(gateway, create, language):
    runtime, source = SOURCES[language]
    create("hello", source, runtime)
    result = gateway.invoke("hello", {"name": 7})
    assert result.function_error == "Unhandled" and not result.ok
    assert result.status_code == 200
    assert result.error_type == result.payload["errorType"] != ""
    assert result.error_message == result.payload["errorMessage"] != ""
    with pytest.raises(lambed.errors.FunctionError) as caught:
        result.unwrap()
    assert caught.value.error_type == result.error_type


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("python", "def handler(event, context):\n    while True: pass"),
        ("nodejs", "exports.handler = async () => { while (true); }"),
        ("ruby", "def handler(event:, context:)\n  loop {}\nend"),
        (
            "python",
            """
            def handler(event, context):
                while True:
                    try:
                        while True: pass
                    except BaseException: pass
            """,
        ),
        ("nodejs", "exports.handler = async () => { for (;;) { try { while (true); } catch {} } }"),
        ("ruby", "def handler(event:, context:)\n  begin\n    loop {}\n  rescue Exception\n    retry\n  end\nend"),
    ],
)
def test_a_loop_is_stopped_at_its_timeout_and_leaves_the_next_call_unharmed(gateway, create, language, source):
    runtime, good = SOURCES[language]
    create("loop", source, runtime, timeout=1)
    create("hello", good, runtime)
    result = gateway.invoke("loop")
    assert result.error_type == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in result.error_message
    assert gateway.invoke("hello", {"name": "Ada"}).payload == {"greeting": "Hello Ada"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_eight_calls_at_once(gateway, create, language):
    runtime, source = SOURCES[language]
    create("hello", source, runtime, timeout=30)
    answers = []

    def call(number):
        for _ in range(20):
            answers.append(gateway.invoke("hello", {"name": str(number)}).payload["greeting"])

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(answers) == sorted(f"Hello {number}" for number in range(8) for _ in range(20))


@pytest.mark.parametrize(
    ("language", "source"),
    [
        (
            "python",
            """
            import os, subprocess
            def handler(event, context):
                os.environ["SET_BY_HANDLER"] = "1"
                return subprocess.run(["env"], capture_output=True, text=True).stdout
            """,
        ),
        (
            "nodejs",
            """
            exports.handler = async () => {
              process.env.SET_BY_HANDLER = '1';
              return require('child_process').execFileSync('env').toString();
            };
            """,
        ),
        ("ruby", "def handler(event:, context:)\n  ENV['SET_BY_HANDLER'] = '1'\n  `env`\nend"),
    ],
)
def test_a_child_process_of_a_function_sees_the_function_s_variables_and_no_others(
    gateway, create, language, source, monkeypatch
):
    monkeypatch.setenv("SECRET_OF_THE_APPLICATION", "1")
    create("env", source, SOURCES[language][0], environment={"ONLY": "this"}, timeout=20)
    seen = gateway.invoke("env").unwrap()
    assert "ONLY=this" in seen and "SET_BY_HANDLER=1" in seen
    assert "SECRET_OF_THE_APPLICATION" not in seen
    import os

    assert "SET_BY_HANDLER" not in os.environ and "ONLY" not in os.environ


def test_code_may_be_a_folder_a_zip_file_bytes_or_text(gateway, tmp_path):
    source = "def handler(event, context): return 'from ' + __file__.rsplit('/', 1)[1]"
    (tmp_path / "app.py").write_text(source)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", source)
    (tmp_path / "code.zip").write_bytes(archive.getvalue())
    codes = {
        "folder": tmp_path,
        "folder-as-text": str(tmp_path),
        "zip-file": tmp_path / "code.zip",
        "zip-bytes": archive.getvalue(),
        "named-zip": lambed.Code.zip(tmp_path / "code.zip"),
        "named-folder": lambed.Code.directory(tmp_path),
        "text": lambed.Code.inline(source),
    }
    for name, code in codes.items():
        gateway.create_function(name, runtime=PYTHON, handler="app.handler", code=code)
        assert gateway.invoke(name).unwrap() == "from app.py", name


def test_raw_payloads_are_bytes_both_ways(gateway, create):
    create("echo", "def handler(event, context): return event")
    create("bytes", "def handler(event, context): return bytes(range(256))")
    result = gateway.invoke_raw("echo", b'{"a": [1, 2.50, "\\u00e9"]}')
    assert isinstance(result, lambed.RawInvokeResult)
    assert isinstance(result.payload, bytes)
    assert result.payload == b'{"a": [1, 2.5, "\\u00e9"]}'
    assert gateway.invoke_raw("bytes").payload == bytes(range(256))
    assert gateway.invoke("bytes").payload == bytes(range(256))
    with pytest.raises(lambed.errors.InvalidRequestContentException):
        gateway.invoke_raw("echo", b"{")


def test_every_json_value_passes(gateway, create):
    create("echo", "def handler(event, context): return event")
    for value in [None, True, 0, -1.5, "", "é\u2028\U0001f600\ud800", [], {}, {"a": [None, {"b": "c"}]}, "x" * 100_000]:
        assert gateway.invoke("echo", value).payload == value
    assert gateway.invoke("echo").payload == {}
    with pytest.raises(TypeError):
        gateway.invoke("echo", {"a": object()})


def test_what_a_call_carries_beside_the_payload(gateway, create):
    create(
        "context",
        """
        def handler(event, context):
            return [context.aws_request_id, context.client_context.custom, context.identity.cognito_identity_id,
                    context.tenant_id, context.function_version, context.memory_limit_in_mb]
        """,
        memory=256,
    )
    assert gateway.invoke(
        "context",
        client_context={"custom": {"k": "v"}},
        cognito_identity={"cognitoIdentityId": "me", "cognitoIdentityPoolId": "pool"},
        tenant_id="tenant",
        request_id="7b1e9a52-0000-4000-8000-000000000001",
    ).unwrap() == ["7b1e9a52-0000-4000-8000-000000000001", {"k": "v"}, "me", "tenant", "$LATEST", "256"]


def test_dry_run_and_log_tail(gateway, create):
    create("talk", "def handler(event, context): print('spoken')")
    dry = gateway.invoke("talk", dry_run=True)
    assert (dry.status_code, dry.payload) == (204, None)
    assert gateway.usage("talk").requests == 0
    tail = gateway.invoke("talk", log_tail=True).log_tail
    assert "spoken\n" in tail and "REPORT RequestId: " in tail
    assert gateway.invoke("talk").log_tail == ""


def test_the_log_in_memory(gateway, create):
    create("talk", "def handler(event, context): print('spoken')")
    request_id = gateway.invoke("talk").request_id
    [spoken] = [record for record in gateway.logs("talk") if record.kind == "stdout"]
    assert (spoken.text, spoken.request_id, spoken.log_group) == ("spoken\n", request_id, "/aws/lambda/talk")
    assert {"start", "end", "report"} <= {record.kind for record in gateway.logs()}
    assert "START RequestId: " + request_id in gateway.log_text()
    gateway.clear_logs()
    assert gateway.logs() == []
    with lambed.Gateway(log="none") as other, pytest.raises(RuntimeError):
        other.logs()


def test_versions_aliases_and_updates(gateway, create):
    made = create("hello", "def handler(event, context): return 1", description="first")
    assert made == gateway.get_function_configuration("hello")
    assert made.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:hello"
    assert (made.timeout, made.memory, made.environment, made.state) == (3, 128, None, "Active")
    assert gateway.publish_version("hello").version == "1"
    gateway.update_function_code("hello", lambed.Code.inline("def handler(event, context): return 2"))
    assert gateway.update_function_configuration("hello", timeout=9, environment={"MODE": "b"}).timeout == 9
    assert gateway.get_function_configuration("hello").environment == {"MODE": "b"}
    alias = gateway.create_alias("hello", "live", "1")
    assert (alias.name, alias.function_version, alias.weights) == ("live", "1", {})
    assert gateway.invoke("hello", qualifier="live").payload == 1
    assert gateway.invoke("hello:live").executed_version == "1"
    assert gateway.invoke("hello").payload == 2
    gateway.publish_version("hello")
    assert [version.version for version in gateway.list_versions("hello")] == ["$LATEST", "1", "2"]
    assert gateway.update_alias("hello", "live", version="2").function_version == "2"
    assert gateway.update_alias("hello", "live", weights={"1": 0.25}).weights == {"1": 0.25}
    assert [a.name for a in gateway.list_aliases("hello")] == ["live"] == [gateway.get_alias("hello", "live").name]
    gateway.delete_alias("hello", "live")
    assert gateway.list_aliases("hello") == []
    assert [f.function_name for f in gateway.list_functions()] == ["hello"]
    gateway.delete_function("hello")
    assert gateway.list_functions() == []


def test_concurrency_and_observation(gateway, create):
    create("hello", "def handler(event, context): return 1")
    assert gateway.get_function_concurrency("hello") is None
    gateway.put_function_concurrency("hello", 0)
    assert gateway.get_function_concurrency("hello") == 0
    with pytest.raises(lambed.errors.TooManyRequestsException) as caught:
        gateway.invoke("hello")
    assert caught.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    gateway.delete_function_concurrency("hello")
    gateway.invoke("hello")
    usage = gateway.usage("hello")
    assert (usage.requests, usage.throttles, usage.errors) == (1, 1, 0)
    assert usage.gb_seconds > 0
    status = gateway.status()
    assert (status.idle, status.busy, status.in_flight, status.abandoned) == (1, 0, 0, 0)
