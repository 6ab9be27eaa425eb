'use strict';
// Promises of invocations in flight, and what comes back for them from other threads.
const { isMainThread } = require('node:worker_threads');
const { native } = require('./native.cjs');
const { LambedError, errorClasses } = require('./errors.cjs');

const classes = errorClasses(native.errorTable);

// An error as the addon has it. It becomes an Error only where a caller awaits it, whose stack that Error then has.
class Failure {
  constructor(name, message, reason) {
    this.name = name;
    this.message = message;
    this.reason = reason;
  }
}

function asError(reason) {
  if (!(reason instanceof Failure)) return reason;
  const ErrorClass = classes[reason.name] ?? LambedError;
  return new ErrorClass(reason.message, reason);
}

class InvokeResult {
  constructor(payload, numbers, at, requestId, executedVersion, extras) {
    this.payload = payload;
    this.statusCode = numbers[at + 1];
    this.functionError = extras?.functionError;
    this.logTail = extras?.logTail === undefined ? undefined : Buffer.from(extras.logTail, 'base64').toString();
    this.requestId = requestId;
    this.executedVersion = executedVersion;
    this.durationMs = numbers[at + 3];
    this.billedDurationMs = numbers[at + 4];
    this.initDurationMs = numbers[at + 5];
    this.memorySizeMb = numbers[at + 6];
    this.maxMemoryUsedMb = numbers[at + 7];
  }
}

// As bindings/node/mailbox.cc writes them.
const kNumbers = 8;
const kValues = 4;
const kIsBytes = 2;
const kIsError = 4;
const numbers = new Float64Array(256 * kNumbers);

// Slot -> what waits. A free slot holds the number of the next free one.
const slots = [];
let firstFree = -1;
let waiting = 0;

// While somebody waits, node's event loop stays alive; an idle gateway keeps nothing alive.
function hold() {
  if (waiting++ === 0) native.hold();
}
function letGo() {
  if (--waiting === 0) native.release();
}

class Waiting {
  constructor(gateway, isRaw, resolve, reject) {
    this.gateway = gateway; // not collected meanwhile
    this.isRaw = isRaw;
    this.resolve = resolve;
    this.reject = reject;
    this.stopListening = undefined;
  }
}

function take(slot) {
  const waiter = slots[slot];
  slots[slot] = firstFree;
  firstFree = slot;
  return waiter;
}

function submit(gateway, handle, name, payload, isRaw, options, type) {
  return new Promise((resolve, reject) => {
    const signal = options?.signal;
    signal?.throwIfAborted();
    const waiter = new Waiting(gateway, isRaw, resolve, reject);
    let slot = firstFree;
    if (slot === -1) slot = slots.length;
    else firstFree = slots[slot];
    slots[slot] = waiter;
    try {
      if (options === undefined) {
        handle.invoke(slot, name, payload, undefined, isRaw, false, type, undefined);
      } else {
        handle.invoke(slot, name, payload, options.qualifier, isRaw, options.logTail === true, type, rareOf(options));
      }
    } catch (error) {
      take(slot);
      throw error;
    }
    hold();
    if (signal !== undefined) stopAtAbort(signal, waiter);
  });
}

const rareNames = ['traceId', 'tenantId', 'requestId'];
function rareOf(options) {
  let rare;
  for (const name of rareNames) {
    if (options[name] !== undefined) (rare ??= {})[name] = options[name];
  }
  for (const name of ['clientContext', 'cognitoIdentity']) {
    const value = options[name];
    if (value !== undefined) (rare ??= {})[name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return rare;
}

// The caller stops waiting. Lambda has no way to stop an invocation, and neither have we: its answer is dropped.
function stopAtAbort(signal, waiter) {
  const onAbort = () => {
    waiter.stopListening = undefined;
    waiter.resolve = undefined;
    waiter.reject(signal.reason);
    letGo();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  waiter.stopListening = () => signal.removeEventListener('abort', onAbort);
}

function settle(waiter, values, at, flags, index) {
  const requestId = values[index + 1];
  const extras = values[index + 3];
  if (flags & kIsError) {
    waiter.reject(Object.assign(new Failure(extras.name, extras.message, extras.reason), { requestId }));
    return;
  }
  let payload = values[index];
  if (!waiter.isRaw && !(flags & kIsBytes)) {
    if (payload === '') {
      payload = undefined; // Event, DryRun
    } else {
      try {
        payload = JSON.parse(payload);
      } catch (error) {
        waiter.reject(new SyntaxError(`the function's answer is not JSON; invokeRaw returns its bytes: ${error.message}`, { cause: error }));
        return;
      }
    }
  }
  waiter.resolve(new InvokeResult(payload, numbers, at, requestId, values[index + 2], extras));
}

function deliver(values, count) {
  for (let i = 0; i < count; i += 1) {
    const at = i * kNumbers;
    const waiter = take(numbers[at]);
    if (waiter.resolve === undefined) continue; // aborted
    waiter.stopListening?.();
    letGo();
    settle(waiter, values, at, numbers[at + 2], i * kValues);
  }
}

// Gateways with a callback for their log.
const logReceivers = new Map();

function deliverLogs(records) {
  for (const { gateway, ...record } of records) {
    try {
      logReceivers.get(gateway)?.(record);
    } catch (error) {
      // The application's uncaught exception; thrown from here, node would only print a warning.
      process.nextTick(() => {
        throw error;
      });
    }
  }
}

// Gateways with hooks for their events: what is called with an outcome.
const outcomeReceivers = new Map();

function deliverOutcomes(outcomes) {
  for (const { gateway, ...outcome } of outcomes) {
    try {
      outcomeReceivers.get(gateway)?.(outcome);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }
}

native.start(deliver, deliverLogs, deliverOutcomes, (name, message, reason) => new Failure(name, message, reason), numbers);

// process.exit runs no clean-up hook of Node-API, and node ends V8 whoever still runs in it. When handlers could not be stopped,
// the process must end before that.
function closeAtExit(status) {
  if (native.closeAll() && isMainThread) native.endBeforeV8(Number(process.exitCode ?? status));
}

function watchExit() {
  if (!process.rawListeners('exit').includes(closeAtExit)) process.on('exit', closeAtExit);
}

module.exports = { InvokeResult, LambedError, asError, classes, logReceivers, outcomeReceivers, submit, watchExit };
