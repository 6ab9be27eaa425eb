"""What a call carries, as the native module takes it."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict

from lambed import _native

encode = json.JSONEncoder(separators=(",", ":")).encode


class CallOptions(TypedDict, total=False):
    """What a call may carry beside the payload; all of it is optional.

    qualifier         "$LATEST", a version number or an alias
    invocation_type   "RequestResponse" (the default); "Event" answers status_code 202, payload None, as soon as the event is in
                      the queue; "DryRun" checks everything and runs nothing: status_code 204, payload None
    dry_run           the same as invocation_type="DryRun"
    log_tail          asks for InvokeResult.log_tail
    client_context    what `json.dumps` takes; reaches the handler as context.client_context
    cognito_identity  {"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}
    trace_id          the X-Ray header
    tenant_id         reaches the handler as context.tenant_id
    request_id        a new one unless given
    """

    qualifier: str
    invocation_type: Literal["RequestResponse", "Event", "DryRun"]
    dry_run: bool
    log_tail: bool
    client_context: Any
    cognito_identity: Mapping[str, str] | None
    trace_id: str
    tenant_id: str
    request_id: str


_TYPES: Final = {"RequestResponse": 0, "Event": 1, "DryRun": 2}
_SHORT = {"qualifier", "invocation_type", "dry_run", "log_tail"}
_LONG = CallOptions.__optional_keys__ - _SHORT


def request_of(function: str, payload: str | bytes, options: CallOptions) -> "_native.Request":
    """Raises TypeError at an option that there is not."""
    if not options:
        return function, payload, "", 0, False
    unknown = options.keys() - CallOptions.__optional_keys__
    if unknown:
        raise TypeError(f"a call takes no argument {unknown.pop()!r}")
    type_name = options.get("invocation_type", "DryRun" if options.get("dry_run", False) else "RequestResponse")
    if type_name not in _TYPES:
        raise ValueError(f"invocation_type must be 'RequestResponse', 'Event' or 'DryRun', not {type_name!r}")
    short = (options.get("qualifier", ""), _TYPES[type_name], options.get("log_tail", False))
    if _LONG.isdisjoint(options):
        return function, payload, *short
    client_context = options.get("client_context")
    cognito_identity = options.get("cognito_identity")
    return (
        function,
        payload,
        *short,
        "" if client_context is None else encode(client_context),
        "" if cognito_identity is None else encode(dict(cognito_identity)),
        options.get("trace_id", ""),
        options.get("tenant_id", ""),
        options.get("request_id", ""),
    )
