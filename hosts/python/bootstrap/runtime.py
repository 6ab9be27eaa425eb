# Handlers, events, results, contexts and error documents, in the words of Lambda's Python runtime.
import json
import json.decoder
import json.encoder

SUCCESS, FUNCTION_ERROR, EXITED, OUT_OF_MEMORY, INTERRUPTED, REFUSED = range(6)


class Fault(Exception):
    def __init__(self, error_type, message, stack=()):
        super().__init__(message)
        self.error_type = error_type
        self.stack = list(stack)


# ---- Contexts. The native base holds the usual members; a dictionary for others comes with the Python class.

class _Members:
    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        members = ','.join(f'{name}={getattr(self, name)}' for name in self.__slots__)
        return f'{type(self).__name__}([{members}])'


class CognitoIdentity(_Members):
    __slots__ = ('cognito_identity_id', 'cognito_identity_pool_id')


class Client(_Members):
    __slots__ = ('installation_id', 'app_title', 'app_version_name', 'app_version_code', 'app_package_name')


class ClientContext(_Members):
    __slots__ = ('custom', 'env', 'client')


class LambdaContext(host.Context):
    def log(self, msg):
        logging = sys.modules.get('logging')
        for handler in logging.getLogger().handlers if logging else ():
            if hasattr(handler, 'log_sink'):
                handler.log_sink.log(str(msg))
                return
        sys.stdout.write(str(msg))

    def __repr__(self):
        names = ('aws_request_id', 'log_group_name', 'log_stream_name', 'function_name', 'memory_limit_in_mb',
                 'function_version', 'invoked_function_arn', 'client_context', 'identity', 'tenant_id')
        members = ','.join(f'{name}={getattr(self, name)}' for name in names)
        return f'{type(self).__name__}([{members}])'


def make_identity(text):
    values = _parse(text, 'Cognito Identity') if text else {}
    return CognitoIdentity({'cognito_identity_id': values.get('cognitoIdentityId'),
                            'cognito_identity_pool_id': values.get('cognitoIdentityPoolId')})


def make_client_context(text):
    values = _parse(text, 'Client Context')
    made = ClientContext(values)
    if made.client is not None:
        made.client = Client(made.client)
    return made


def _parse(text, what):
    try:
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError('not an object')
        return values
    except Exception as error:
        raise Fault('Runtime.LambdaContextUnmarshalError', f'Unable to parse {what} JSON: {error}')


# ---- Events and results. The usual case never leaves C: scan_once and encode are the json module's own.

def _encode_default(value):
    if isinstance(value, bytes):
        return value.decode('utf-8')
    decimal = sys.modules.get('decimal')
    if decimal is not None and isinstance(value, decimal.Decimal):
        if value.is_nan():
            return float('nan')
        # json cannot write a number that is neither int nor float: leave a mark that no handler can guess, and put the
        # digits in its place afterwards.
        if not decimal_marks:
            decimal_marks.append(os.urandom(16).hex())
        return f'{decimal_marks[0]}{value}'
    raise TypeError(f'Object of type {type(value).__name__} is not JSON serializable')


decimal_marks = []


def put_decimals(text):
    import re
    mark = decimal_marks.pop()
    return re.sub(f'"{mark}([^"]*)"', r'\1', text)


def make_encoder():
    """What takes (value, 0) and gives a tuple of pieces of JSON."""
    decimal_marks.clear()
    escape = json.encoder.encode_basestring_ascii if host.ascii_results else json.encoder.encode_basestring
    if json.encoder.c_make_encoder is not None:
        return json.encoder.c_make_encoder({}, _encode_default, escape, None, ': ', ', ', False, False, True)
    encoder = json.JSONEncoder(default=_encode_default, ensure_ascii=host.ascii_results)
    return lambda value, level: tuple(encoder.iterencode(value))


scan_once = json.decoder.JSONDecoder().scan_once


def unmarshal(text):
    """For what scan_once refuses: the whole parser's message."""
    return json.loads(text)


# ---- The handler.

def load(handler):
    try:
        module_name, function_name = handler.rsplit('.', 1)
    except ValueError as error:
        raise Fault('Runtime.MalformedHandlerName', f"Bad handler '{handler}': {error}")
    if module_name.split('.')[0] in sys.builtin_module_names:
        raise Fault('Runtime.BuiltInModuleConflict', f'Cannot use built-in module {module_name} as a handler module')
    import importlib
    try:
        module = importlib.import_module(module_name.replace('/', '.'))
    except ImportError as error:
        raise Fault('Runtime.ImportModuleError', f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        raise Fault('Runtime.UserCodeSyntaxError', f"Syntax error in module '{module_name}': {error}",
                    [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'])
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault('Runtime.HandlerNotFound', f"Handler '{function_name}' missing on module '{module_name}'")


# ---- Errors.

def describe(error, phase, request_id):
    """What ended init or an invocation: (kind of outcome, exit code, signal, error document, error type)."""
    if not isinstance(error, Exception):
        return _describe_exit(error)
    if isinstance(error, Fault):
        document = _document(str(error), error.error_type, error.stack, request_id)
    elif phase == 'unmarshal' and not isinstance(error, MemoryError):
        document = _document(f'Unable to unmarshal input: {error}', 'Runtime.UnmarshalError', [], request_id)
    elif phase == 'marshal' and not isinstance(error, MemoryError):
        document = _document(f'Unable to marshal response: {error}', 'Runtime.MarshalError', [], request_id)
    else:
        document = _document(_message(error), type(error).__name__, _stack(error.__traceback__), request_id)
    if phase != 'first try':
        log_error(document)
    text = json.dumps(document, ensure_ascii=host.ascii_results)
    return FUNCTION_ERROR, 0, 0, text.encode('utf-8', 'backslashreplace'), document['errorType']


def _message(error):
    try:
        return str(error)
    except Exception as second:
        return f'<the exception has no message: {type(second).__name__}>'


def _document(message, error_type, stack, request_id):
    return {'errorMessage': message, 'errorType': error_type, 'requestId': request_id, 'stackTrace': stack}


def _stack(trace):
    import traceback
    entries = [(entry.filename, entry.lineno, entry.name, entry.line) for entry in traceback.extract_tb(trace)]
    while entries and entries[0][0].startswith('<lambed'):
        del entries[0]
    return traceback.format_list(entries)


def _describe_exit(error):
    # What the interpreter would do at top level: the process ends.
    if isinstance(error, SystemExit):
        code = error.code
        if code is None:
            code = 0
        elif not isinstance(code, int):
            sys.stderr.write(f'{code}\n')
            code = 1
        return EXITED, code & 0xff, 0, b'', ''
    import traceback
    traceback.print_exception(error)
    if isinstance(error, KeyboardInterrupt):
        return EXITED, 0, int(_signal.SIGINT), b'', ''
    return EXITED, 1, 0, b'', ''


# ---- Set-up.

def set_up():
    if host.is_main and not host.is_worker:
        remember_main()
    set_up_process()
    if host.is_worker:
        set_up_worker()
    set_up_output()
    minor = f'python{sys.version_info[0]}.{sys.version_info[1]}'
    folders = [host.task_root]
    for layer in host.layers:
        folders += [f'{layer}/python/lib/{minor}/site-packages', f'{layer}/python']
    folders += [folder for folder in os.environ.get('PYTHONPATH', '').split(':') if folder]
    sys.path[:0] = [folder for folder in folders if folder == host.task_root or os.path.isdir(folder)]
    if not host.is_worker:  # which has never looked into the function's folders before
        sys.path_importer_cache.clear()
    sys.argv[:] = ['']
    if host.in_node:
        # node exports its own OpenSSL: without this, Python's modules would bind to that one.
        sys.setdlopenflags(os.RTLD_NOW | getattr(os, 'RTLD_DEEPBIND', 0))
