# What belongs to the whole process, cut down to one environment: variables, child processes, exits, the calls that would
# change the application around us. Runs in every interpreter before the function's code. `host` is the native part.
# In a worker the process is the function's own and nothing is cut down: see worker.py.
import _imp
import _signal
import _thread
import io
import os
import posix
import sys

host = type(sys.implementation)(**host_members)
# Names of packages whose extension modules this process can load once; of the main interpreter, so it outlives environments.
host.single_modules = sys.__dict__.setdefault('__lambed_single_modules__', set())
_originals = {}


def replace(module, name, make):
    """Puts make(original) in the place of module.name; the original stays the same however often this interpreter is set
    up (the main interpreter serves one environment after another)."""
    original = getattr(module, name, None)
    if original is None:
        return
    original = getattr(original, '__lambed_original__', original)
    replacement = make(original)
    replacement.__name__ = replacement.__qualname__ = name
    replacement.__lambed_original__ = original
    setattr(module, name, replacement)
    _originals[module.__name__, name] = original


def replace_in_os(name, make):
    replace(os, name, make)
    if hasattr(posix, name):
        setattr(posix, name, getattr(os, name))


# ---- Environment variables. `variables` is what os.environ shows, `child_variables` what C's environ would be: os.putenv
# changes only the latter, as it does everywhere.

child_variables = dict(host.variables)


def set_variables():
    for table in (os.environ._data, posix.environ):
        table.clear()
        table.update(host.variables)


def _putenv(original):
    def putenv(name, value, /):
        child_variables[os.fsencode(name)] = os.fsencode(value)
    return putenv


def _unsetenv(original):
    def unsetenv(name, /):
        child_variables.pop(os.fsencode(name), None)
    return unsetenv


# ---- Child processes: the function's variables and none of the application's, output to the function's log, nothing from
# the application's stdin, no blocked signals.

def _null():
    global _null_descriptor
    if _null_descriptor is None:
        _null_descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    return _null_descriptor


_null_descriptor = None


def _fork_exec(original):
    def fork_exec(*arguments):
        changed = list(arguments)
        if changed[5] is None:
            changed[5] = [name + b'=' + value for name, value in child_variables.items()]
        if changed[6] == -1:
            changed[6] = _null()
        if changed[9] == -1:
            changed[9] = host.child_descriptor(1)
        if changed[11] == -1:
            changed[11] = host.child_descriptor(2)
        return host.with_child_signals(original, *changed)
    return fork_exec


def _posix_spawn(original):
    def posix_spawn(path, argv, env=None, /, *, file_actions=(), **options):
        actions = [(os.POSIX_SPAWN_DUP2, _null(), 0), (os.POSIX_SPAWN_DUP2, host.child_descriptor(1), 1),
                   (os.POSIX_SPAWN_DUP2, host.child_descriptor(2), 2)]
        actions.extend(file_actions or ())
        call = lambda: original(path, argv, child_variables if env is None else env, file_actions=actions, **options)
        return host.with_child_signals(call)
    return posix_spawn


def _system(original):
    def system(command):
        import subprocess
        code = subprocess.call(command, shell=True)
        return -code if code < 0 else code << 8
    return system


def _spawnvef(original):
    # os.spawn*: the original forks.
    def spawnvef(mode, file, args, env, func):
        spawn = os.posix_spawnp if func in (os.execvp, os.execvpe) else os.posix_spawn
        child = spawn(file, args, env)
        if mode == os.P_NOWAIT:
            return child
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return spawnvef


def _exec(path, args, env):
    # A program that takes this process's place would end the application. Run it as a child, then end the environment the
    # way it ended: to the function's caller that is the same.
    child = os.posix_spawn(path, args, env)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    host.exit_now(max(code, 0), max(-code, 0))


def _execv(original):
    def execv(path, argv, /):
        _exec(path, argv, None)
    return execv


def _execve(original):
    def execve(path, argv, env):
        _exec(path, argv, env)
    return execve


# ---- Ends of the process: ends of the environment.

_harmless_signals = {_signal.SIGCHLD, _signal.SIGCONT, _signal.SIGURG, _signal.SIGWINCH}


def _end_by_signal(number):
    if number not in _harmless_signals:
        host.exit_now(0, int(number))


def _exit(original):
    def _exit(status):
        host.exit_now(status & 0xff, 0)
    return _exit


def _abort(original):
    def abort():
        host.exit_now(0, int(_signal.SIGABRT))
    return abort


def _kill(original):
    def kill(pid, signal, /):
        own = pid in (os.getpid(), 0, -1) or pid < -1 and -pid == os.getpgrp()
        if own and signal:
            return _end_by_signal(signal)
        return original(pid, signal)
    return kill


def _killpg(original):
    def killpg(pgid, signal, /):
        if pgid in (0, os.getpgrp()) and signal:
            return _end_by_signal(signal)
        return original(pgid, signal)
    return killpg


def _raise_signal(original):
    def raise_signal(signalnum, /):
        _end_by_signal(signalnum)
    return raise_signal


def _pthread_kill(original):
    def pthread_kill(thread_id, signalnum, /):
        if signalnum:
            _end_by_signal(signalnum)
    return pthread_kill


# ---- What would change the application.

def _refuse(error, why):
    def make(original):
        def refused(*arguments, **options):
            raise error(f'{refused.__name__} {why}')
        return refused
    return make


_shared = 'would change the whole process, which is not the function\'s own; process isolation allows it'
_main_only = 'only works in main thread of the main interpreter'


def _write(original):
    def write(fd, data, /):
        if fd == 1 or fd == 2:
            host.write_bytes(fd, data)
            return len(data)
        return original(fd, data)
    return write


# ---- Threads of the function: their allocations are the environment's.

def _start_new_thread(original):
    def start_new_thread(function, args, kwargs={}, /):
        if not callable(function):
            raise TypeError('first arg must be callable')
        return original(_adopted(function), args, kwargs)
    return start_new_thread


def _start_joinable_thread(original):
    def start_joinable_thread(function, handle=None, daemon=True):
        return original(_adopted(function), handle=handle, daemon=daemon)
    return start_joinable_thread


def _adopted(function):
    def run(*arguments, **options):
        host.adopt_thread()
        return function(*arguments, **options)
    return run


def _own_main_thread(threading):
    # Python takes the thread that imports threading (3.13: the process's first) for an interpreter's main thread. Ours is the
    # one that runs the function. A module imported earlier, by a .pth file of the installation, knows a thread state that is
    # gone, and would fail at the interpreter's end.
    main = threading._main_thread
    if hasattr(main, '_tstate_lock'):
        if not main._tstate_lock.locked():
            main._set_tstate_lock()
        return
    if main._ident != _thread.get_ident():
        threading._active.pop(main._ident, None)
        main._ident = _thread.get_ident()
        main._handle = threading._make_thread_handle(main._ident)
        main._set_native_id()
        threading._active[main._ident] = main


# ---- Extension modules that cannot live in a sub-interpreter.

_standard = tuple(folder + '/' for folder in sys.path if folder.endswith('/lib-dynload'))


def _create_dynamic(original):
    def create_dynamic(spec, file=None, /):
        ours = spec.origin.startswith(_standard)
        if not ours and host.is_single_interpreter(spec.origin):
            if not host.is_main:
                host.refuse_module(spec.name)
                raise ImportError(f'module {spec.name} does not support loading in subinterpreters', name=spec.name,
                                  path=spec.origin)
            host.single_modules.add(spec.name.partition('.')[0])
        try:
            return original(spec, file)
        except ImportError as error:
            if 'subinterpreters' in str(error) and not host.is_main:
                host.refuse_module(spec.name)  # 3.12 and later say so themselves
            raise
    return create_dynamic


# ---- Modules that are set right when, and only when, the function imports them.

after_import = {}


class _AfterImport:
    @staticmethod
    def find_spec(name, path=None, target=None):
        action = after_import.pop(name, None)
        if action is None:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not _AfterImport else None
            if spec is not None:
                break
        if spec is None or isinstance(spec.loader, type) or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            action(module)
        spec.loader.exec_module = exec_module
        return spec


def _multiprocessing_without_fork(module):
    module._default_context = module.DefaultContext(module._concrete_contexts['spawn'])


def _locale_of_one(module):
    def make(original):
        def setlocale(category, locale=None):
            if locale is None:
                return original(category)
            raise module.Error('setlocale ' + _shared)
        return setlocale
    replace(module, 'setlocale', make)


def _resource_of_one(module):
    replace(module, 'setrlimit', _refuse(PermissionError, _shared))


if not host.is_main:
    after_import['threading'] = _own_main_thread
if not host.is_worker:
    after_import['multiprocessing.context'] = _multiprocessing_without_fork
    after_import['locale'] = _locale_of_one
    after_import['resource'] = _resource_of_one


def _limit_digits():
    # 3.11 sets this guard against slow conversions in the main interpreter only.
    try:
        digits = int(os.environ['PYTHONINTMAXSTRDIGITS'])
        sys.set_int_max_str_digits(digits)
    except (KeyError, ValueError):
        sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)


def set_up_process():
    set_variables()
    _limit_digits()
    if not host.is_worker:
        _contain()
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != '_AfterImport' and
                        getattr(finder, '__name__', '') != '_AfterImport']
    sys.meta_path.insert(0, _AfterImport)
    for name in list(after_import):
        if name in sys.modules:
            after_import.pop(name)(sys.modules[name])


def _contain():
    import _posixsubprocess
    replace(_posixsubprocess, 'fork_exec', _fork_exec)
    replace_in_os('putenv', _putenv)
    replace_in_os('unsetenv', _unsetenv)
    replace_in_os('posix_spawn', _posix_spawn)
    replace_in_os('posix_spawnp', _posix_spawn)
    replace_in_os('system', _system)
    replace_in_os('execv', _execv)
    replace_in_os('execve', _execve)
    replace(os, '_spawnvef', _spawnvef)
    replace_in_os('_exit', _exit)
    replace_in_os('abort', _abort)
    replace_in_os('kill', _kill)
    replace_in_os('killpg', _killpg)
    replace_in_os('write', _write)
    replace(_signal, 'raise_signal', _raise_signal)
    replace(_signal, 'pthread_kill', _pthread_kill)
    for name in ('alarm', 'setitimer', 'set_wakeup_fd', 'siginterrupt'):
        replace(_signal, name, _refuse(ValueError, _main_only))
    for name in ('fork', 'forkpty'):
        replace_in_os(name, _refuse(RuntimeError, 'would copy the whole application; use subprocess, or process isolation'))
    refused = ['setuid', 'seteuid', 'setgid', 'setegid', 'setreuid', 'setregid', 'setresuid', 'setresgid', 'setgroups',
               'initgroups', 'chroot', 'setsid', 'setpgid', 'setpgrp']
    if not host.own_folder:
        refused += ['chdir', 'fchdir', 'umask']
    for name in refused:
        replace_in_os(name, _refuse(PermissionError, _shared))
    replace(_thread, 'start_new_thread', _start_new_thread)
    replace(_thread, 'start_joinable_thread', _start_joinable_thread)
    replace(_imp, 'create_dynamic', _create_dynamic)
    threading = sys.modules.get('threading')  # imported by a .pth file of the installation
    if threading is not None:
        for name in ('start_new_thread', 'start_joinable_thread'):
            if hasattr(threading, '_' + name):
                setattr(threading, '_' + name, getattr(_thread, name))
        main_thread = threading.main_thread()
        # The thread state that it was imported under is gone: without a lock of the present one, Python says at the end of
        # the interpreter that an assertion has failed. (From 3.13 on there is no such lock.)
        if main_thread.ident == _thread.get_ident() and hasattr(main_thread, '_set_tstate_lock'):
            main_thread._set_tstate_lock()
    subprocess = sys.modules.get('subprocess')
    if subprocess is not None:
        subprocess._fork_exec = _posixsubprocess.fork_exec


def idle():
    """Does nothing, but a thread that calls it meets what waits to be raised in it."""


def end_resource_tracker(tracker):
    """Ends the process that multiprocessing starts to outlive its parent, which here is the application."""
    descriptor, child = tracker._fd, tracker._pid
    if descriptor is None or child is None:
        return
    tracker._fd = tracker._pid = None
    os.close(descriptor)  # the tracker ends when nobody holds it any more
    import time
    end = time.monotonic() + 0.5
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:  # a process of the function that goes on
            os.kill(child, _signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.005)


def stop_threads():
    """Wakes the idle workers of thread pools, which else wait for work for ever. Loops are ended by the host."""
    pools = sys.modules.get('concurrent.futures.thread')
    if pools is not None:
        pools._shutdown = True
        for queue in list(pools._threads_queues.values()):
            queue.put(None)
    atexit = sys.modules.get('atexit')
    if atexit is not None:
        atexit._clear()  # as in Lambda, where environments end by a kill
    tracking = sys.modules.get('multiprocessing.resource_tracker')
    if tracking is not None:
        end_resource_tracker(tracking._resource_tracker)
