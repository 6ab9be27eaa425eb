# What the matrix asks of a Python function: event["do"] names the deed.
import os
import platform
import subprocess
import time


def version(event):
    return platform.python_version()


def echo(event):
    return event['value']


def fail(event):
    raise ValueError('out of tea')


def busy_loop(event):
    print('running', flush=True)
    while True:
        pass


def swallow_loop(event):
    print('running', flush=True)
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def meet(event):
    open(os.path.join(event['folder'], str(event['number'])), 'w').close()
    while len(os.listdir(event['folder'])) < event['guests']:
        time.sleep(0.005)
    return event['number']


def child_environment(event):
    return subprocess.run(['env'], capture_output=True, text=True, check=True).stdout


def wait(event):
    print('running', flush=True)
    while True:
        time.sleep(0.05)


def fill(event):
    kept = []
    for _ in range(event['megabytes']):
        kept.append(bytearray(1 << 20))
    return len(kept)


def change_folder(event):
    os.chdir('/usr')
    return os.getcwd()


def leave(event):
    os._exit(3)


def handler(event, context):
    return globals()[event['do']](event)
