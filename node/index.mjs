// The ESM entry point of the package.
import lambed from './index.cjs';

export const {
  Gateway,
  InvokeResult,
  LambedError,
  version,
  ValidationException,
  InvalidParameterValueException,
  InvalidRequestContentException,
  CodeStorageExceededException,
  PolicyLengthExceededException,
  AccessDeniedException,
  ResourceNotFoundException,
  ResourceConflictException,
  ResourceInUseException,
  ResourceNotReadyException,
  PreconditionFailedException,
  ProvisionedConcurrencyConfigNotFoundException,
  RequestTooLargeException,
  RequestEntityTooLargeException,
  UnsupportedMediaTypeException,
  TooManyRequestsException,
  ServiceException,
  OperationNotSupportedException,
  InvalidRuntimeException,
  InvalidZipFileException,
  SubnetIPAddressLimitReachedException,
  HostUnavailable,
  GatewayClosed,
} = lambed;
export default lambed;
