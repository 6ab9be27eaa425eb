// Child processes and worker threads: they see the function's variables and folder, and neither the application's nor its
// descriptors. Evaluates to (builtin, process, native, settings, builtins) => undefined.
(function containChildren(builtin, process, native, settings, builtins) {
  'use strict';
  const fs = builtin('fs');
  const path = builtin('path');

  // The executable of this process is the application, lambed's own or, in some workers, a node. child_process.fork() would start a second one.
  const findNode = () => {
    const folders = (process.env.PATH ?? '').split(path.delimiter).concat('/usr/local/bin', '/usr/bin', '/bin');
    for (const folder of folders) {
      const file = path.join(folder, 'node');
      if (folder !== '' && fs.statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
    }
    return 'node';
  };
  let executable = settings.executable;
  Object.defineProperty(process, 'execPath', {
    configurable: true,
    enumerable: true,
    get: () => (executable ??= findNode()),
    set: (file) => {
      executable = file;
    },
  });

  if (settings.isWorker) return;

  // 'inherit' would hand out the application's own descriptors.
  function separateStdio(stdio) {
    const list = typeof stdio === 'string' ? [stdio, stdio, stdio] : Array.isArray(stdio) ? [...stdio] : [];
    const forwarded = [];
    for (let fd = 0; fd < Math.max(3, list.length); fd += 1) {
      const wanted = list[fd];
      const target = wanted === 'inherit' ? fd : wanted?.fd !== undefined ? wanted.fd : wanted;
      if (wanted === process.stdout || target === 1) forwarded.push([fd, 1]);
      else if (wanted === process.stderr || target === 2) forwarded.push([fd, 2]);
      else if (target === 0 && wanted !== undefined) list[fd] = 'ignore';
    }
    for (const [fd] of forwarded) list[fd] = 'pipe';
    return { list, forwarded };
  }

  function containChildProcess(exports) {
    const { ChildProcess } = exports;
    const spawn = ChildProcess.prototype.spawn;
    ChildProcess.prototype.spawn = function (options) {
      if (options.cwd === undefined || options.cwd === null) options.cwd = process.cwd();
      const { list, forwarded } = separateStdio(options.stdio);
      if (options.stdio !== undefined && list.length > 0) options.stdio = list;
      const failed = spawn.call(this, options);
      for (const [fd, output] of forwarded) {
        const stream = this.stdio?.[fd];
        stream?.on('data', (chunk) => native.log(output, chunk));
      }
      return failed;
    };
    for (const name of ['spawnSync', 'execFileSync', 'execSync']) {
      const original = exports[name];
      exports[name] = (command, ...rest) => {
        const takesList = name !== 'execSync' && Array.isArray(rest[0]);
        const list = takesList ? [rest.shift()] : name !== 'execSync' && rest[0] == null && rest.length > 1 ? [rest.shift()] : [];
        const options = { cwd: process.cwd(), ...rest[0] };
        if (options.stdio === undefined) return original(command, ...list, options);
        const { list: stdio, forwarded } = separateStdio(options.stdio);
        options.stdio = stdio;
        const result = original(command, ...list, options);
        const output = name === 'spawnSync' ? result.output : [null, result];
        for (const [fd, target] of forwarded) if (output?.[fd]) native.log(target, output[fd]);
        return result;
      };
    }
  }

  function containWorkers(exports) {
    const { Worker, SHARE_ENV } = exports;
    const megabytes = Math.max(16, Math.floor(settings.memoryLimit / 1048576));
    exports.Worker = class extends Worker {
      constructor(file, options = {}) {
        // Without an object of its own a worker would get the application's environment variables.
        const env = options.env === undefined || options.env === null || options.env === SHARE_ENV ? process.env : options.env;
        const resourceLimits = { maxOldGenerationSizeMb: megabytes, ...options.resourceLimits };
        super(file, { ...options, env: { ...env }, resourceLimits });
      }
    };
    Object.defineProperty(exports.Worker, 'name', { value: 'Worker' });
  }

  builtins.whenAskedFor('child_process', containChildProcess);
  builtins.whenAskedFor('worker_threads', containWorkers);
})
