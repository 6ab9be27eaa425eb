"""Writes python/lambed/errors.py from the error table of core/include/lambed/errors.h; with --check only compares."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "core/include/lambed/errors.h"
MODULE = ROOT / "python/lambed/errors.py"
ROW = re.compile(r'^\s*X\((\w+), (\d+), "(\w+)", "(\w*)"\)', re.M)

# What each error means, for help(). A name without a sentence here is reported, so that none stays bare.
MEANING = {
    "ValidationException": "A parameter does not have the form that the API's model asks for.",
    "InvalidParameterValueException": "A parameter has the right form and a value that is not allowed.",
    "InvalidRequestContentException": "The payload, or the client context, is not JSON.",
    "CodeStorageExceededException": "The account's quota for stored code is used up.",
    "PolicyLengthExceededException": "The resource-based policy is larger than its quota.",
    "AccessDeniedException": "The caller may not do this, or named another account.",
    "ResourceNotFoundException": "There is no such function, version, alias or layer.",
    "ResourceConflictException": "It exists already, or is being changed at this moment.",
    "ResourceInUseException": "Something else still uses it.",
    "ResourceNotReadyException": "It is being made and cannot be used yet.",
    "PreconditionFailedException": "The given revision_id is not the present one.",
    "ProvisionedConcurrencyConfigNotFoundException": "No provisioned concurrency is configured there.",
    "RequestTooLargeException": "The request is larger than the API takes.",
    "RequestEntityTooLargeException": "The payload, or the code package, is larger than its quota.",
    "UnsupportedMediaTypeException": "The content type of the request is not JSON.",
    "TooManyRequestsException": "The call was throttled; `reason` says by which limit. Try again later.",
    "ServiceException": "lambed, or the machine it runs on, failed.",
    "OperationNotSupportedException": "lambed does not have this operation.",
    "InvalidRuntimeException": "The function's runtime cannot be used.",
    "InvalidZipFileException": "The code package is not a zip file that can be unpacked.",
    "SubnetIPAddressLimitReachedException": "No subnet of the function's VpcConfig has an address left for another "
    "execution environment.",
    "HostUnavailable": "No interpreter for the function's language; the message names what to install. lambed's own.",
    "GatewayClosed": "The gateway was closed, or belongs to the parent of this process. lambed's own.",
}

HEAD = '''\
"""The errors of a call, one class for each name that AWS uses (and two of lambed's own).

An error of the *call* is raised: a wrong name, a throttled call, a payload that is too large. A *function error* (the
handler raised, exited, ran out of time) is not: it is a result whose `function_error` is set.

    try:
        gateway.invoke("nowhere", {})
    except lambed.errors.ResourceNotFoundException as error:
        print(error.http_status, error)         # 404 Function not found: arn:aws:lambda:...

Made by tools/python/generate_errors.py from the table in core/include/lambed/errors.h. Do not edit.
"""

from typing import ClassVar


class Error(Exception):
    """Base of all errors of a call. `str(error)` is the message as AWS words it."""

    name: ClassVar[str] = "Error"
    """The name of the error, as AWS's API and SDKs call it."""
    http_status: ClassVar[int] = 500
    """The status that AWS's API answers with."""
    fault: ClassVar[str] = ""
    """The member `Type` of AWS's answer: "User", "Service" or ""."""

    def __init__(self, message: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """Of a throttle: "ReservedFunctionConcurrentInvocationLimitExceeded" or the like; else ""."""

    def __reduce__(self) -> tuple[type["Error"], tuple[str, str]]:
        return self.__class__, (self.message, self.reason)


class FunctionError(Exception):
    """Raised by `InvokeResult.unwrap` only: the function failed. `error_type` and `error_message` are its document's."""

    def __init__(self, error_type: str, error_message: str, payload: object) -> None:
        super().__init__(f"{error_type}: {error_message}")
        self.error_type = error_type
        self.error_message = error_message
        self.payload = payload


class InvocationInterrupted(BaseException):
    """Raised inside a Python callable whose time is up (not in the caller). Not an Exception, so that it passes handlers."""

'''

ROW_TEXT = '''
class {name}(Error):
    """{meaning} HTTP {status}."""

    name = "{name}"
    http_status = {status}
    fault = "{fault}"

'''

TAIL = '''
_CLASSES: dict[str, type[Error]] = {c.__name__: c for c in Error.__subclasses__()}


def error_class(name: str) -> type[Error]:
    """The class for a name of AWS's: `error_class("ResourceNotFoundException")`. KeyError for an unknown one."""
    return _CLASSES[name]
'''


def generate() -> str:
    rows = ROW.findall(TABLE.read_text(encoding="utf-8"))
    if not rows:
        raise SystemExit(f"{TABLE}: no rows found")
    bare = [name for name, *_ in rows if name not in MEANING]
    if bare:
        raise SystemExit("tools/python/generate_errors.py says nothing about " + ", ".join(bare))
    body = "".join(
        ROW_TEXT.format(name=name, status=status, fault=fault, meaning=MEANING[name]) for name, status, _, fault in rows
    )
    return HEAD + body + TAIL


if __name__ == "__main__":
    wanted = generate()
    if "--check" not in sys.argv:
        MODULE.write_text(wanted, encoding="utf-8")
    elif MODULE.read_text(encoding="utf-8") != wanted:
        sys.exit("python/lambed/errors.py is not what tools/python/generate_errors.py makes of the error table: run it")
