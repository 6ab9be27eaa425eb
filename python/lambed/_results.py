"""What the gateway answers: dataclasses, named after the members of AWS's Lambda API."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lambed import errors

_parse = json.JSONDecoder().decode


@dataclass(slots=True)
class InvokeResult:
    """The answer to one invocation whose payload is JSON.

    A function that failed gives a result too: `function_error` is then "Unhandled" and `payload` its error document,
    {"errorMessage": str, "errorType": str, ...}. Times are milliseconds, sizes megabytes.
    """

    payload: Any
    """What the handler returned, parsed. `bytes` when a Python handler returned bytes; None for an event or a dry run."""
    status_code: int
    """200, 202 for an event, 204 for a dry run."""
    function_error: str
    """ "" or "Unhandled"."""
    request_id: str
    executed_version: str
    """ "$LATEST" or a number."""
    log_tail: str
    """The last 4 KB of the log as text when `log_tail=True` was asked for, else "". (AWS's API sends it in base64.)"""
    duration_ms: float
    """Of the handler."""
    billed_duration_ms: int
    """Rounded up to the gateway's billing step."""
    init_duration_ms: float
    """Of the init of its environment; 0.0 unless this call opened it."""
    memory_size_mb: int
    max_memory_used_mb: int
    """0 where the language cannot tell."""

    @property
    def ok(self) -> bool:
        """Whether the function answered without an error."""
        return not self.function_error

    @property
    def error_type(self) -> str:
        """`errorType` of the error document, "" without one."""
        return self._of_document("errorType")

    @property
    def error_message(self) -> str:
        """`errorMessage` of the error document, "" without one."""
        return self._of_document("errorMessage")

    def unwrap(self) -> Any:
        """The payload; raises `lambed.errors.FunctionError` when the function failed."""
        if self.function_error:
            raise errors.FunctionError(self.error_type, self.error_message, self.payload)
        return self.payload

    def _of_document(self, member: str) -> str:
        if not self.function_error:
            return ""
        document = _parse(self.payload.decode()) if isinstance(self.payload, bytes) else self.payload
        return str(document.get(member) or "") if isinstance(document, dict) else ""


@dataclass(slots=True)
class RawInvokeResult(InvokeResult):
    """The answer of `invoke_raw`: `payload` is the bytes that the function answered with, whatever they are."""

    payload: bytes


def json_result(fields: Any) -> InvokeResult:
    """From the native fields; the payload is parsed unless it is binary."""
    payload, status, error, request_id, version, tail, duration, billed, init, memory, peak = fields
    if payload.__class__ is str:
        payload = _parse(payload) if payload else None
    if tail:
        tail = _decode_tail(tail)
    return InvokeResult(payload, status, error, request_id, version, tail, duration, billed, init, memory, peak)


def raw_result(fields: Any) -> RawInvokeResult:
    payload, status, error, request_id, version, tail, duration, billed, init, memory, peak = fields
    if tail:
        tail = _decode_tail(tail)
    return RawInvokeResult(payload, status, error, request_id, version, tail, duration, billed, init, memory, peak)


def _decode_tail(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class VpcConfig:
    """Into which network a function is put: subnets and security groups of Gateway(networks=...). Empty: into none."""

    subnet_ids: list[str] = field(default_factory=list)
    security_group_ids: list[str] = field(default_factory=list)
    ipv6_allowed_for_dual_stack: bool = False
    """Kept and answered."""
    vpc_id: str = ""
    """Of answers only."""


@dataclass(frozen=True, slots=True)
class FunctionConfiguration:
    """One version of a function. Times are seconds, sizes MB except `code_size` (bytes)."""

    function_name: str
    function_arn: str
    version: str
    """ "$LATEST" or a number."""
    runtime: str
    handler: str
    description: str
    role: str
    timeout: int
    memory: int
    ephemeral_storage: int
    environment: dict[str, str] | None
    """None unless it was ever set."""
    layers: list[str]
    log_format: Literal["Text", "JSON"]
    log_group: str
    dead_letter_target: str
    """ "": none."""
    vpc_config: VpcConfig | None
    """None unless it was ever set."""
    isolation: Literal["in_process", "process"]
    code_sha256: str
    """Base64; empty until asked for where the code is a folder."""
    code_size: int
    revision_id: str
    last_modified: str
    """ "2025-11-25T10:00:00.000+0000"."""
    state: str
    last_update_status: str


EventState = Literal["Pending", "Running", "Retrying", "Succeeded", "Failed", "Expired"]


@dataclass(frozen=True, slots=True)
class EventOutcome:
    """An asynchronous invocation that is over. Times are seconds since 1970."""

    request_id: str
    function_arn: str
    """With its qualifier; ":$LATEST" when the call named none."""
    state: EventState
    """Succeeded, Failed or Expired."""
    condition: str
    """Success, RetriesExhausted, EventAgeExceeded, ZeroReservedConcurrency, or ResourceNotFound: deleted meanwhile."""
    attempts: int
    """That reached the function."""
    function_error: str
    """Of the last attempt: "" or "Unhandled"."""
    payload: bytes
    """Of the last attempt: the answer or the error document; empty when none reached the function."""
    executed_version: str
    accepted: float
    ended: float


@dataclass(frozen=True, slots=True)
class EventStatus:
    """What is known of an asynchronous invocation; for an hour after its end, and the newest 10,000 that are over."""

    request_id: str
    function_arn: str
    state: EventState
    attempts: int
    """That reached the function, the running one included."""
    accepted: float
    """Seconds since 1970."""
    ended: float | None
    condition: str
    """As in EventOutcome; "" while it is not over."""
    function_error: str


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Asynchronous invocations since the gateway was made."""

    received: int
    succeeded: int
    dropped: int
    """Over without success."""
    retries: int
    destination_delivery_failures: int
    dead_letter_errors: int
    waiting: int
    """Accepted and not over, about; deliveries that wait included."""


@dataclass(frozen=True, slots=True)
class AliasConfiguration:
    """An alias: a name for a version, or for two with weights."""

    alias_arn: str
    name: str
    function_version: str
    description: str
    revision_id: str
    weights: dict[str, float] = field(default_factory=dict)
    """Of the other version: {"2": 0.1}."""


@dataclass(frozen=True, slots=True)
class EventInvokeConfiguration:
    """What becomes of events that are sent to a function, version or alias."""

    function_arn: str
    """With the qualifier, ":$LATEST" too."""
    maximum_retry_attempts: int | None
    """None: Lambda's default, 2."""
    maximum_event_age: int | None
    """Seconds. None: Lambda's default, 21600."""
    on_success: str
    """A destination; "": none."""
    on_failure: str
    last_modified: float
    """Unix time in seconds."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that is over, as it was sent to the target "lambed:local"."""

    id: str
    kind: Literal["DeadLetter", "OnSuccess", "OnFailure"]
    """Sent by the function's dead-letter target, or by a destination."""
    function_name: str
    function_arn: str
    """As it was called, with its qualifier."""
    request_id: str
    condition: Literal["Success", "RetriesExhausted", "EventAgeExceeded", "ZeroReservedConcurrency"]
    approximate_invoke_count: int
    has_response: bool
    """False: no attempt reached the function."""
    status_code: int
    function_error: str
    executed_version: str
    error_code: int
    error_message: str
    accepted: float
    """Unix time in seconds: when the event was accepted, when it was over, when it came into the table."""
    ended: float
    stored: float
    request_size: int
    """Bytes."""
    request_payload: Any
    """The event; None in lists."""
    response_payload: Any
    """Of the last attempt, bytes where it was binary; None in lists and without a response."""


@dataclass(frozen=True, slots=True)
class Redrive:
    """How a redrive has gone."""

    redriven: int
    """So many events were accepted again; their dead letters are out of the table."""
    failed: int
    failures: list[tuple[str, str]]
    """Id and problem of those that stay, at most 100 of them."""


@dataclass(frozen=True, slots=True)
class FunctionUsage:
    """What a function has used since it was created."""

    requests: int
    errors: int
    """Function errors, timeouts included."""
    timeouts: int
    throttles: int
    """Not counted as requests."""
    cold_starts: int
    gb_seconds: float


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """The environments of a gateway at one moment."""

    opening: int
    idle: int
    busy: int
    interrupting: int
    """Told to stop, not stopped yet."""
    abandoned: int
    """Cannot be stopped; their threads run on."""
    in_flight: int
    """Invocations admitted and not answered."""
    late_completions: int


@dataclass(frozen=True, slots=True)
class HostReport:
    """What is known of one language host: `lambed doctor` prints these."""

    language: str
    plugin_path: str
    interpreter_version: str
    interpreter_path: str
    available: bool
    problem: str
    """Cause and remedy in words when not available."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of the log."""

    kind: Literal["stdout", "stderr", "log", "init_start", "start", "end", "report", "notice"]
    """What the function printed, logged in its language's way, or what the platform says about it."""
    function_name: str
    log_group: str
    log_stream: str
    request_id: str
    """ "" outside of an invocation."""
    time: float
    """Unix time in seconds."""
    text: str


def dead_letter(members: dict[str, Any]) -> DeadLetter:
    request, response = members.pop("request_payload"), members.pop("response_payload")
    is_binary = members.pop("response_is_binary")
    return DeadLetter(
        **members,
        request_payload=_value(request),
        response_payload=response if is_binary else _value(response),
    )


def _value(payload: bytes) -> Any:
    if not payload:
        return None
    try:
        return _parse(payload.decode())
    except ValueError:
        return payload


def configuration(members: Mapping[str, Any]) -> FunctionConfiguration:
    vpc = members["vpc_config"]
    return FunctionConfiguration(**{**members, "vpc_config": None if vpc is None else VpcConfig(**vpc)})
