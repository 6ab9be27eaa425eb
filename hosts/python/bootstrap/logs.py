# The root logger as Lambda sets it up, and the log lines of errors. The formats are those of Lambda's Python runtime.
# `logging` is not imported before the function does: that is a fifth of a cold start.


class _Sink:
    def log(self, text, frame_type=None):
        host.log(text)


_sink = _Sink()
_time_format = '%Y-%m-%dT%H:%M:%S'
_level_names = {0: 'NOTSET', 10: 'DEBUG', 20: 'INFO', 30: 'WARNING', 40: 'ERROR', 50: 'CRITICAL'}
_plain_fields = frozenset((
    'name', 'msg', 'args', 'levelname', 'levelno', 'pathname', 'filename', 'module', 'exc_info', 'exc_text', 'stack_info',
    'lineno', 'funcName', 'created', 'msecs', 'relativeCreated', 'thread', 'threadName', 'processName', 'process',
    'taskName', 'aws_request_id', 'tenant_id', '_frame_type'))


def _wants_json():
    return host.json_logs or os.environ.get('AWS_LAMBDA_LOG_FORMAT', '').upper() == 'JSON'


def _set_up_logging(logging):
    import time

    class LambdaLoggerFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = host.request_id()
            record.tenant_id = host.tenant_id()
            return True

    class LambdaLoggerHandler(logging.Handler):
        log_sink = _sink

        def emit(self, record):
            try:
                host.log(self.format(record))
            except Exception:
                self.handleError(record)

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            level = min(50, max(0, record.levelno)) // 10 * 10
            exception = record.exc_info if record.exc_info and record.exc_info[0] else None
            fields = {
                'timestamp': time.strftime(_time_format, time.gmtime(record.created)) + '.%03dZ' % record.msecs,
                'level': _level_names[level],
                'message': record.getMessage(),
                'logger': record.name,
            }
            if exception:
                import traceback
                fields['stackTrace'] = traceback.format_tb(exception[2])
                fields['errorType'] = exception[0].__name__
                fields['errorMessage'] = str(exception[1])
            fields['requestId'] = record.aws_request_id
            if exception:
                fields['location'] = f'{record.pathname}:{record.funcName}:{record.lineno}'
            if record.tenant_id is not None:
                fields['tenantId'] = record.tenant_id
            for key, value in record.__dict__.items():
                if key not in _plain_fields and key not in fields:
                    fields[key] = value
            return json.dumps({key: value for key, value in fields.items() if value is not None}, ensure_ascii=False,
                              default=str) + '\n'

    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    if _wants_json():
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(
            '[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n', _time_format))
    level = os.environ.get('AWS_LAMBDA_LOG_LEVEL', '').upper()
    level = {'TRACE': 'DEBUG', 'WARN': 'WARNING', 'FATAL': 'CRITICAL'}.get(level, level)
    root = logging.getLogger()
    if host.is_main and not host.is_worker:  # what an earlier environment set up here
        root.handlers.clear()
        root.setLevel(logging.WARNING)
        logging.Logger.manager.loggerDict.clear()
    if level in _level_names.values():
        root.setLevel(level)
    handler.addFilter(LambdaLoggerFilter())
    root.addHandler(handler)


after_import['logging'] = _set_up_logging


def log_error(document):
    if _wants_json():
        import time
        host.log(json.dumps({'timestamp': time.strftime(_time_format, time.gmtime()), 'level': 'ERROR', **document},
                            ensure_ascii=False) + '\n')
        return
    first = '[ERROR]'
    if document['errorType']:
        first += ' ' + document['errorType']
    if document['errorMessage']:
        first += (': ' if document['errorType'] else ' ') + document['errorMessage']
    lines = [first, 'Traceback (most recent call last):']
    for entry in document['stackTrace']:
        for line in entry.splitlines():
            bare = line.lstrip(' ')
            lines.append('\u00a0' * (len(line) - len(bare)) + bare)
    host.log('\n'.join(lines) + '\n')
