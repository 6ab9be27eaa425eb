// Types of lambed. The same for ESM (index.d.mts) and CommonJS.
/// <reference types="node" />

/** A function's code: a folder (a path, or a `file:` URL) that is read where it lies, the bytes of a .zip, or one source file. */
export type Code = string | URL | { directory: string | URL } | { zip: Uint8Array | ArrayBuffer } | { inline: string };

export type LogKind = 'stdout' | 'stderr' | 'log' | 'initStart' | 'start' | 'end' | 'report' | 'notice';

/** One record of a function's log. Platform records (START, END, REPORT) carry their text as CloudWatch would show it. */
export interface LogRecord {
  kind: LogKind;
  /** Empty in notices that concern no function. */
  functionName: string;
  logGroup: string;
  logStream: string;
  /** Empty outside of an invocation. */
  requestId: string;
  time: Date;
  text: string;
}

export type EventState = 'Pending' | 'Running' | 'Retrying' | 'Succeeded' | 'Failed' | 'Expired';

/** An asynchronous invocation that is over. */
export interface EventOutcome {
  requestId: string;
  /** With its qualifier; `:$LATEST` when the call named none. */
  functionArn: string;
  state: 'Succeeded' | 'Failed' | 'Expired';
  /** Success, RetriesExhausted, EventAgeExceeded, ZeroReservedConcurrency, or ResourceNotFound: deleted meanwhile. */
  condition: string;
  /** That reached the function. */
  attempts: number;
  /** Of the last attempt: '' or 'Unhandled'. */
  functionError: string;
  /** Of the last attempt, parsed: the answer or the error document; undefined when none reached the function. */
  payload: any;
  executedVersion: string;
  accepted: Date;
  ended: Date;
}

/** What is known of an asynchronous invocation: for an hour after its end, and of the newest 10,000 that are over. */
export interface EventStatus {
  requestId: string;
  functionArn: string;
  state: EventState;
  /** That reached the function, the running one included. */
  attempts: number;
  accepted: Date;
  /** This and what follows when it is over. */
  ended?: Date;
  condition?: string;
  functionError?: string;
}

/** Asynchronous invocations since the gateway was made. */
export interface EventCounts {
  received: number;
  succeeded: number;
  /** Over without success. */
  dropped: number;
  retries: number;
  destinationDeliveryFailures: number;
  deadLetterErrors: number;
  /** Accepted and not over, about; deliveries that wait included. */
  waiting: number;
}

export interface GatewayOptions {
  /** Lambda's quotas of the early years (`classic`, the default) or today's. */
  quotas?: 'classic' | 'current';
  /** Invocations of all functions at once, the rest get a TooManyRequestsException: the quota, 1000. */
  accountConcurrency?: number;
  region?: string;
  account?: string;
  /**
   * Where log records go: standard error (the default), `logs()` of the gateway (`memory`, the newest MB), nowhere, or to a
   * function, which is called on this thread, with the records of a call before its promise resolves.
   */
  log?: 'stderr' | 'memory' | 'none' | ((record: LogRecord) => void);
  /** Milliseconds after which an environment without work is closed: 600000. */
  idleExpiry?: number;
  /** Milliseconds after its init in which an environment takes calls; 0 (the default): no limit. */
  maxLifetime?: number;
  /** Milliseconds an interrupted handler may take to stop before its environment is abandoned: 2000. */
  interruptGrace?: number;
  /** Milliseconds `close` waits for running handlers after interrupting them: 1500. */
  closeGrace?: number;
  /** So many handlers that cannot be stopped are borne; then no new environments are opened: 16. */
  maxAbandonedEnvironments?: number;
  /** Open environments of all functions together; 0 (the default): as many as the account's concurrency. */
  maxEnvironments?: number;
  /** Milliseconds after which an event is tried again when its function failed, and then after twice as many: 60000. */
  asyncRetryBase?: number;
  /** Milliseconds that `close` lets attempts of events run on before it interrupts them: 1500. */
  asyncCloseWait?: number;
  /** Events that wait at most, in memory: 100000. More are refused with a TooManyRequestsException. */
  maxWaitingEvents?: number;
  /** Called on this thread with each event that is over. Waiting for it does not keep the process alive. */
  onEventSuccess?: (outcome: EventOutcome) => void;
  onEventFailure?: (outcome: EventOutcome) => void;
  /**
   * Where SQS, SNS, EventBridge and S3 are, which dead letters and records go to: `http://127.0.0.1:5000`. Without it what
   * AWS_ENDPOINT_URL says, else AWS.
   */
  awsEndpointUrl?: string;
  /**
   * Isolation `process`: milliseconds of idling after which a worker is frozen, and uses no processor time until its next call:
   * 100; 0: never.
   */
  freezeAfter?: number;
  /** Isolation `process`: so many workers of each language wait ready for the next cold start: 2; 0: each is made when needed. */
  workerStock?: number;
  /**
   * Isolation `process`: runs nothing where the machine does not give what it takes to enforce every limit: such calls are
   * rejected with `HostUnavailable`, whose message names the limits. Functions with isolation `in_process` are not concerned.
   */
  requireStrictIsolation?: boolean;
  /** Isolation `process`: functions may reach what listens on this machine, which is refused otherwise. */
  allowHostLoopback?: boolean;
  /** The networks that functions can be put into by `vpcConfig`. */
  networks?: Networks;
  /** Options of language hosts: `{ python: { interpreter: '/usr/bin/python3.12' } }`. The first gateway of a process decides. */
  hostOptions?: Record<string, Record<string, string>>;
}

/** VPCs, in EC2's names: what the file of `lambed serve --networks` holds. */
export interface Networks {
  Vpcs: {
    VpcId: string;
    /** Of IPv4, /16 to /28. */
    Subnets?: { SubnetId: string; CidrBlock: string }[];
    SecurityGroups?: {
      GroupId: string;
      /** Without this list everything may leave; where it is empty, nothing. */
      IpPermissionsEgress?: {
        /** `tcp`, `udp`; `-1`: all. */
        IpProtocol: string;
        FromPort?: number;
        ToPort?: number;
        IpRanges?: { CidrIp: string }[];
        Ipv6Ranges?: { CidrIpv6: string }[];
      }[];
    }[];
  }[];
}

/** Into which network a function is put; with empty lists, as in `{}`, into none. With isolation `process` only. */
export interface VpcConfig {
  subnetIds?: string[];
  securityGroupIds?: string[];
  /** Kept and answered. */
  ipv6AllowedForDualStack?: boolean;
}

export interface CreateFunctionRequest {
  /** 1-64 of `[a-zA-Z0-9-_]`, or an ARN. */
  name: string;
  /** `python3.11`, `nodejs20.x`, `ruby3.2`, ... */
  runtime: string;
  /** `file.function` */
  handler: string;
  code: Code;
  description?: string;
  /** Whole seconds: 3. */
  timeout?: number;
  /** MB: 128. */
  memorySize?: number;
  environment?: Record<string, string>;
  /** Folders with the content of /opt; a later one wins. */
  layers?: string[];
  tags?: Record<string, string>;
  role?: string;
  logFormat?: 'Text' | 'JSON';
  /** MB: 512. */
  ephemeralStorage?: number;
  publish?: boolean;
  /** Where events go that no attempt could handle: the ARN of an SQS queue or an SNS topic, or `lambed:local`. */
  deadLetterTarget?: string;
  /** 'process': a sandboxed process for each environment, with hard limits. */
  isolation?: 'in_process' | 'process';
  vpcConfig?: VpcConfig;
}

export interface UpdateFunctionCodeRequest {
  name: string;
  code: Code;
  publish?: boolean;
  /** Check everything, change nothing. */
  dryRun?: boolean;
  /** PreconditionFailedException when it is not the present one. */
  revisionId?: string;
}

/** Members that are left out stay as they are. */
export interface UpdateFunctionConfigurationRequest {
  name: string;
  runtime?: string;
  handler?: string;
  description?: string;
  timeout?: number;
  memorySize?: number;
  environment?: Record<string, string>;
  layers?: string[];
  role?: string;
  logFormat?: 'Text' | 'JSON';
  ephemeralStorage?: number;
  /** Empty: none any more. */
  deadLetterTarget?: string;
  vpcConfig?: VpcConfig;
  revisionId?: string;
}

export interface PublishVersionRequest {
  name: string;
  description?: string;
  codeSha256?: string;
  revisionId?: string;
}

export interface CreateAliasRequest {
  function: string;
  alias: string;
  version: string;
  description?: string;
  /** At most one other version and its share, 0.0-1.0. */
  weights?: Record<string, number>;
}

export interface UpdateAliasRequest {
  function: string;
  alias: string;
  version?: string;
  description?: string;
  /** `{}` removes the routing. */
  weights?: Record<string, number>;
  revisionId?: string;
}

export interface FunctionConfiguration {
  functionName: string;
  functionArn: string;
  /** `$LATEST` or a number. */
  version: string;
  runtime: string;
  handler: string;
  description: string;
  role: string;
  timeout: number;
  memorySize: number;
  ephemeralStorage: number;
  /** Absent unless it was ever set. */
  environment?: Record<string, string>;
  layers: string[];
  logFormat: 'Text' | 'JSON';
  logGroup: string;
  /** Empty: none. */
  deadLetterTarget: string;
  /** Absent unless it was ever set. */
  vpcConfig?: Required<VpcConfig> & { vpcId: string };
  isolation: 'in_process' | 'process';
  /** Base64; empty until asked for where the code is a folder. */
  codeSha256: string;
  codeSize: number;
  revisionId: string;
  lastModified: string;
  state: string;
  lastUpdateStatus: string;
}

export interface AliasConfiguration {
  aliasArn: string;
  name: string;
  functionVersion: string;
  description: string;
  revisionId: string;
  weights: Record<string, number>;
}

/**
 * What becomes of events that are sent to a function, version or alias. Destinations are the ARN of an SQS queue, an SNS topic, a
 * function of this gateway, an EventBridge bus or (`onFailure` only) an S3 bucket; or `lambed:local`, whose table
 * `listDeadLetters` reads. Putting replaces what was there; updating leaves alone what is not named, and takes away a destination
 * that is empty.
 */
export interface EventInvokeRequest {
  function: string;
  /** A version number or an alias; `$LATEST` by default. */
  qualifier?: string;
  /** 0 to 2. */
  maximumRetryAttempts?: number;
  /** Seconds, 60 to 21600. */
  maximumEventAge?: number;
  onSuccess?: string;
  onFailure?: string;
}

export interface EventInvokeConfiguration {
  /** With the qualifier, `:$LATEST` too. */
  functionArn: string;
  /** Absent: Lambda's default, 2. */
  maximumRetryAttempts?: number;
  /** Seconds. Absent: Lambda's default, 21600. */
  maximumEventAge?: number;
  /** Empty: none. */
  onSuccess: string;
  onFailure: string;
  lastModified: Date;
}

/** An event that is over, as it was sent to the target `lambed:local`. */
export interface DeadLetter {
  id: string;
  /** Sent by the function's dead-letter target, or by a destination. */
  kind: 'DeadLetter' | 'OnSuccess' | 'OnFailure';
  functionName: string;
  /** As it was called, with its qualifier. */
  functionArn: string;
  requestId: string;
  condition: 'Success' | 'RetriesExhausted' | 'EventAgeExceeded' | 'ZeroReservedConcurrency';
  approximateInvokeCount: number;
  /** False: no attempt reached the function. */
  hasResponse: boolean;
  statusCode: number;
  functionError: string;
  executedVersion: string;
  errorCode: number;
  errorMessage: string;
  /** When the event was accepted, when it was over, when it came into the table. */
  accepted: Date;
  ended: Date;
  stored: Date;
  /** Bytes. */
  requestSize: number;
  /** The event; undefined in lists. */
  requestPayload: any;
  /** Of the last attempt, bytes where it was binary; undefined in lists and without a response. */
  responsePayload: any;
}

/** Which dead letters: those named; without `ids` those of `function`; with neither all. */
export interface DeadLetterSelection {
  ids?: string[];
  function?: string;
}

export interface Redrive {
  /** So many events were accepted again; their dead letters are out of the table. */
  redriven: number;
  failed: number;
  /** Those that stay, at most 100 of them. */
  failures: { id: string; problem: string }[];
}

export interface InvokeOptions {
  /** `$LATEST`, a version number or an alias. */
  qualifier?: string;
  invocationType?: 'RequestResponse' | 'Event' | 'DryRun';
  /** Ask for `logTail`. */
  logTail?: boolean;
  /** Reaches the handler as `context.client_context` or `context.clientContext`. A string is taken as JSON text. */
  clientContext?: object | string;
  cognitoIdentity?: { cognitoIdentityId: string; cognitoIdentityPoolId: string } | string;
  /** X-Ray header. */
  traceId?: string;
  tenantId?: string;
  /** A new one by default. */
  requestId?: string;
  /**
   * Stops waiting: the promise is rejected with the signal's reason. As on Lambda the function runs on to its end or its
   * timeout, and its answer is dropped.
   */
  signal?: AbortSignal;
}

/** A function error (the handler failed) is a result with `functionError` set and the runtime's error document as payload. */
export declare class InvokeResult<Payload = any> {
  private constructor();
  /** The parsed JSON; bytes where a handler returned bytes; undefined for `Event` and `DryRun`. */
  payload: Payload;
  /** 200, 202 (Event) or 204 (DryRun) */
  statusCode: number;
  functionError: 'Unhandled' | undefined;
  /** The last 4 KB of the invocation's log, when asked for. */
  logTail: string | undefined;
  requestId: string;
  executedVersion: string;
  durationMs: number;
  billedDurationMs: number;
  /** 0 unless this call opened the environment it ran in. */
  initDurationMs: number;
  memorySizeMb: number;
  maxMemoryUsedMb: number;
}

export interface FunctionUsage {
  requests: number;
  /** Function errors, timeouts included. */
  errors: number;
  timeouts: number;
  throttles: number;
  coldStarts: number;
  gbSeconds: number;
}

export interface GatewayStatus {
  opening: number;
  idle: number;
  busy: number;
  /** Told to stop, not stopped yet. */
  interrupting: number;
  /** Cannot be stopped; their threads run on. */
  abandoned: number;
  inFlight: number;
  /** Answers that came after the caller had his; ignored. */
  lateCompletions: number;
}

export interface HostReport {
  language: string;
  pluginPath: string;
  interpreterVersion: string;
  interpreterPath: string;
  available: boolean;
  /** Cause and remedy when not available. */
  problem: string;
}

/**
 * Holds functions and takes invocations. Functions run on threads of their own, never on this one.
 *
 * Every promise is rejected with a `LambedError`, or a `TypeError` where an argument has the wrong type. A gateway that is
 * idle keeps no process alive; at the end of the process, or of its worker thread, it is closed.
 */
export declare class Gateway {
  constructor(options?: GatewayOptions);

  createFunction(request: CreateFunctionRequest): Promise<FunctionConfiguration>;
  getFunctionConfiguration(name: string, qualifier?: string): Promise<FunctionConfiguration>;
  updateFunctionCode(request: UpdateFunctionCodeRequest): Promise<FunctionConfiguration>;
  updateFunctionConfiguration(request: UpdateFunctionConfigurationRequest): Promise<FunctionConfiguration>;
  listFunctions(): Promise<FunctionConfiguration[]>;
  /** With a qualifier that version only. Invocations already admitted are finished. */
  deleteFunction(name: string, qualifier?: string): Promise<void>;

  publishVersion(request: string | PublishVersionRequest): Promise<FunctionConfiguration>;
  listVersions(name: string): Promise<FunctionConfiguration[]>;
  createAlias(request: CreateAliasRequest): Promise<AliasConfiguration>;
  updateAlias(request: UpdateAliasRequest): Promise<AliasConfiguration>;
  getAlias(name: string, alias: string): Promise<AliasConfiguration>;
  listAliases(name: string): Promise<AliasConfiguration[]>;
  deleteAlias(name: string, alias: string): Promise<void>;

  /** Reserved concurrency; 0 blocks every invocation. */
  putFunctionConcurrency(name: string, reserved: number): Promise<void>;
  getFunctionConcurrency(name: string): Promise<number | undefined>;
  deleteFunctionConcurrency(name: string): Promise<void>;
  /** Keeps so many environments of a version or alias open; 0 removes the setting. */
  putProvisionedConcurrency(name: string, qualifier: string, environments: number): Promise<void>;

  putFunctionEventInvokeConfig(request: EventInvokeRequest): Promise<EventInvokeConfiguration>;
  updateFunctionEventInvokeConfig(request: EventInvokeRequest): Promise<EventInvokeConfiguration>;
  /** ResourceNotFoundException when nothing was said about it. */
  getFunctionEventInvokeConfig(name: string, qualifier?: string): Promise<EventInvokeConfiguration>;
  deleteFunctionEventInvokeConfig(name: string, qualifier?: string): Promise<void>;
  listFunctionEventInvokeConfigs(name: string): Promise<EventInvokeConfiguration[]>;

  /**
   * What was sent to `lambed:local`, without payloads, oldest first, 100 by default; `after` is the id that the page before ended
   * with. The table is in memory: at most 10,000 letters with 64 MB.
   */
  listDeadLetters(query?: { function?: string; after?: string; limit?: number }): Promise<DeadLetter[]>;
  getDeadLetter(id: string): Promise<DeadLetter>;
  /** Sends the events again, as they were called, and takes out of the table what was accepted. Successes are left alone. */
  redriveDeadLetters(selection?: DeadLetterSelection): Promise<Redrive>;
  /** How many there were. */
  purgeDeadLetters(selection?: DeadLetterSelection): Promise<number>;

  /**
   * Runs a function. The event is anything that JSON can hold; without one it is `{}`.
   * @param name a name, `name:qualifier`, or an ARN
   */
  invoke<Payload = any>(name: string, event?: unknown, options?: InvokeOptions): Promise<InvokeResult<Payload>>;
  /** The same without parsing: JSON text (a string or its bytes) in, the answer's bytes out. */
  invokeRaw(name: string, payload?: string | Uint8Array | ArrayBuffer, options?: InvokeOptions): Promise<InvokeResult<Buffer>>;

  /** What is known of an event; rejects with a ResourceNotFoundException when it is not known (any more). */
  eventStatus(requestId: string): Promise<EventStatus>;
  eventCounts(): Promise<EventCounts>;

  usage(name: string): Promise<FunctionUsage>;
  status(): GatewayStatus;
  /** The records kept by `log: 'memory'`, oldest first; of one function when a name is given. */
  logs(name?: string): LogRecord[];
  clearLogs(): void;

  /** Refuses new invocations, answers those in flight (GatewayClosed), closes all environments. Idempotent. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /** Which languages can run. `probe` (the default) starts every interpreter once to see whether it works. */
  static hosts(options?: { probe?: boolean }): Promise<HostReport[]>;
}

/** An invocation error: the call never reached the handler. In the shape of the AWS SDK's exceptions. */
export declare class LambedError extends Error {
  readonly name: string;
  readonly $fault: 'client' | 'server';
  readonly $metadata: { httpStatusCode: number; requestId?: string };
  readonly Type?: 'User' | 'Service';
  /** Of a throttle, machine-readable. */
  readonly Reason?: string;
}
export declare class ValidationException extends LambedError {
  readonly name: 'ValidationException';
}
export declare class InvalidParameterValueException extends LambedError {
  readonly name: 'InvalidParameterValueException';
}
export declare class InvalidRequestContentException extends LambedError {
  readonly name: 'InvalidRequestContentException';
}
export declare class CodeStorageExceededException extends LambedError {
  readonly name: 'CodeStorageExceededException';
}
export declare class PolicyLengthExceededException extends LambedError {
  readonly name: 'PolicyLengthExceededException';
}
export declare class AccessDeniedException extends LambedError {
  readonly name: 'AccessDeniedException';
}
export declare class ResourceNotFoundException extends LambedError {
  readonly name: 'ResourceNotFoundException';
}
export declare class ResourceConflictException extends LambedError {
  readonly name: 'ResourceConflictException';
}
export declare class ResourceInUseException extends LambedError {
  readonly name: 'ResourceInUseException';
}
export declare class ResourceNotReadyException extends LambedError {
  readonly name: 'ResourceNotReadyException';
}
export declare class PreconditionFailedException extends LambedError {
  readonly name: 'PreconditionFailedException';
}
export declare class ProvisionedConcurrencyConfigNotFoundException extends LambedError {
  readonly name: 'ProvisionedConcurrencyConfigNotFoundException';
}
export declare class RequestTooLargeException extends LambedError {
  readonly name: 'RequestTooLargeException';
}
export declare class RequestEntityTooLargeException extends LambedError {
  readonly name: 'RequestEntityTooLargeException';
}
export declare class UnsupportedMediaTypeException extends LambedError {
  readonly name: 'UnsupportedMediaTypeException';
}
export declare class TooManyRequestsException extends LambedError {
  readonly name: 'TooManyRequestsException';
}
export declare class ServiceException extends LambedError {
  readonly name: 'ServiceException';
}
export declare class OperationNotSupportedException extends LambedError {
  readonly name: 'OperationNotSupportedException';
}
export declare class InvalidRuntimeException extends LambedError {
  readonly name: 'InvalidRuntimeException';
}
export declare class InvalidZipFileException extends LambedError {
  readonly name: 'InvalidZipFileException';
}
export declare class SubnetIPAddressLimitReachedException extends LambedError {
  readonly name: 'SubnetIPAddressLimitReachedException';
}
export declare class HostUnavailable extends LambedError {
  readonly name: 'HostUnavailable';
}
export declare class GatewayClosed extends LambedError {
  readonly name: 'GatewayClosed';
}

/** Of this package. */
export declare const version: string;
