"""The methods of a gateway that make, change and list functions, versions, aliases and concurrency."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, Literal, TypeVar, overload

from lambed import _callables, _native
from lambed._code import Code, Path, code_of
from lambed._results import (
    AliasConfiguration,
    EventInvokeConfiguration,
    FunctionConfiguration,
    VpcConfig,
    configuration,
)

Isolation = Literal["in_process", "process"]
_H = TypeVar("_H", bound=Callable[[Any, Any], Any])


class SharedLockWarning(RuntimeWarning):
    """Before Python 3.13, Python functions share this interpreter's lock: one that is stuck in C code holds it."""


class Catalogue:
    """The part of Gateway that says what there is to invoke."""

    # Keys of _callables. One stays known until the gateway closes: calls that were admitted may still want it.
    _callables: list[str]

    def _own(self) -> _native.Gateway:
        """The native gateway; raises GatewayClosed in a process forked from the gateway's."""
        raise NotImplementedError

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
        dead_letter_target: str = "",
        isolation: Isolation = "in_process",
        vpc_config: VpcConfig | None = None,
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
        dead_letter_target    where events go that no attempt could handle: the ARN of an SQS queue or an SNS topic, or
                     "lambed:local" (see `list_dead_letters`)
        isolation    "in_process"; "process": a sandboxed process for each environment, with hard limits. Not for callables,
                     which live in this one
        vpc_config   the network that it is put into, one of Gateway(networks=...); with isolation "process" only

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
            "dead_letter_target": dead_letter_target,
            "isolation": isolation,
            "vpc_config": None if vpc_config is None else asdict(vpc_config),
        }
        if not callable(code):
            if runtime.startswith("python") and isolation == "in_process":
                _warn_of_shared_lock()
            return configuration(native.create_function({**members, "code": code_of(code)}))
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
        members = {"name": name, "code": code_of(code), "publish": publish, "dry_run": dry_run, "revision_id": revision_id}
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
        dead_letter_target: str | None = None,
        vpc_config: VpcConfig | None = None,
        revision_id: str | None = None,
    ) -> FunctionConfiguration:
        """What is None stays as it is; an empty `dead_letter_target` or VpcConfig() takes it away."""
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
            "dead_letter_target": dead_letter_target,
            "vpc_config": None if vpc_config is None else asdict(vpc_config),
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


    # ---- What becomes of events.

    def put_function_event_invoke_config(
        self,
        function: str,
        qualifier: str = "",
        *,
        maximum_retry_attempts: int | None = None,
        maximum_event_age: int | None = None,
        on_success: str | None = None,
        on_failure: str | None = None,
    ) -> EventInvokeConfiguration:
        """Says what becomes of events that are sent to a function, version or alias; replaces what was said before.

        maximum_retry_attempts  0 to 2
        maximum_event_age       seconds, 60 to 21600
        on_success, on_failure  destinations: the ARN of an SQS queue, an SNS topic, a function of this gateway, an
                                EventBridge bus or (on_failure only) an S3 bucket; or "lambed:local" (`list_dead_letters`)

        Raises ResourceNotFoundException when there is no such function, version or alias.
        """
        members = _event_invoke(function, qualifier, maximum_retry_attempts, maximum_event_age, on_success, on_failure)
        return EventInvokeConfiguration(**self._own().put_function_event_invoke_config(members))

    def update_function_event_invoke_config(
        self,
        function: str,
        qualifier: str = "",
        *,
        maximum_retry_attempts: int | None = None,
        maximum_event_age: int | None = None,
        on_success: str | None = None,
        on_failure: str | None = None,
    ) -> EventInvokeConfiguration:
        """What is None stays as it is; an empty destination takes it away."""
        members = _event_invoke(function, qualifier, maximum_retry_attempts, maximum_event_age, on_success, on_failure)
        return EventInvokeConfiguration(**self._own().update_function_event_invoke_config(members))

    def get_function_event_invoke_config(self, function: str, qualifier: str = "") -> EventInvokeConfiguration:
        """Raises ResourceNotFoundException when nothing was said about it."""
        return EventInvokeConfiguration(**self._own().get_function_event_invoke_config(function, qualifier))

    def delete_function_event_invoke_config(self, function: str, qualifier: str = "") -> None:
        """What becomes of events of that function, version or alias is as by default again.

        Raises ResourceNotFoundException when nothing was configured.
        """
        self._own().delete_function_event_invoke_config(function, qualifier)

    def list_function_event_invoke_configs(self, function: str) -> list[EventInvokeConfiguration]:
        """Of all qualifiers of a function."""
        return [EventInvokeConfiguration(**members) for members in self._own().list_function_event_invoke_configs(function)]


def _event_invoke(
    function: str, qualifier: str, retries: int | None, age: int | None, on_success: str | None, on_failure: str | None
) -> dict[str, Any]:
    return {
        "function": function,
        "qualifier": qualifier,
        "maximum_retry_attempts": retries,
        "maximum_event_age": age,
        "on_success": on_success,
        "on_failure": on_failure,
    }


_warned = False


def _warn_of_shared_lock() -> None:
    global _warned
    if _warned or sys.version_info >= (3, 13):
        return
    _warned = True
    warnings.warn(
        "Python functions share this program's interpreter lock (before Python 3.13). One that is stuck in C code stops the "
        "program too: its timeout and Ctrl-C take effect when that call ends. Python 3.13 has no such limit, nor has "
        "isolation='process'.",
        SharedLockWarning,
        stacklevel=3,
    )
