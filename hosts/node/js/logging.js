// console.* in Lambda's formats, process.stdout and stderr as raw streams. Evaluates to (builtin, process, native, settings, errors) => exports.
(function makeLogging(builtin, process, native, settings, errors) {
  'use strict';
  const { format } = builtin('util');
  const kStdout = 1;
  const kStderr = 2;
  const kLog = 3;
  const levels = { TRACE: 1, DEBUG: 2, INFO: 3, WARN: 4, ERROR: 5, FATAL: 6 };
  // Lambda filters by level only where the log format is JSON.
  const least = settings.jsonLogs ? (levels[settings.variables.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()] ?? 1) : 1;
  let requestId;

  function jsonRecord(level, parameters) {
    const record = { timestamp: new Date().toISOString(), level, requestId };
    const error = parameters.find((parameter) => errors.isError(parameter));
    const single = parameters.length === 1 ? parameters[0] : undefined;
    const message =
      single !== undefined && typeof single === 'object' && single !== error ? single : format(...parameters);
    record.message = message;
    if (error !== undefined) {
      record.errorType = error.name;
      record.errorMessage = error.message;
      record.stackTrace = typeof error.stack === 'string' ? error.stack.split('\n').slice(1).map((line) => line.trim()) : [];
    }
    try {
      return JSON.stringify(record);
    } catch {
      record.message = format(...parameters); // circular objects and BigInt
      return JSON.stringify(record);
    }
  }

  function log(level, parameters) {
    if (levels[level] < least) return;
    const line = settings.jsonLogs
      ? jsonRecord(level, parameters)
      : `${new Date().toISOString()}\t${requestId}\t${level}\t${format(...parameters)}`;
    native.log(kLog, `${line}\n`);
  }

  function logError(title, error) {
    if (settings.jsonLogs) {
      log('ERROR', errors.isError(error) ? [title, error] : [title, errors.document(error)]);
    } else {
      native.log(kLog, `${new Date().toISOString()}\t${requestId}\tERROR\t${title} \t${errors.logText(error)}\n`);
    }
  }

  for (const [method, level] of Object.entries({
    log: 'INFO',
    info: 'INFO',
    debug: 'DEBUG',
    trace: 'TRACE',
    warn: 'WARN',
    error: 'ERROR',
    fatal: 'FATAL',
  })) {
    console[method] = (...parameters) => log(level, parameters);
  }

  // The streams of node would write to the application's own descriptors.
  function rawStream(name, stream) {
    let writable;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get() {
        if (writable === undefined) {
          const { Writable } = builtin('stream');
          writable = new Writable({
            decodeStrings: false,
            write(chunk, encoding, done) {
              native.log(stream, typeof chunk === 'string' && encoding !== 'utf8' ? Buffer.from(chunk, encoding) : chunk);
              done();
            },
          });
          writable.fd = stream;
          writable._type = 'pipe';
          writable.destroySoon = writable.destroy;
          writable._destroy = (error, done) => done(error);
        }
        return writable;
      },
    });
  }
  rawStream('stdout', kStdout);
  rawStream('stderr', kStderr);
  process._rawDebug = (...parameters) => native.log(kStderr, `${format(...parameters)}\n`);

  return {
    logError,
    setRequestId(id) {
      requestId = id;
    },
  };
})
