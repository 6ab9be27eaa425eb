# A function that behaves, and misbehaves on request: event["do"] names the deed, tests/soak/deeds.cc what must come of it.
#
# ctypes is imported where it is needed, in workers: CPython loses 0.2 MB with each sub-interpreter that has imported it.
import contextlib
import json
import mmap
import os
import signal
import subprocess
import sys
import threading
import time

CODE = 0  # the soak changes this number with every update of the code


def answer(event):
    return {'id': event['id'], 'tag': int(os.environ['TAG']), 'code': CODE, 'language': 'python'}


def big(event):
    return {**answer(event), 'padding': 'x' * 100_000}


def wait(event):
    time.sleep(0.005)
    return answer(event)


def child(event):
    subprocess.run(['true'], check=True)
    return answer(event)


def chatter(event):
    print('x' * 200_000)
    print('y' * 1000, file=sys.stderr)
    return answer(event)


# ---- Misbehaviour that ends in an error document.

def raise_error(event):
    raise ValueError('raised on purpose ' + event['id'])


def raise_base(event):
    raise BaseException('raised on purpose ' + event['id'])


def raise_interrupt(event):
    raise KeyboardInterrupt


def recurse(event):
    return recurse(event)


def unmarshallable(event):
    return object()


def oversized(event):
    return 'x' * 7_000_000


def fork(event):
    os.fork()


def memory(event):
    return len(bytearray(1 << 30))


def memory_list(event):
    kept = []
    while True:
        kept.append([0] * 100_000)


# ---- Misbehaviour that ends the environment.

def exit_by_exception(event):
    sys.exit(3)


def exit_at_once(event):
    os._exit(4)


def abort(event):
    os.abort()


def kill_self(event):
    os.kill(os.getpid(), signal.SIGKILL)


def raise_signal(event):
    signal.raise_signal(signal.SIGTERM)


# ---- Misbehaviour beside an answer.

def thread_raises(event):
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    return answer(event)


def thread_stays(event):
    threading.Thread(target=time.sleep, args=(0.05,), daemon=True).start()
    return answer(event)


def change_folder(event):
    try:
        os.chdir('/')  # its own, unless the container forbids that: then the attempt is refused
    except PermissionError as error:
        if 'process isolation' not in str(error):
            raise
    return answer(event)


def closes_output(event):
    os.close(os.dup(1))
    sys.stdout.flush()
    return answer(event)


# ---- Misbehaviour that a process of its own contains, and nothing less.

def fork_child(event):
    child = os.fork()
    if child == 0:
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    return answer(event)


def memory_shared(event):
    size = 1 << 30
    with mmap.mmap(-1, size, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS) as pages:
        for at in range(0, size, 4096):
            pages[at] = 1


def fill_tmp(event):
    try:
        with open('/tmp/filled', 'wb', buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
    finally:
        os.unlink('/tmp/filled')


def memory_of_children(event):
    for _ in range(4):
        if os.fork() == 0:
            memory_list(event)
    time.sleep(50)


def segfault(event):
    import ctypes

    ctypes.string_at(0)


def stack_overflow(event):
    sys.setrecursionlimit(1 << 30)
    import ctypes

    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: function(n))
    return function(0)


def abort_in_c(event):
    import ctypes

    ctypes.CDLL(None).abort()


def divide_in_c(event):
    signal.raise_signal(signal.SIGFPE)


def exit_zero(event):
    os._exit(0)


def leaves_children(event):
    for _ in range(20):
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(1000)
    os._exit(5)


def fork_bomb(event):
    while True:
        try:
            if os.fork() == 0:
                time.sleep(1000)
        except OSError:
            os._exit(6)


def threads_without_end(event):
    over = threading.Event()
    threads = []
    try:
        while True:
            thread = threading.Thread(target=over.wait, daemon=True)
            thread.start()
            threads.append(thread)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def files_without_end(event):
    with contextlib.ExitStack() as files:
        while True:
            files.enter_context(open('/dev/null'))


def kill_group(event):
    os.kill(0, signal.SIGKILL)
    time.sleep(50)


def kill_all(event):
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass  # there is nobody else
    return answer(event)


def writes_everywhere(event):
    for descriptor in range(1024):
        try:
            os.write(descriptor, b'x' * 5000)
        except OSError:
            pass
    return answer(event)


def closes_everything(event):
    os.closerange(0, 1024)
    os._exit(7)


# ---- Misbehaviour that only the limit ends.

def spin(event):
    while True:
        pass


def swallow(event):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def sleep(event):
    time.sleep(1.6)


def sleep_long(event):
    time.sleep(4)


def lock(event):
    held = threading.Lock()
    held.acquire()
    held.acquire(timeout=1.5)


def generate(event):
    return json.dumps(sum(1 for _ in iter(int, 1)))


def handler(event, context):
    return globals()[event['do']](event)
