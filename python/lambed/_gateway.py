"""The gateway as Python programs see it."""

import asyncio
import atexit
import json
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Unpack

from lambed import _callables, _native, errors
from lambed._asyncio import completions_of
from lambed._catalogue import Catalogue
from lambed._dead_letters import DeadLetters
from lambed._request import CallOptions, encode, request_of
from lambed._results import (
    EventCounts,
    EventOutcome,
    EventStatus,
    FunctionUsage,
    GatewayStatus,
    HostReport,
    InvokeResult,
    LogRecord,
    RawInvokeResult,
    json_result,
    raw_result,
)

_NO_PAYLOAD: Final[Mapping[str, Any]] = {}

_generation = 0  # how many forks this process is away from the one that imported the module
_gateways: "weakref.WeakSet[Gateway]" = weakref.WeakSet()


def hosts(probe: bool = False) -> list[HostReport]:
    """The language hosts that were found. With `probe`, each is started once to see whether it works."""
    return [HostReport(**members) for members in _native.hosts(probe)]


class Gateway(Catalogue, DeadLetters):
    """Holds functions and takes invocations; everything runs inside this process, nothing listens.

    Use it as a context manager, or close() it. Any thread may call any method at any time. A process that was forked from
    this one must not use it (GatewayClosed says so): start children with multiprocessing's "spawn", or fork first.

    quotas                      "classic" (the default) or "current": AWS's table of the early years or today's
    log                         where function output and START/END/REPORT lines go: "stderr", "memory" (see `logs`), "none"
    idle_expiry                 seconds until an environment without work is closed
    max_lifetime                seconds after its init in which an environment takes calls; 0: no limit
    interrupt_grace             seconds that an interrupted handler may take to stop before its environment is abandoned
    close_grace                 seconds that close() waits for running handlers after interrupting them
    max_environments            open environments of all functions together; 0: as many as the account's concurrency
    account_concurrency         concurrent invocations of all functions; None: the quota (1000)
    async_retry_base            seconds after which an event is tried again when its function failed, and then after twice as many
    async_close_wait            seconds that close() lets attempts of events run on before it interrupts them
    max_waiting_events          events that wait at most, in memory; more are refused: TooManyRequestsException
    on_event_success            called with the EventOutcome of each event that is over, on a thread of the gateway's own, one
    on_event_failure            after the other; what it raises goes to threading.excepthook
    aws_endpoint_url            where SQS, SNS, EventBridge and S3 are, which dead letters and records go to; "": what
                                AWS_ENDPOINT_URL says, else AWS
    freeze_after                isolation "process": seconds of idling after which a worker is frozen, and uses no processor
                                time until its next call; 0: never
    worker_stock                isolation "process": so many workers of each language wait ready for the next cold start;
                                0: each is made when it is needed
    require_strict_isolation    isolation "process": runs nothing where the machine does not give what it takes to enforce
                                every limit; such calls raise HostUnavailable, which names the limits. Functions with isolation
                                "in_process" are not concerned
    allow_host_loopback         isolation "process": functions may reach what listens on this machine, which is refused otherwise
    networks                    those that functions can be put into by their `vpc_config`: what the file of
                                `lambed serve --networks` holds, {"Vpcs": [...]} in EC2's names. With what cannot be one the
                                constructor raises InvalidParameterValueException
    host_options                for language hosts: {"ruby": {"interpreter": "/usr/bin/ruby3.1"}}. One choice per process

    A negative number of seconds or workers is a ValueError.
    """

    def __init__(
        self,
        *,
        quotas: Literal["classic", "current"] = "classic",
        region: str = "us-east-1",
        account: str = "123456789012",
        log: Literal["stderr", "memory", "none"] = "stderr",
        idle_expiry: float = 600.0,
        max_lifetime: float = 0.0,
        interrupt_grace: float = 2.0,
        close_grace: float = 2.0,
        max_environments: int = 0,
        max_abandoned_environments: int = 16,
        account_concurrency: int | None = None,
        async_retry_base: float = 60.0,
        async_close_wait: float = 1.5,
        max_waiting_events: int = 100_000,
        on_event_success: Callable[[EventOutcome], object] | None = None,
        on_event_failure: Callable[[EventOutcome], object] | None = None,
        aws_endpoint_url: str = "",
        freeze_after: float = 0.1,
        worker_stock: int = 2,
        require_strict_isolation: bool = False,
        allow_host_loopback: bool = False,
        networks: Mapping[str, Any] | None = None,
        host_options: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._generation = _generation
        self._callables = []
        options = {
            "quotas": quotas,
            "region": region,
            "account": account,
            "log": log,
            "idle_expiry": idle_expiry,
            "max_lifetime": max_lifetime,
            "interrupt_grace": interrupt_grace,
            "close_grace": close_grace,
            "max_environments": max_environments,
            "max_abandoned_environments": max_abandoned_environments,
            "account_concurrency": account_concurrency,
            "async_retry_base": async_retry_base,
            "async_close_wait": async_close_wait,
            "max_waiting_events": max_waiting_events,
            "aws_endpoint_url": aws_endpoint_url,
            "freeze_after": freeze_after,
            "worker_stock": worker_stock,
            "require_strict_isolation": require_strict_isolation,
            "allow_host_loopback": allow_host_loopback,
            "networks": None if networks is None else json.dumps(networks),
            "host_options": {k: dict(v) for k, v in (host_options or {}).items()},
        }
        self._outcomes = _native.Outcomes() if on_event_success or on_event_failure else None
        self._hooks: threading.Thread | None = None
        self._native = _native.Gateway(options, self._outcomes)
        _gateways.add(self)
        if self._outcomes is not None:
            arguments = (self._outcomes, on_event_success, on_event_failure)
            self._hooks = threading.Thread(target=_call_hooks, args=arguments, name="lambed-events", daemon=True)
            self._hooks.start()

    # ---- Life.

    def close(self) -> None:
        """Refuses new invocations, interrupts what runs (those calls raise GatewayClosed), closes all environments.

        Takes at most `close_grace` seconds longer than the handlers need to stop. Idempotent.
        """
        if self._generation != _generation:
            return  # the parent's
        self._native.close()
        if self._outcomes is not None and self._hooks is not None:
            self._outcomes.end()
            if self._hooks is not threading.current_thread():
                self._hooks.join()
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

    # ---- Invocations.

    def invoke(self, function: str, payload: Any = _NO_PAYLOAD, **options: Unpack[CallOptions]) -> InvokeResult:
        """Runs a function and waits for its answer, at most until its timeout. Ctrl-C interrupts it.

        function          name, name:qualifier, or an ARN
        payload           what `json.dumps` takes; {} unless given
        qualifier         "$LATEST", a version number or an alias
        invocation_type   "RequestResponse"; "Event" answers as soon as the event is in the queue: status_code 202, payload
                          None, and `event_status` tells what becomes of it; "DryRun" checks everything and runs nothing
        dry_run           True is invocation_type="DryRun": status_code 204, payload None
        log_tail          True asks for InvokeResult.log_tail
        client_context    what `json.dumps` takes; reaches the handler as context.client_context
        cognito_identity  {"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}
        trace_id, tenant_id, request_id    text; a new request id unless given

        A function that fails gives a result with `function_error` set. What is raised: ResourceNotFoundException,
        TooManyRequestsException, RequestEntityTooLargeException, HostUnavailable, GatewayClosed and others of lambed.errors;
        TypeError when the payload is not JSON.
        """
        return json_result(self._native.invoke(request_of(function, encode(payload), options), False))

    def invoke_raw(self, function: str, payload: bytes = b"{}", **options: Unpack[CallOptions]) -> RawInvokeResult:
        """Like `invoke`, for a payload that is JSON already; the result's payload is bytes, as the function gave them.

        Raises InvalidRequestContentException when the payload is not JSON.
        """
        return raw_result(self._native.invoke(request_of(function, payload, options), True))

    async def ainvoke(self, function: str, payload: Any = _NO_PAYLOAD, **options: Unpack[CallOptions]) -> InvokeResult:
        """`invoke` for asyncio. Cancelling it does not stop the function, which runs on until its timeout, as on AWS."""
        result: InvokeResult = await self._submit(request_of(function, encode(payload), options), False)
        return result

    async def ainvoke_raw(self, function: str, payload: bytes = b"{}", **options: Unpack[CallOptions]) -> RawInvokeResult:
        """`invoke_raw` for asyncio."""
        result: RawInvokeResult = await self._submit(request_of(function, payload, options), True)
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

    # ---- Asynchronous invocations.

    def event_status(self, request_id: str) -> EventStatus:
        """What is known of an event. Raises ResourceNotFoundException when it is not known (any more)."""
        return EventStatus(**self._own().event_status(request_id))

    def event_counts(self) -> EventCounts:
        """How many events wait, run, have ended and how, since this gateway was made."""
        return EventCounts(**self._own().event_counts())

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


def _call_hooks(
    outcomes: _native.Outcomes,
    on_success: Callable[[EventOutcome], object] | None,
    on_failure: Callable[[EventOutcome], object] | None,
) -> None:
    """A gateway's thread for hooks: without a reference to the gateway, so that it can be collected."""
    while taken := outcomes.take():
        for members in taken:
            outcome = EventOutcome(**members)
            hook = on_success if outcome.state == "Succeeded" else on_failure
            if hook is None:
                continue
            try:
                hook(outcome)
            except Exception as error:
                threading.excepthook(
                    threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
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
