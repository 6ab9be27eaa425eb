// What a function may not do to the application that it shares a process with. Evaluates to (builtin, process, native, settings, builtins) => undefined.
(function contain(builtin, process, native, settings, builtins) {
  'use strict';
  const os = builtin('os');
  const fs = builtin('fs');
  const path = builtin('path');
  const { signals } = os.constants;

  const replace = (object, name, value) =>
    Object.defineProperty(object, name, { configurable: true, enumerable: true, writable: true, value });
  const refuse = (object, name, why) =>
    replace(object, name, () => {
      const error = new Error(`${name} is not available to a function that shares its process with others: ${why}. Use isolation "process".`);
      error.code = 'ERR_LAMBED_SHARED_PROCESS';
      throw error;
    });

  // ---- environment variables: assigning to node's own object would change the application's ------------------------
  const asText = (value) => {
    if (typeof value === 'symbol') throw new TypeError('Cannot convert a Symbol value to a string');
    return String(value);
  };
  process.env = new Proxy(
    { ...settings.variables },
    {
      set(target, key, value) {
        target[asText(key)] = asText(value);
        return true;
      },
      defineProperty(target, key, descriptor) {
        if ('get' in descriptor || 'set' in descriptor) {
          throw new TypeError("'process.env' does not accept an accessor(getter/setter) descriptor");
        }
        return Reflect.defineProperty(target, asText(key), {
          configurable: true,
          enumerable: true,
          writable: true,
          value: asText(descriptor.value),
        });
      },
    },
  );

  // ---- identity, signals and the end of the process ----------------------------------------------------------------
  let folder = settings.ownsWorkingDirectory ? undefined : settings.taskRoot;
  replace(process, 'cwd', () => folder ?? native.cwd());
  replace(process, 'chdir', (to) => {
    const target = path.resolve(process.cwd(), String(to));
    if (settings.ownsWorkingDirectory) native.chdir(target);
    else if (fs.statSync(target).isDirectory()) folder = target;
  });
  if (settings.ownsWorkingDirectory) {
    replace(process, 'umask', (mask) => native.umask(mask === undefined ? -1 : typeof mask === 'string' ? parseInt(mask, 8) : mask));
  } else {
    const umask = process.umask;
    replace(process, 'umask', (mask) => {
      if (mask === undefined) return umask.call(process);
      throw new Error('process.umask cannot be changed by a function that shares its process with others. Use isolation "process".');
    });
  }
  for (const name of ['setuid', 'setgid', 'seteuid', 'setegid', 'setgroups', 'initgroups']) {
    refuse(process, name, 'it would change the identity of all of them');
  }
  for (const name of ['_debugProcess', '_debugEnd', '_startProfilerIdleNotifier', '_stopProfilerIdleNotifier']) {
    if (name in process) refuse(process, name, 'it concerns the whole process');
  }
  builtins.whenAskedFor('v8', (v8) =>
    refuse(v8, 'setFlagsFromString', "V8's flags are those of the whole process"));
  builtins.whenAskedFor('inspector', (inspector) =>
    refuse(inspector, 'open', 'the inspector sees the whole process'));
  const setPriority = os.setPriority;
  replace(os, 'setPriority', (pid, priority) => {
    if (priority === undefined || pid === 0 || pid === process.pid) {
      throw new Error('os.setPriority cannot be used by a function on the process that it shares with others. Use isolation "process".');
    }
    return setPriority(pid, priority);
  });
  let title = 'node';
  // A plain property would still be node's, which renames the process.
  delete process.title;
  Object.defineProperty(process, 'title', {
    configurable: true,
    enumerable: true,
    get: () => title,
    set: (text) => {
      title = String(text);
    },
  });

  const endBySignal = (name, number) => {
    if (process.listenerCount(name) > 0) {
      process.emit(name, name, number);
      return;
    }
    const harmless = ['SIGCHLD', 'SIGCONT', 'SIGURG', 'SIGWINCH', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'];
    if (!harmless.includes(name)) native.killed(number);
  };
  replace(process, 'abort', () => native.killed(signals.SIGABRT));
  // 0 and -1 and the own group reach the application too.
  const isOwn = (pid) => pid === process.pid || pid === 0 || pid === -1 || pid === -native.processGroup();
  const nameOf = (number) => Object.keys(signals).find((key) => signals[key] === number);
  const { kill, _kill } = process;
  replace(process, '_kill', (pid, number) => {
    if (!isOwn(pid)) return _kill.call(process, pid, number);
    if (number !== 0 && nameOf(number) !== undefined) endBySignal(nameOf(number), number);
    return 0;
  });
  replace(process, 'kill', (pid, signal) => {
    const number = signal === undefined ? signals.SIGTERM : typeof signal === 'number' ? signal : signals[signal];
    // node checks the arguments of what is not a signal to itself, and calls _kill.
    if (!isOwn(Number(pid)) || (number !== 0 && nameOf(number) === undefined)) return kill.call(process, pid, signal);
    process._kill(Number(pid), number);
    return true;
  });
  // node's own listeners here turn process.on('SIGINT') into a handler of the whole process; without them such listeners
  // only hear process.kill(process.pid), as above.
  process.removeAllListeners('newListener');
  process.removeAllListeners('removeListener');

  // ---- descriptors 0, 1 and 2 are the application's ----------------------------------------------------------------
  let stdin;
  Object.defineProperty(process, 'stdin', {
    configurable: true,
    enumerable: true,
    get() {
      if (stdin === undefined) {
        const { Readable } = builtin('stream');
        stdin = new Readable({ read() {} });
        stdin.push(null);
        stdin.fd = 0;
      }
      return stdin;
    },
  });
  const bytesOf = (data, from, length, encoding) => {
    if (typeof data === 'string') return Buffer.from(data, typeof encoding === 'string' ? encoding : 'utf8');
    const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const begin = typeof from === 'number' ? from : 0;
    return view.subarray(begin, typeof length === 'number' ? begin + length : undefined);
  };
  const isOutput = (fd) => fd === 1 || fd === 2;
  const writeOut = (fd, data, from, length) => {
    // write(fd, buffer, offset, length) or write(fd, string, position, encoding)
    const bytes = typeof data === 'string' ? bytesOf(data, 0, 0, length) : bytesOf(data, from, length);
    native.log(fd, bytes);
    return bytes.byteLength;
  };
  const { write, writeSync, writev, writevSync, close, closeSync, writeFileSync, appendFileSync } = fs;
  replace(fs, 'writeSync', (fd, data, ...rest) => {
    if (!isOutput(fd)) return writeSync(fd, data, ...rest);
    if (typeof rest[0] === 'object' && rest[0] !== null) return writeOut(fd, data, rest[0].offset, rest[0].length);
    return writeOut(fd, data, ...rest);
  });
  replace(fs, 'write', (fd, data, ...rest) => {
    if (!isOutput(fd)) return write(fd, data, ...rest);
    const done = rest.pop();
    const size = fs.writeSync(fd, data, ...rest);
    process.nextTick(done, null, size, data);
  });
  replace(fs, 'writevSync', (fd, buffers, position) =>
    isOutput(fd) ? buffers.reduce((size, data) => size + writeOut(fd, data), 0) : writevSync(fd, buffers, position));
  replace(fs, 'writev', (fd, buffers, ...rest) => {
    if (!isOutput(fd)) return writev(fd, buffers, ...rest);
    process.nextTick(rest.pop(), null, fs.writevSync(fd, buffers), buffers);
  });
  for (const [name, whole] of [['writeFileSync', writeFileSync], ['appendFileSync', appendFileSync]]) {
    replace(fs, name, (file, data, options) => {
      const output = isOutput(file) ? file : file === '/dev/stdout' ? 1 : file === '/dev/stderr' ? 2 : 0;
      if (output === 0) return whole(file, data, options);
      writeOut(output, data, 0, typeof options === 'string' ? options : options?.encoding);
    });
  }
  replace(fs, 'closeSync', (fd) => (fd === 0 || isOutput(fd) ? undefined : closeSync(fd)));
  replace(fs, 'close', (fd, done) => {
    if (fd !== 0 && !isOutput(fd)) return done === undefined ? close(fd) : close(fd, done);
    if (done !== undefined) process.nextTick(done, null);
  });
  // libuv's pool of file threads keeps the application's working directory; synchronous calls run on this thread.
  const absolute = (file) =>
    typeof file === 'string' && !path.isAbsolute(file) && file !== '' ? path.resolve(process.cwd(), file) : file;
  const onePath = ['access', 'appendFile', 'chmod', 'chown', 'lchown', 'lstat', 'lutimes', 'mkdir', 'mkdtemp', 'open',
    'opendir', 'readFile', 'readdir', 'readlink', 'realpath', 'rm', 'rmdir', 'stat', 'statfs', 'truncate', 'unlink',
    'utimes', 'writeFile', 'exists', 'createReadStream', 'createWriteStream', 'watch'];
  const twoPaths = ['copyFile', 'cp', 'link', 'rename'];
  const resolving = (object, name, count) => {
    const original = object[name];
    if (typeof original !== 'function') return;
    const wrapped = function (first, ...rest) {
      if (count === 2) rest[0] = absolute(rest[0]);
      return original.call(this, absolute(first), ...rest);
    };
    replace(object, name, Object.assign(wrapped, original));
    for (const symbol of Object.getOwnPropertySymbols(original)) {
      Object.defineProperty(wrapped, symbol, Object.getOwnPropertyDescriptor(original, symbol)); // util.promisify.custom
    }
  };
  const resolvingAll = (object) => {
    for (const name of onePath) resolving(object, name, 1);
    for (const name of twoPaths) resolving(object, name, 2);
  };
  resolvingAll(fs);
  // node loads it at the first look, too.
  const { get: promisesOf } = Object.getOwnPropertyDescriptor(fs, 'promises');
  Object.defineProperty(fs, 'promises', {
    configurable: true,
    enumerable: true,
    get() {
      builtins.contain('fs/promises');
      return promisesOf.call(fs);
    },
  });
  builtins.whenAskedFor('fs/promises', resolvingAll);
  if (!settings.ownsWorkingDirectory) {
    for (const name of onePath) resolving(fs, `${name}Sync`, 1);
    for (const name of twoPaths) resolving(fs, `${name}Sync`, 2);
  }

  process.argv = [process.argv[0], path.join(settings.taskRoot, 'index.js')];
  builtin('module').syncBuiltinESMExports();
})
