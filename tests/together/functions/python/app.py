# What the tests of tests/together ask of a Python function: event["do"] names the deed.
import base64
import gzip
import hashlib
import hmac
import os
import re
import ssl
import subprocess
import time
import zlib


def echo(event):
    return event.get('value')


def run(event):
    child = subprocess.run(event['command'], shell=True, capture_output=True, text=True)
    return {'out': child.stdout, 'code': child.returncode}


def popen(event):
    child = subprocess.Popen(['/bin/sh', '-c', event['command']], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    out, _ = child.communicate(event.get('input', ''))
    return {'out': out, 'code': child.returncode}


def digest(event):
    text = event['text'].encode()
    return {
        'sha256': hashlib.sha256(text).hexdigest(),
        'sha512': hashlib.sha512(text).hexdigest(),
        'md5': hashlib.md5(text).hexdigest(),
        'hmac': hmac.new(b'key', text, 'sha256').hexdigest(),
        'pbkdf2': hashlib.pbkdf2_hmac('sha256', text, b'salt', 1000).hex(),
    }


def tls(event):
    context = ssl.create_default_context()
    context.set_ciphers('ECDHE+AESGCM')
    return {'library': ssl.OPENSSL_VERSION, 'ciphers': len(context.get_ciphers())}


def compress(event):
    return base64.b64encode(gzip.compress(event['text'].encode())).decode()


def expand(event):
    return gzip.decompress(base64.b64decode(event['data'])).decode()


def deflate(event):
    return base64.b64encode(zlib.compress(event['text'].encode(), 9)).decode()


def inflate(event):
    return zlib.decompress(base64.b64decode(event['data'])).decode()


def closed_pipe(event):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        os.write(writer, b'nobody reads this')
    except BrokenPipeError:
        return 'EPIPE'
    finally:
        os.close(writer)
    return 'written'


def sleep(event):
    time.sleep(event['seconds'])
    return event.get('value')


def step(event):
    return {'steps': event['steps'] + ['python'], 'sum': event['sum'] + 1}


def spin(event):
    print('running', flush=True)
    while True:
        pass


def swallow(event):
    print('running', flush=True)
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def wait(event):
    print('running', flush=True)
    time.sleep(event['seconds'])


def native(event):
    # Holds the interpreter's lock and looks at nothing before it has finished, which takes longer than the universe is old.
    print('running', flush=True)
    return bool(re.match(r'(a+)+$', 'a' * 60 + 'b'))


def handler(event, context):
    return globals()[event['do']](event)
