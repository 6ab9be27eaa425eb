// The life of an environment as JavaScript sees it: set up, load the handler, run invocations. The host compiles every file of this
// folder and passes the results in `parts`; it calls the functions returned here. Evaluates to (parts, builtin, process, native, settings) => driver.
(function drive(parts, builtin, process, native, settings) {
  'use strict';
  // Captured before the function's code can replace them.
  const { parse, stringify } = JSON;
  const { now } = Date;
  const kStreaming = Symbol.for('aws.lambda.runtime.handler.streaming');

  const errors = parts.errors(builtin);
  const logging = parts.logging(builtin, process, native, settings, errors);
  const builtins = parts.builtins(builtin, process);
  // The process of a worker is the function's own: nothing is contained.
  if (!settings.isWorker) parts.containment(builtin, process, native, settings, builtins);
  parts.children(builtin, process, native, settings, builtins);
  if (settings.isWorker) process.argv = [process.execPath, builtin('path').join(settings.taskRoot, 'index.js')];
  else parts.webassembly(native, settings);
  const modules = parts.modules(builtin, settings, errors, builtins);
  if (/--enable-source-maps\b/.test(settings.variables.NODE_OPTIONS ?? '')) process.setSourceMapsEnabled(true);

  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[kStreaming] = 'response';
      if (typeof options?.highWaterMark === 'number') handler[Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')] = options.highWaterMark;
      return handler;
    },
    HttpResponseStream: { from: (stream) => stream },
  };

  // [document, type]: what the caller gets. The log gets a line in Lambda's words.
  function report(title, error) {
    logging.logError(title, error);
    const document = errors.document(error);
    return [stringify(document), document.errorType ?? ''];
  }

  process.on('uncaughtException', (error) => native.fatal(...report('Uncaught Exception', error)));
  process.on('unhandledRejection', (reason, promise) =>
    native.fatal(...report('Unhandled Promise Rejection', new errors.UnhandledPromiseRejection(reason, promise))));

  let handler;
  const { functionName, logGroupName, logStreamName } = settings;
  const memoryLimitInMB = settings.memoryLimitInMB;

  async function load() {
    const loaded = await modules.loadHandler();
    if (loaded[kStreaming] !== undefined) {
      native.refuse(
        `${settings.handler} uses awslambda.streamifyResponse, and response streaming is not supported yet. Export a handler that returns its response.`,
      );
      return;
    }
    handler = loaded;
  }

  function serialise(value) {
    let text;
    try {
      text = stringify(value === undefined ? null : value);
    } catch {
      throw new Error('Unable to stringify response body');
    }
    return text ?? 'null';
  }

  // The number of the invocation that runs and is not answered yet: a late callback is told by it.
  let current;
  let calls = 0;

  const isFailure = (error) => error !== undefined && error !== null;

  // Runs the handler. The host looks at what it returned: a promise is awaited, anything else waits for the callback or for an empty
  // event loop, as Lambda does.
  function invoke(text, awsRequestId, deadline, invokedFunctionArn, functionVersion, clientContext, identity, traceId, tenantId) {
    const call = ++calls;
    current = call;
    logging.setRequestId(awsRequestId);
    if (traceId !== undefined) process.env._X_AMZN_TRACE_ID = traceId;
    const succeed = (value, waits) => {
      if (call !== current) return;
      let body;
      try {
        body = serialise(value);
      } catch (error) {
        fail(error);
        return;
      }
      current = undefined;
      native.succeed(body, waits);
    };
    const fail = (error) => {
      if (call !== current) return;
      current = undefined;
      native.fail(...report('Invoke Error', error));
    };
    const context = {
      callbackWaitsForEmptyEventLoop: true,
      succeed: (value) => succeed(value, false),
      fail: (error) => fail(error ?? 'handled'),
      done: (error, value) => (isFailure(error) ? fail(error) : succeed(value, false)),
      functionVersion,
      functionName,
      memoryLimitInMB,
      logGroupName,
      logStreamName,
      clientContext: clientContext === undefined ? undefined : parse(clientContext),
      identity: identity === undefined ? undefined : parse(identity),
      invokedFunctionArn,
      awsRequestId,
      getRemainingTimeInMillis: () => deadline - now(),
    };
    if (tenantId !== undefined) context.tenantId = tenantId;
    return handler(parse(text), context, (error, value) =>
      isFailure(error) ? fail(error) : succeed(value, context.callbackWaitsForEmptyEventLoop));
  }

  return {
    load,
    invoke,
    // For objects that only look like promises.
    adopt: (value) => (typeof value?.then === 'function' ? Promise.resolve(value) : undefined),
    // The answer to an invocation (or the end of init) that threw or rejected.
    failed: (error, duringInit) => report(duringInit ? 'Uncaught Exception' : 'Invoke Error', error),
    unserialisable: () => report('Invoke Error', new Error('Unable to stringify response body')),
    ended: () =>
      report('Invoke Error', new errors.RuntimeError('NodeJsExit', 'The Lambda runtime client detected an unexpected Node.js exit.')),
    clearTrace() {
      delete process.env._X_AMZN_TRACE_ID;
    },
    versions: () => [process.versions.node, process.versions.modules],
  };
})
