// Modules of node's that a function gets with changes, and that are dear to load (child_process and worker_threads, v8, ...): they
// are loaded and changed when the function first asks for them, not at every start. Evaluates to (builtin, process) => exports.
(function makeBuiltins(builtin, process) {
  'use strict';
  const Module = builtin('module');
  const known = new Set(Module.builtinModules);
  const pending = new Map(); // name -> patch(exports)

  // These lead to no other module's changes past Module._load, as cluster does, which starts children by itself. For any
  // other of node's modules all changes are made.
  const harmless = new Set(
    ('assert async_hooks buffer console constants crypto dgram diagnostics_channel dns dns/promises events fs http http2 https ' +
      'module net os path path/posix path/win32 perf_hooks process punycode querystring readline readline/promises stream ' +
      'stream/consumers stream/promises stream/web string_decoder sys timers timers/promises tls tty url util util/types zlib').split(' '),
  );

  function contain(name) {
    const patch = pending.get(name);
    if (patch === undefined) return;
    pending.delete(name);
    patch(builtin(name));
    Module.syncBuiltinESMExports();
  }

  function containAll() {
    for (const name of [...pending.keys()]) contain(name);
  }

  function prepare(request) {
    if (pending.size === 0 || typeof request !== 'string') return;
    const hasScheme = request.startsWith('node:');
    const name = hasScheme ? request.slice(5) : request;
    if (pending.has(name)) contain(name);
    else if ((hasScheme || known.has(name)) && !harmless.has(name)) containAll();
  }

  const { _load } = Module;
  Module._load = function (request, parent, isMain) {
    prepare(request);
    return _load.call(this, request, parent, isMain);
  };
  const { getBuiltinModule } = process;
  if (typeof getBuiltinModule === 'function') {
    process.getBuiltinModule = (name) => {
      prepare(name);
      return getBuiltinModule.call(process, name);
    };
  }

  // What ES modules import does not pass through Module._load: the changes are made before there can be one, which is when
  // code is compiled that could import one.
  const { _compile } = Module.prototype;
  Module.prototype._compile = function (content, ...rest) {
    if (pending.size > 0 && /\bimport\b/.test(content)) containAll();
    return _compile.call(this, content, ...rest);
  };
  const loadModule = Module._extensions['.mjs'];
  if (typeof loadModule === 'function') {
    Module._extensions['.mjs'] = function (module, file) {
      containAll();
      return loadModule.call(this, module, file);
    };
  }

  return {
    // The patch is made once, before the function first sees the module.
    whenAskedFor(name, patch) {
      pending.set(name, patch);
    },
    contain,
    containAll,
    // Without looking at the code: for the host's own.
    compile: (module, content, file) => _compile.call(module, content, file),
  };
})
