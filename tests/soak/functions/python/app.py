# A function that behaves, and misbehaves on request: event["do"] names the deed, tests/soak/deeds.cc what must come of it.
import json
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
