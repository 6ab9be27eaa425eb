'use strict';
// The error classes: one for each row of lambed's error table, in the shape of the AWS SDK's exceptions.

// What every invocation error is an instance of. `$fault` says whose fault it is, `Reason` the machine-readable reason of a
// throttle ("ReservedFunctionConcurrentInvocationLimitExceeded").
class LambedError extends Error {
  /**
   * @param {string} message
   * @param {{ name?: string, status?: number, type?: string, reason?: string, requestId?: string }} [details]
   */
  constructor(message, { name, status = 500, type, reason, requestId } = {}) {
    super(message);
    Object.defineProperty(this, 'name', { value: name ?? new.target.name, configurable: true, writable: true });
    this.$fault = status < 500 ? 'client' : 'server';
    this.$metadata = { httpStatusCode: status };
    if (requestId) this.$metadata.requestId = requestId;
    if (type) this.Type = type;
    if (reason) this.Reason = reason;
  }
}

// { ResourceNotFoundException: class, ... } from [[name, status, type], ...]
function errorClasses(table) {
  const classes = {};
  for (const [name, status, type] of table) {
    classes[name] = class extends LambedError {
      constructor(message, details = {}) {
        super(message, { ...details, name, status, type });
      }
    };
    Object.defineProperty(classes[name], 'name', { value: name });
  }
  return classes;
}

module.exports = { LambedError, errorClasses };
