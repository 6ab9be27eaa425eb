'use strict';
// Helpers for testing Lambda handlers with node:test; testing.d.cts documents them.
const assert = require('node:assert/strict');
const { Gateway } = require('./index.cjs');

// A gateway that is closed at the end of the test, and whose log is shown when the test fails.
function testGateway(t, options = {}) {
  const keepsLog = options.log === undefined;
  const gateway = new Gateway({ ...options, log: options.log ?? 'memory' });
  t.after(async () => {
    if (keepsLog && t.passed === false) for (const { text } of gateway.logs()) t.diagnostic(text.trimEnd());
    await gateway.close();
  });
  return gateway;
}

// A function to be called with an event and a context's options: resolves to the handler's answer.
async function testHandler(t, handler) {
  const { gateway = testGateway(t), name = 'handler', ...request } = handler;
  await gateway.createFunction({ name, ...request });
  return async (event, options) => {
    const result = await gateway.invoke(name, event, { ...options, logTail: true });
    if (result.functionError === undefined) return result.payload;
    throw new HandlerError(result);
  };
}

// What the handler failed with, in the words of its runtime.
class HandlerError extends Error {
  constructor(result) {
    const { errorMessage = 'the handler failed', errorType = 'Error', stackTrace, trace } = result.payload ?? {};
    super(errorMessage);
    this.name = 'HandlerError';
    this.errorType = errorType;
    this.trace = trace ?? stackTrace ?? [];
    this.result = result;
  }
}

function assertSucceeded(result) {
  assert.equal(result.functionError, undefined, `the function failed: ${JSON.stringify(result.payload)}\n${result.logTail ?? ''}`);
}

module.exports = { HandlerError, assertSucceeded, testGateway, testHandler };
