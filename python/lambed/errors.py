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


class ValidationException(Error):
    """A parameter does not have the form that the API's model asks for. HTTP 400."""

    name = "ValidationException"
    http_status = 400
    fault = ""


class InvalidParameterValueException(Error):
    """A parameter has the right form and a value that is not allowed. HTTP 400."""

    name = "InvalidParameterValueException"
    http_status = 400
    fault = "User"


class InvalidRequestContentException(Error):
    """The payload, or the client context, is not JSON. HTTP 400."""

    name = "InvalidRequestContentException"
    http_status = 400
    fault = "User"


class CodeStorageExceededException(Error):
    """The account's quota for stored code is used up. HTTP 400."""

    name = "CodeStorageExceededException"
    http_status = 400
    fault = "User"


class PolicyLengthExceededException(Error):
    """The resource-based policy is larger than its quota. HTTP 400."""

    name = "PolicyLengthExceededException"
    http_status = 400
    fault = "User"


class AccessDeniedException(Error):
    """The caller may not do this, or named another account. HTTP 403."""

    name = "AccessDeniedException"
    http_status = 403
    fault = ""


class ResourceNotFoundException(Error):
    """There is no such function, version, alias or layer. HTTP 404."""

    name = "ResourceNotFoundException"
    http_status = 404
    fault = "User"


class ResourceConflictException(Error):
    """It exists already, or is being changed at this moment. HTTP 409."""

    name = "ResourceConflictException"
    http_status = 409
    fault = "User"


class ResourceInUseException(Error):
    """Something else still uses it. HTTP 400."""

    name = "ResourceInUseException"
    http_status = 400
    fault = "User"


class ResourceNotReadyException(Error):
    """It is being made and cannot be used yet. HTTP 502."""

    name = "ResourceNotReadyException"
    http_status = 502
    fault = "User"


class PreconditionFailedException(Error):
    """The given revision_id is not the present one. HTTP 412."""

    name = "PreconditionFailedException"
    http_status = 412
    fault = "User"


class ProvisionedConcurrencyConfigNotFoundException(Error):
    """No provisioned concurrency is configured there. HTTP 404."""

    name = "ProvisionedConcurrencyConfigNotFoundException"
    http_status = 404
    fault = "User"


class RequestTooLargeException(Error):
    """The request is larger than the API takes. HTTP 413."""

    name = "RequestTooLargeException"
    http_status = 413
    fault = "User"


class RequestEntityTooLargeException(Error):
    """The payload, or the code package, is larger than its quota. HTTP 413."""

    name = "RequestEntityTooLargeException"
    http_status = 413
    fault = ""


class UnsupportedMediaTypeException(Error):
    """The content type of the request is not JSON. HTTP 415."""

    name = "UnsupportedMediaTypeException"
    http_status = 415
    fault = "User"


class TooManyRequestsException(Error):
    """The call was throttled; `reason` says by which limit. Try again later. HTTP 429."""

    name = "TooManyRequestsException"
    http_status = 429
    fault = "User"


class ServiceException(Error):
    """lambed, or the machine it runs on, failed. HTTP 500."""

    name = "ServiceException"
    http_status = 500
    fault = "Service"


class OperationNotSupportedException(Error):
    """lambed does not have this operation. HTTP 501."""

    name = "OperationNotSupportedException"
    http_status = 501
    fault = "User"


class InvalidRuntimeException(Error):
    """The function's runtime cannot be used. HTTP 502."""

    name = "InvalidRuntimeException"
    http_status = 502
    fault = "User"


class InvalidZipFileException(Error):
    """The code package is not a zip file that can be unpacked. HTTP 502."""

    name = "InvalidZipFileException"
    http_status = 502
    fault = "User"


class SubnetIPAddressLimitReachedException(Error):
    """No subnet of the function's VpcConfig has an address left for another execution environment. HTTP 502."""

    name = "SubnetIPAddressLimitReachedException"
    http_status = 502
    fault = "User"


class HostUnavailable(Error):
    """No interpreter for the function's language; the message names what to install. lambed's own. HTTP 502."""

    name = "HostUnavailable"
    http_status = 502
    fault = "User"


class GatewayClosed(Error):
    """The gateway was closed, or belongs to the parent of this process. lambed's own. HTTP 503."""

    name = "GatewayClosed"
    http_status = 503
    fault = "User"


_CLASSES: dict[str, type[Error]] = {c.__name__: c for c in Error.__subclasses__()}


def error_class(name: str) -> type[Error]:
    """The class for a name of AWS's: `error_class("ResourceNotFoundException")`. KeyError for an unknown one."""
    return _CLASSES[name]
