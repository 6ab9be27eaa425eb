"""Python callables as functions: what the host in lambed._native calls on the function's thread."""

import _imp
import itertools
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Handler = Callable[[Any, Any], Any]

# lambed_outcome_kind and lambed_outcome_flags of lambed/host.h
_SUCCESS, _FUNCTION_ERROR, _EXITED, _INTERRUPTED = 0, 1, 2, 4
_DISCARD, _BINARY = 1, 2

_handlers: dict[str, Handler] = {}
_serial = itertools.count(1)


class LambdaContext:
    """The second argument of a handler, with the members that AWS documents for Python."""

    def __init__(self, deadline_ns: int, deadline_epoch_ms: int, members: dict[str, Any]) -> None:
        self._deadline_ns = deadline_ns
        self._epoch_deadline_time_in_ms = deadline_epoch_ms
        self.aws_request_id: str = members["aws_request_id"]
        self.function_name: str = members["function_name"]
        self.function_version: str = members["function_version"]
        self.invoked_function_arn: str = members["invoked_function_arn"]
        self.memory_limit_in_mb: str = members["memory_limit_in_mb"]
        self.log_group_name: str = members["log_group_name"]
        self.log_stream_name: str = members["log_stream_name"]
        self.tenant_id: str | None = members["tenant_id"]
        self.client_context: _Members | None = _client_context(members["client_context"])
        identity = json.loads(members["cognito_identity"] or "{}")
        self.identity = _Members(
            cognito_identity_id=identity.get("cognitoIdentityId"),
            cognito_identity_pool_id=identity.get("cognitoIdentityPoolId"),
        )

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation times out, 0 at least."""
        return max(0, (self._deadline_ns - time.monotonic_ns()) // 1_000_000)


class _Members:
    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__dict__})"


def _client_context(text: str | None) -> _Members | None:
    if not text:
        return None
    values = json.loads(text)
    client = values.get("client")
    return _Members(
        custom=values.get("custom"), env=values.get("env"), client=_Members(**client) if client is not None else None
    )


def register(handler: Handler) -> str:
    """Keeps the handler and returns the key that `answer` finds it by."""
    key = str(next(_serial))
    _handlers[key] = handler
    return key


def forget(key: str) -> None:
    _handlers.pop(key, None)


def answer(
    key: str,
    event: str,
    request_id: str | None,
    arn: str | None,
    version: str | None,
    client_context: str | None,
    cognito_identity: str | None,
    trace_id: str | None,
    tenant_id: str | None,
    deadline_ns: int,
    deadline_epoch_ms: int,
    function_name: str,
    memory_mb: str,
    log_group: str,
    log_stream: str,
) -> tuple[int, int, int, bytes, str]:
    """Runs one invocation: (kind of outcome, flags, exit code, payload, error type). Lets InvocationInterrupted through."""
    request_id = request_id or ""
    try:
        context = LambdaContext(
            deadline_ns,
            deadline_epoch_ms,
            {
                "aws_request_id": request_id,
                "function_name": function_name,
                "function_version": version or "",
                "invoked_function_arn": arn or "",
                "memory_limit_in_mb": memory_mb,
                "log_group_name": log_group,
                "log_stream_name": log_stream,
                "tenant_id": tenant_id or None,
                "client_context": client_context,
                "cognito_identity": cognito_identity,
            },
        )
        result = _handlers[key](json.loads(event), context)
    except SystemExit as error:
        return _EXITED, _DISCARD, _exit_code(error), b"", ""
    except Exception as error:  # whatever a handler raises is its answer
        return _failure(str(error), type(error).__name__, request_id, _stack(error))
    if isinstance(result, bytes):
        return _SUCCESS, _BINARY, 0, result, ""
    try:
        return _SUCCESS, 0, 0, json.dumps(result).encode(), ""
    except Exception as error:
        return _failure(f"Unable to marshal response: {error}", "Runtime.MarshalError", request_id, [])


def give_back_import_lock() -> None:
    """After an interruption, on the thread it came to: it may have come just after the import system took its lock."""
    try:
        while True:
            _imp.release_lock()
    except RuntimeError:
        pass  # this thread does not hold it


def _failure(message: str, error_type: str, request_id: str, stack: list[str]) -> tuple[int, int, int, bytes, str]:
    document = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": stack}
    return _FUNCTION_ERROR, 0, 0, json.dumps(document).encode(), error_type


def _stack(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    while frames and frames[0].filename == __file__:
        del frames[0]
    return traceback.format_list(frames)


def _exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1
