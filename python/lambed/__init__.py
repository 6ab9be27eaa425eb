"""AWS Lambda functions inside your own program: Python, Node.js and Ruby handlers run in this process.

    import lambed

    with lambed.Gateway() as gateway:
        gateway.create_function("hello", runtime="nodejs20.x", handler="index.handler", code="functions/hello")
        result = gateway.invoke("hello", {"name": "Ada"})
        print(result.payload)

The same handler file runs unmodified on AWS. `help(lambed.Gateway)` has the whole interface; docs/getting-started-python.md
and docs/testing-handlers.md are the ways in.
"""

from lambed import errors
from lambed._callables import LambdaContext
from lambed._catalogue import SharedLockWarning
from lambed._code import Code
from lambed._gateway import Gateway, hosts
from lambed._native import version as __version__
from lambed._request import CallOptions
from lambed._results import (
    AliasConfiguration,
    DeadLetter,
    EventCounts,
    EventInvokeConfiguration,
    EventOutcome,
    EventStatus,
    FunctionConfiguration,
    FunctionUsage,
    GatewayStatus,
    HostReport,
    InvokeResult,
    LogRecord,
    RawInvokeResult,
    Redrive,
    VpcConfig,
)

__all__ = [
    "AliasConfiguration",
    "CallOptions",
    "Code",
    "DeadLetter",
    "EventCounts",
    "EventInvokeConfiguration",
    "EventOutcome",
    "EventStatus",
    "FunctionConfiguration",
    "FunctionUsage",
    "Gateway",
    "GatewayStatus",
    "HostReport",
    "InvokeResult",
    "LambdaContext",
    "LogRecord",
    "RawInvokeResult",
    "Redrive",
    "SharedLockWarning",
    "VpcConfig",
    "__version__",
    "errors",
    "hosts",
]
