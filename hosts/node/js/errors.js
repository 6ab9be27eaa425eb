// Lambda's error documents and the classes behind the `Runtime.*` names. Evaluates to (builtin) => exports.
(function makeErrors(builtin) {
  'use strict';
  const { types } = builtin('util');

  // The message of the wrapped reason is kept in words: "Error: Cannot find module 'x'".
  class RuntimeError extends Error {
    constructor(type, reason) {
      super(reason instanceof Error ? String(reason) : reason);
      this.name = `Runtime.${type}`;
      if (reason instanceof Error && typeof reason.stack === 'string') {
        const frames = reason.stack.indexOf('\n    at ');
        this.stack = `${this.name}: ${this.message}${frames < 0 ? '' : reason.stack.slice(frames)}`;
      } else {
        Error.captureStackTrace(this, RuntimeError);
      }
    }
  }

  class UnhandledPromiseRejection extends RuntimeError {
    constructor(reason, promise) {
      super('UnhandledPromiseRejection', typeof reason === 'symbol' ? String(reason) : reason);
      this.reason = reason;
      this.promise = promise;
    }
  }

  // Errors of other contexts (vm, structured clones) are not `instanceof Error`.
  function isError(value) {
    return (
      types.isNativeError(value) ||
      (typeof value === 'object' &&
        value !== null &&
        'name' in value &&
        'message' in value &&
        'stack' in value)
    );
  }

  const text = (value) => (value === undefined || value === null ? value : String(value));

  // What the caller gets: { errorType, errorMessage, trace }.
  function document(error) {
    try {
      if (isError(error)) {
        return {
          errorType: text(error.name),
          errorMessage: text(error.message),
          trace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
        };
      }
      return { errorType: typeof error, errorMessage: String(error), trace: [] };
    } catch {
      return {
        errorType: 'handled',
        errorMessage:
          'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
      };
    }
  }

  // What the log gets: the document's fields and whatever else the error carries.
  function logRecord(error) {
    if (!isError(error)) return error;
    const record = { errorType: text(error.name) ?? 'UnknownError', errorMessage: text(error.message) };
    for (const key of Object.keys(error)) {
      if (key !== 'name' && key !== 'message' && key !== 'stack') record[key] = error[key];
    }
    if (error.cause !== undefined) record.cause = error.cause;
    record.stack = typeof error.stack === 'string' ? error.stack.split('\n') : [];
    return record;
  }

  function logText(error) {
    const seen = new Set();
    try {
      return JSON.stringify(isError(error) ? logRecord(error) : document(error), (_key, value) => {
        if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') {
          return String(value);
        }
        if (typeof value !== 'object' || value === null) return value;
        if (seen.has(value)) return '[Circular]';
        seen.add(value);
        return isError(value) ? logRecord(value) : value;
      });
    } catch (failure) {
      return JSON.stringify({ errorType: 'Error', errorMessage: `unprintable error: ${document(failure).errorMessage}` });
    }
  }

  return { RuntimeError, UnhandledPromiseRejection, isError, document, logText };
})
