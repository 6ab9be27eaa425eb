# Run once in a worker's launcher: what is imported here, workers share. First what Lambda's own runtime has imported when a
# function's code is loaded, then what most functions import. See _forget_what_the_function_brings in worker.py.
import sys
import importlib
import json
import logging
import os
import re
import time
import traceback

_before = set(sys.modules)
for _name in ('base64', 'collections.abc', 'contextlib', 'copy', 'dataclasses', 'datetime', 'decimal', 'email.parser', 'email.utils',
              'enum', 'functools', 'hashlib', 'hmac', 'http.client', 'inspect', 'itertools', 'math', 'operator', 'pathlib', 'random',
              'shutil', 'socket', 'ssl', 'string', 'subprocess', 'tempfile', 'threading', 'typing', 'urllib.parse', 'urllib.request',
              'uuid', 'zlib'):
    try:
        importlib.import_module(_name)
    except ImportError:
        pass  # a Python that was built without it
sys.__lambed_warm__ = frozenset(name.partition('.')[0] for name in set(sys.modules) - _before)
