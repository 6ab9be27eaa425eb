'use strict';
// The Gateway class. index.d.cts documents every method.
const path = require('node:path');
const { fileURLToPath } = require('node:url');
const { native } = require('./native.cjs');
const { asError, logReceivers, outcomeReceivers, submit, watchExit } = require('./completions.cjs');

const invocationTypes = { RequestResponse: 0, Event: 1, DryRun: 2 };
let lastId = 0;

function typeOf(options) {
  if (options?.invocationType === undefined) return 0;
  const type = invocationTypes[options.invocationType];
  if (type === undefined) throw new TypeError("invocationType must be 'RequestResponse', 'Event' or 'DryRun'");
  return type;
}

const folderOf = (place) => path.resolve(place instanceof URL ? fileURLToPath(place) : String(place));

// A folder (path or file: URL), { zip }, { inline } or { directory }.
function codeOf(code) {
  if (typeof code === 'string' || code instanceof URL) return { directory: folderOf(code) };
  if (typeof code === 'object' && code !== null) {
    if (code.directory !== undefined) return { directory: folderOf(code.directory) };
    if (typeof code.inline === 'string') return { inline: code.inline };
    if (code.zip instanceof Uint8Array || code.zip instanceof ArrayBuffer) return { zip: code.zip };
  }
  throw new TypeError('code must be the path of a folder, { zip: Uint8Array } or { inline: string }');
}

function withPlaces(request) {
  if (typeof request !== 'object' || request === null) throw new TypeError('the argument must be an object');
  const resolved = { ...request };
  if (request.code !== undefined) resolved.code = codeOf(request.code);
  if (Array.isArray(request.layers)) resolved.layers = request.layers.map(folderOf);
  return resolved;
}

// What a payload's bytes say, where they are JSON.
function valueOf(bytes) {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return bytes;
  }
}

function asDeadLetter({ responseIsBinary, ...letter }) {
  letter.requestPayload = valueOf(letter.requestPayload);
  if (!responseIsBinary) letter.responsePayload = valueOf(letter.responsePayload);
  return letter;
}

class Gateway {
  #native;
  #id;
  #keepsLog;
  #closing;

  constructor(options = {}) {
    const { log = 'stderr', onEventSuccess, onEventFailure, networks, ...others } = options;
    const rest = networks ? { ...others, networks: JSON.stringify(networks) } : others;
    const isCallback = typeof log === 'function';
    if (!isCallback && !['stderr', 'memory', 'none'].includes(log)) {
      throw new TypeError("log must be 'stderr', 'memory', 'none' or a function");
    }
    for (const [name, hook] of Object.entries({ onEventSuccess, onEventFailure })) {
      if (hook !== undefined && typeof hook !== 'function') throw new TypeError(`${name} must be a function`);
    }
    const hasHooks = onEventSuccess !== undefined || onEventFailure !== undefined;
    this.#id = lastId += 1;
    this.#keepsLog = log === 'memory';
    if (isCallback) logReceivers.set(this.#id, log);
    if (hasHooks) {
      outcomeReceivers.set(this.#id, (outcome) => {
        outcome.payload = valueOf(outcome.payload);
        (outcome.state === 'Succeeded' ? onEventSuccess : onEventFailure)?.(outcome);
      });
    }
    try {
      this.#native = new native.NativeGateway(rest, isCallback ? 'callback' : log, this.#id, hasHooks);
    } catch (error) {
      logReceivers.delete(this.#id);
      outcomeReceivers.delete(this.#id);
      throw asError(error);
    }
    watchExit();
  }

  static hosts({ probe = true } = {}) {
    return native.hosts(probe);
  }

  async #call(method, ...args) {
    try {
      return await this.#native[method](...args);
    } catch (error) {
      throw asError(error);
    }
  }

  // ---- Functions
  async createFunction(request) {
    return this.#call('createFunction', withPlaces(request));
  }
  async getFunctionConfiguration(name, qualifier) {
    return this.#call('getFunctionConfiguration', name, qualifier);
  }
  async updateFunctionCode(request) {
    return this.#call('updateFunctionCode', withPlaces(request));
  }
  async updateFunctionConfiguration(request) {
    return this.#call('updateFunctionConfiguration', withPlaces(request));
  }
  async listFunctions() {
    return this.#call('listFunctions');
  }
  async deleteFunction(name, qualifier) {
    await this.#call('deleteFunction', name, qualifier);
  }

  // ---- Versions and aliases
  async publishVersion(request) {
    return this.#call('publishVersion', typeof request === 'string' ? { name: request } : request);
  }
  async listVersions(name) {
    return this.#call('listVersions', name);
  }
  async createAlias(request) {
    return this.#call('createAlias', request);
  }
  async updateAlias(request) {
    return this.#call('updateAlias', request);
  }
  async getAlias(name, alias) {
    return this.#call('getAlias', name, alias);
  }
  async listAliases(name) {
    return this.#call('listAliases', name);
  }
  async deleteAlias(name, alias) {
    await this.#call('deleteAlias', name, alias);
  }

  // ---- Concurrency
  async putFunctionConcurrency(name, reserved) {
    await this.#call('putFunctionConcurrency', name, reserved);
  }
  async getFunctionConcurrency(name) {
    return this.#call('getFunctionConcurrency', name);
  }
  async deleteFunctionConcurrency(name) {
    await this.#call('deleteFunctionConcurrency', name);
  }
  async putProvisionedConcurrency(name, qualifier, environments) {
    await this.#call('putProvisionedConcurrency', name, qualifier, environments);
  }

  // ---- What becomes of events
  async putFunctionEventInvokeConfig(request) {
    return this.#call('putFunctionEventInvokeConfig', request);
  }
  async updateFunctionEventInvokeConfig(request) {
    return this.#call('updateFunctionEventInvokeConfig', request);
  }
  async getFunctionEventInvokeConfig(name, qualifier) {
    return this.#call('getFunctionEventInvokeConfig', name, qualifier);
  }
  async deleteFunctionEventInvokeConfig(name, qualifier) {
    await this.#call('deleteFunctionEventInvokeConfig', name, qualifier);
  }
  async listFunctionEventInvokeConfigs(name) {
    return this.#call('listFunctionEventInvokeConfigs', name);
  }

  // ---- Dead letters
  async listDeadLetters(query) {
    return (await this.#call('listDeadLetters', query)).map(asDeadLetter);
  }
  async getDeadLetter(id) {
    return asDeadLetter(await this.#call('getDeadLetter', id));
  }
  async redriveDeadLetters(selection) {
    if (selection?.ids?.length === 0) return { redriven: 0, failed: 0, failures: [] };
    return this.#call('redriveDeadLetters', selection);
  }
  async purgeDeadLetters(selection) {
    if (selection?.ids?.length === 0) return 0;
    return this.#call('purgeDeadLetters', selection);
  }

  // ---- Invocations
  async invoke(name, event, options) {
    const payload = event === undefined ? undefined : JSON.stringify(event);
    try {
      return await submit(this, this.#native, name, payload, false, options, typeOf(options));
    } catch (error) {
      throw asError(error);
    }
  }
  async invokeRaw(name, payload, options) {
    try {
      return await submit(this, this.#native, name, payload, true, options, typeOf(options));
    } catch (error) {
      throw asError(error);
    }
  }

  // ---- Asynchronous invocations
  async eventStatus(requestId) {
    return this.#call('eventStatus', requestId);
  }
  async eventCounts() {
    return this.#call('eventCounts');
  }

  // ---- Observation
  async usage(name) {
    return this.#call('usage', name);
  }
  status() {
    return this.#native.status();
  }
  logs(name) {
    if (!this.#keepsLog) throw new Error("logs() needs a gateway that keeps them: new Gateway({ log: 'memory' })");
    return this.#native.logs(name);
  }
  clearLogs() {
    this.#native.clearLogs();
  }

  close() {
    this.#closing ??= this.#native.close().finally(() => {
      // What is on its way from other threads comes first.
      setImmediate(() => {
        logReceivers.delete(this.#id);
        outcomeReceivers.delete(this.#id);
      });
    });
    return this.#closing;
  }
}

// Symbol.asyncDispose is there from node 20 on; older ones get what TypeScript's `await using` looks for.
const asyncDispose = Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
Object.defineProperty(Gateway.prototype, asyncDispose, {
  configurable: true,
  writable: true,
  value() {
    return this.close();
  },
});

module.exports = { Gateway };
