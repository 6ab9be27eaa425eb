"""The gateway as Python programs see it."""

import asyncio
import atexit
import json
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, TypeVar, overload

from lambed import _callables, _native, errors
from lambed._asyncio import completions_of
from lambed._results import (
    AliasConfiguration,
    FunctionConfiguration,
    FunctionUsage,
    GatewayStatus,
    HostReport,
    InvokeResult,
    LogRecord,
    RawInvokeResult,
    configuration,
    json_result,
    raw_result,
)

Path = str | os.PathLike[str]
Isolation = Literal["in_process", "process"]
_H = TypeVar("_H", bound=Callable[[Any, Any], Any])

_encode = json.JSONEncoder(separators=(",", ":")).encode
_NO_PAYLOAD: Final[Mapping[str, Any]] = {}

_generation = 0  # how many forks this process is away from the one that imported the module
_gateways: "weakref.WeakSet[Gateway]" = weakref.WeakSet()


class SharedLockWarning(RuntimeWarning):
    """Before Python 3.13, Python functions share this interpreter's lock: one that is stuck in C code holds it."""


class Code:
    """Where a function's code comes from. A plain path or bytes can be given in its place."""

    def __init__(self, kind: Literal["directory", "zip", "inline"], content: str | bytes) -> None:
        self._kind = kind
        self._content = content

    @classmethod
    def directory(cls, path: Path) -> "Code":
        """A folder that is read where it lies: edit it, and new environments run the edited code."""
        return cls("directory", os.path.abspath(os.fspath(path)))

    @classmethod
    def zip(cls, content: "bytes | Path") -> "Code":
        """The bytes of a .zip as Lambda takes them, or the path of such a file. Copied."""
        if isinstance(content, bytes):
            return cls("zip", content)
        with open(content, "rb") as file:
            return cls("zip", file.read())

    @classmethod
    def inline(cls, text: str) -> "Code":
        """The text of one source file, whose name follows from the handler ("app.handler": app.py, app.mjs, app.rb)."""
        return cls("inline", text)

    def _native(self) -> tuple[str, str | bytes]:
        return self._kind, self._content


def _code_of(code: "Code | bytes | Path") -> tuple[str, str | bytes]:
    if isinstance(code, Code):
        return code._native()
    if isinstance(code, bytes) or os.path.isfile(code):
        return Code.zip(code)._native()
    return Code.directory(code)._native()


def hosts(probe: bool = False) -> list[HostReport]:
    """The language hosts that were found. With `probe`, each is started once to see whether it works."""
    return [HostReport(**members) for members in _native.hosts(probe)]


class Gateway:
    """Holds functions and takes invocations; everything runs inside this process, nothing listens.

    Use it as a context manager, or close() it. Any thread may call any method at any time. A process that was forked from
    this one must not use it (GatewayClosed says so): start children with multiprocessing's "spawn", or fork first.

    quotas                      "classic" (the default) or "current": AWS's table of the early years or today's
    log                         where function output and START/END/REPORT lines go: "stderr", "memory" (see `logs`), "none"
    idle_expiry                 seconds until an environment without work is closed
    interrupt_grace             seconds that an interrupted handler may take to stop before its environment is abandoned
    close_grace                 seconds that close() waits for running handlers after interrupting them
    max_environments            open environments of all functions together; 0: as many as the account's concurrency
    account_concurrency         concurrent invocations of all functions; None: the quota (1000)
    host_options                for language hosts: {"ruby": {"interpreter": "/usr/bin/ruby3.1"}}. One choice per process
    """

    def __init__(
        self,
        *,
        quotas: Literal["classic", "current"] = "classic",
        region: str = "us-east-1",
        account: str = "123456789012",
        log: Literal["stderr", "memory", "none"] = "stderr",
        idle_expiry: float = 600.0,
        interrupt_grace: float = 2.0,
        close_grace: float = 2.0,
        max_environments: int = 0,
        max_abandoned_environments: int = 16,
        account_concurrency: int | None = None,
        host_options: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._generation = _generation
        # Keys of _callables. One stays known until the gateway closes: calls that were admitted may still want it.
        self._callables: list[str] = []
        options = {
            "quotas": quotas,
            "region": region,
            "account": account,
            "log": log,
            "idle_expiry": idle_expiry,
            "interrupt_grace": interrupt_grace,
            "close_grace": close_grace,
            "max_environments": max_environments,
            "max_abandoned_environments": max_abandoned_environments,
            "account_concurrency": account_concurrency,
            "host_options": {k: dict(v) for k, v in (host_options or {}).items()},
        }
        self._native = _native.Gateway(options)
        _gateways.add(self)

    # ---- Life.

    def close(self) -> None:
        """Refuses new invocations, interrupts what runs (those calls raise GatewayClosed), closes all environments.

        Takes at most `close_grace` seconds longer than the handlers need to stop. Idempotent.
        """
        if self._generation != _generation:
            return  # the parent's
        self._native.close()
        for key in self._callables:
            _callables.forget(key)
        self._callables.clear()

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> "Gateway":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.close)

    def _own(self) -> _native.Gateway:
        if self._generation != _generation:
            raise errors.GatewayClosed(
                "This gateway belongs to the parent of this process: its threads did not survive fork(). Make a new "
                "gateway in the child, or start the child with spawn instead of fork."
            )
        return self._native

    # ---- Functions.

    def create_function(
        self,
        name: str,
        *,
        code: "Code | bytes | Path | Callable[[Any, Any], Any]",
        runtime: str = "",
        handler: str = "",
        timeout: int | None = None,
        memory: int | None = None,
        environment: Mapping[str, str] | None = None,
        layers: Iterable[Path] = (),
        description: str = "",
        role: str = "",
        tags: Mapping[str, str] | None = None,
        log_format: Literal["Text", "JSON"] = "Text",
        ephemeral_storage: int | None = None,
        publish: bool = False,
        isolation: Isolation = "in_process",
    ) -> FunctionConfiguration:
        """Makes a function.

        name         1 to 64 of [a-zA-Z0-9-_]
        code         a folder (read where it lies), a .zip (path or bytes), Code.inline("source text"), or a Python callable
                     (see `function`), which needs neither runtime nor handler
        runtime      "python3.11", "nodejs20.x", "ruby3.2": any version is run by the interpreter that is there
        handler      "app.handler": file and function, as on AWS
        timeout      seconds, 1 to 900; 3 unless given
        memory       MB, 128 unless given
        environment  the function's variables; it sees no others of this process
        layers       folders with the content of /opt; a later one wins
        isolation    "in_process", or "process" for a worker process of its own with hard limits

        Raises ResourceConflictException when there is one of that name, InvalidParameterValueException and
        ValidationException for wrong values.
        """
        native = self._own()
        members: dict[str, Any] = {
            "name": name,
            "runtime": runtime,
            "handler": handler,
            "timeout": timeout,
            "memory": memory,
            "environment": None if environment is None else dict(environment),
            "layers": [os.path.abspath(os.fspath(layer)) for layer in layers],
            "description": description,
            "role": role,
            "tags": dict(tags or {}),
            "log_format": log_format,
            "ephemeral_storage": ephemeral_storage,
            "publish": publish,
            "isolation": isolation,
        }
        if not callable(code):
            if runtime.startswith("python") and isolation == "in_process":
                _warn_of_shared_lock()
            return configuration(native.create_function({**members, "code": _code_of(code)}))
        key = _callables.register(code)
        kept = f"{getattr(code, '__module__', '?')}.{getattr(code, '__qualname__', '?')}"
        # The core wants a file to look at; what runs is found by the key in the handler's name.
        members.update(runtime="callable", handler=f"callable.{key}", code=("inline", f"{key}: {kept}\n"))
        try:
            made = configuration(native.create_function(members))
        except BaseException:
            _callables.forget(key)
            raise
        self._callables.append(key)
        return made

    @overload
    def function(self, handler: _H, /) -> _H: ...
    @overload
    def function(
        self, /, *, name: str | None = None, timeout: int | None = None, memory: int | None = None
    ) -> Callable[[_H], _H]: ...
    def function(
        self,
        handler: Callable[[Any, Any], Any] | None = None,
        /,
        *,
        name: str | None = None,
        timeout: int | None = None,
        memory: int | None = None,
    ) -> Any:
        """Makes a Python callable of this program a function; a decorator, bare or with arguments.

            @gateway.function(timeout=1)
            def hello(event, context):
                return {"greeting": event["name"]}

            gateway.invoke("hello", {"name": "Ada"})

        For tests and glue. It runs in this interpreter, on one thread of the gateway's per function, one call after another:
        it sees the program's variables and modules. Memory is not limited, output goes where the program's goes. At its
        timeout the caller gets the usual error and the exception lambed.errors.InvocationInterrupted is raised in it, which
        reaches it at the next line of Python.
        """

        def make(made: _H) -> _H:
            called = name if name is not None else str(getattr(made, "__name__", "function"))
            self.create_function(called, code=made, timeout=timeout, memory=memory)
            return made

        return make if handler is None else make(handler)

    def get_function_configuration(self, function: str, qualifier: str = "") -> FunctionConfiguration:
        """Raises ResourceNotFoundException when there is no such function or version."""
        return configuration(self._own().get_function_configuration(function, qualifier))

    def update_function_code(
        self,
        name: str,
        code: "Code | bytes | Path",
        *,
        publish: bool = False,
        dry_run: bool = False,
        revision_id: str | None = None,
    ) -> FunctionConfiguration:
        """Invocations admitted before run the old code. PreconditionFailedException: revision_id is not the present one."""
        members = {"name": name, "code": _code_of(code), "publish": publish, "dry_run": dry_run, "revision_id": revision_id}
        return configuration(self._own().update_function_code(members))

    def update_function_configuration(
        self,
        name: str,
        *,
        runtime: str | None = None,
        handler: str | None = None,
        timeout: int | None = None,
        memory: int | None = None,
        environment: Mapping[str, str] | None = None,
        layers: Iterable[Path] | None = None,
        description: str | None = None,
        role: str | None = None,
        log_format: Literal["Text", "JSON"] | None = None,
        ephemeral_storage: int | None = None,
        revision_id: str | None = None,
    ) -> FunctionConfiguration:
        """What is None stays as it is."""
        members = {
            "name": name,
            "runtime": runtime,
            "handler": handler,
            "timeout": timeout,
            "memory": memory,
            "environment": None if environment is None else dict(environment),
            "layers": None if layers is None else [os.path.abspath(os.fspath(layer)) for layer in layers],
            "description": description,
            "role": role,
            "log_format": log_format,
            "ephemeral_storage": ephemeral_storage,
            "revision_id": revision_id,
        }
        return configuration(self._own().update_function_configuration(members))

    def list_functions(self) -> list[FunctionConfiguration]:
        """$LATEST of each, in the order of their names."""
        return [configuration(members) for members in self._own().list_functions()]

    def delete_function(self, function: str, qualifier: str = "") -> None:
        """With a qualifier that version only. Invocations already admitted are finished."""
        self._own().delete_function(function, qualifier)

    # ---- Versions and aliases.

    def publish_version(
        self, name: str, *, description: str = "", code_sha256: str | None = None, revision_id: str | None = None
    ) -> FunctionConfiguration:
        """Freezes code and configuration of $LATEST under the next number; the latest version when nothing changed."""
        members = {"name": name, "description": description, "code_sha256": code_sha256, "revision_id": revision_id}
        return configuration(self._own().publish_version(members))

    def list_versions(self, function: str) -> list[FunctionConfiguration]:
        """$LATEST first."""
        return [configuration(members) for members in self._own().list_versions(function)]

    def create_alias(
        self,
        function: str,
        alias: str,
        version: str,
        *,
        description: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> AliasConfiguration:
        """`weights` sends a share of the calls to one other version: {"2": 0.1}."""
        members = {
            "function": function,
            "alias": alias,
            "version": version,
            "description": description,
            "weights": None if weights is None else dict(weights),
        }
        return AliasConfiguration(**self._own().create_alias(members))

    def update_alias(
        self,
        function: str,
        alias: str,
        *,
        version: str | None = None,
        description: str | None = None,
        weights: Mapping[str, float] | None = None,
        revision_id: str | None = None,
    ) -> AliasConfiguration:
        """What is None stays as it is; empty `weights` end the routing."""
        members = {
            "function": function,
            "alias": alias,
            "version": version,
            "description": description,
            "weights": None if weights is None else dict(weights),
            "revision_id": revision_id,
        }
        return AliasConfiguration(**self._own().update_alias(members))

    def get_alias(self, function: str, alias: str) -> AliasConfiguration:
        return AliasConfiguration(**self._own().get_alias(function, alias))

    def list_aliases(self, function: str) -> list[AliasConfiguration]:
        return [AliasConfiguration(**members) for members in self._own().list_aliases(function)]

    def delete_alias(self, function: str, alias: str) -> None:
        self._own().delete_alias(function, alias)

    # ---- Concurrency.

    def put_function_concurrency(self, function: str, reserved: int) -> None:
        """At most, and always, so many concurrent invocations; 0 blocks every one."""
        self._own().put_function_concurrency(function, reserved)

    def get_function_concurrency(self, function: str) -> int | None:
        """None: nothing is reserved."""
        return self._own().get_function_concurrency(function)

    def delete_function_concurrency(self, function: str) -> None:
        self._own().delete_function_concurrency(function)

    def put_provisioned_concurrency(self, function: str, qualifier: str, environments: int) -> None:
        """Keeps so many environments of a version or alias open; 0 ends that."""
        self._own().put_provisioned_concurrency(function, qualifier, environments)

    # ---- Invocations.

    def invoke(
        self,
        function: str,
        payload: Any = _NO_PAYLOAD,
        *,
        qualifier: str = "",
        dry_run: bool = False,
        log_tail: bool = False,
        client_context: Any = None,
        cognito_identity: Mapping[str, str] | None = None,
        trace_id: str = "",
        tenant_id: str = "",
        request_id: str = "",
    ) -> InvokeResult:
        """Runs a function and waits for its answer, at most until its timeout. Ctrl-C interrupts it.

        function          name, name:qualifier, or an ARN
        payload           what `json.dumps` takes; {} unless given
        qualifier         "$LATEST", a version number or an alias
        dry_run           checks everything and runs nothing: status_code 204, payload None
        log_tail          asks for InvokeResult.log_tail
        client_context    what `json.dumps` takes; reaches the handler as context.client_context
        cognito_identity  {"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}
        request_id        a new one unless given

        A function that fails gives a result with `function_error` set. What is raised: ResourceNotFoundException,
        TooManyRequestsException, RequestEntityTooLargeException, HostUnavailable, GatewayClosed and others of lambed.errors;
        TypeError when the payload is not JSON.
        """
        extras = _extras(client_context, cognito_identity, trace_id, tenant_id, request_id)
        request = (function, _encode(payload), qualifier, dry_run, log_tail, *extras)
        return json_result(self._native.invoke(request, False))

    def invoke_raw(
        self,
        function: str,
        payload: bytes = b"{}",
        *,
        qualifier: str = "",
        dry_run: bool = False,
        log_tail: bool = False,
        client_context: Any = None,
        cognito_identity: Mapping[str, str] | None = None,
        trace_id: str = "",
        tenant_id: str = "",
        request_id: str = "",
    ) -> RawInvokeResult:
        """Like `invoke`, for a payload that is JSON already; the result's payload is bytes, as the function gave them.

        Raises InvalidRequestContentException when the payload is not JSON.
        """
        extras = _extras(client_context, cognito_identity, trace_id, tenant_id, request_id)
        request = (function, payload, qualifier, dry_run, log_tail, *extras)
        return raw_result(self._native.invoke(request, True))

    async def ainvoke(
        self,
        function: str,
        payload: Any = _NO_PAYLOAD,
        *,
        qualifier: str = "",
        dry_run: bool = False,
        log_tail: bool = False,
        client_context: Any = None,
        cognito_identity: Mapping[str, str] | None = None,
        trace_id: str = "",
        tenant_id: str = "",
        request_id: str = "",
    ) -> InvokeResult:
        """`invoke` for asyncio. Cancelling it does not stop the function, which runs on until its timeout, as on AWS."""
        extras = _extras(client_context, cognito_identity, trace_id, tenant_id, request_id)
        request = (function, _encode(payload), qualifier, dry_run, log_tail, *extras)
        result: InvokeResult = await self._submit(request, False)
        return result

    async def ainvoke_raw(
        self,
        function: str,
        payload: bytes = b"{}",
        *,
        qualifier: str = "",
        dry_run: bool = False,
        log_tail: bool = False,
        client_context: Any = None,
        cognito_identity: Mapping[str, str] | None = None,
        trace_id: str = "",
        tenant_id: str = "",
        request_id: str = "",
    ) -> RawInvokeResult:
        """`invoke_raw` for asyncio."""
        extras = _extras(client_context, cognito_identity, trace_id, tenant_id, request_id)
        request = (function, payload, qualifier, dry_run, log_tail, *extras)
        result: RawInvokeResult = await self._submit(request, True)
        return result

    def _submit(self, request: Any, raw: bool) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        completions = completions_of(loop)
        future = loop.create_future()
        ticket = completions.expect(future, raw)
        try:
            self._native.submit(request, completions.native, ticket)
        except BaseException:
            completions.withdraw(ticket)
            raise
        return future

    # ---- Observation.

    def usage(self, function: str) -> FunctionUsage:
        return FunctionUsage(**self._own().usage(function))

    def status(self) -> GatewayStatus:
        return GatewayStatus(**self._own().status())

    def logs(self, function: str = "") -> list[LogRecord]:
        """The newest log records, oldest first; of one function when it is named. RuntimeError unless log="memory"."""
        records = self._own().logs(function)
        if records is None:
            raise RuntimeError('the log is kept by Gateway(log="memory") only')
        return [LogRecord(**members) for members in records]

    def log_text(self, function: str = "") -> str:
        """The texts of `logs`, one after the other."""
        return "".join(record.text for record in self.logs(function))

    def clear_logs(self) -> None:
        """Forgets the records that log="memory" has kept."""
        self._own().clear_logs()

    def __repr__(self) -> str:
        return f"<lambed.Gateway at {id(self):#x}>"


_NO_EXTRAS: Final[tuple[()]] = ()


def _extras(
    client_context: Any, cognito_identity: Mapping[str, str] | None, trace_id: str, tenant_id: str, request_id: str
) -> tuple[()] | tuple[str, str, str, str, str]:
    if client_context is None and cognito_identity is None and not (trace_id or tenant_id or request_id):
        return _NO_EXTRAS
    return (
        "" if client_context is None else _encode(client_context),
        "" if cognito_identity is None else _encode(dict(cognito_identity)),
        trace_id,
        tenant_id,
        request_id,
    )


_warned = False


def _warn_of_shared_lock() -> None:
    global _warned
    if _warned or sys.version_info >= (3, 13):
        return
    _warned = True
    warnings.warn(
        "Python functions share this program's interpreter lock (before Python 3.13). One that is stuck in C code stops the "
        "program too: its timeout and Ctrl-C take effect when that call ends. Python 3.13, or isolation='process', has no "
        "such limit.",
        SharedLockWarning,
        stacklevel=3,
    )


def _after_fork() -> None:
    global _generation
    _generation += 1


def _close_all() -> None:
    # Before the interpreter is finalised: handlers run in it, or in sub-interpreters of it.
    for gateway in list(_gateways):
        gateway.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
