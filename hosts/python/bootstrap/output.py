# sys.stdout and sys.stderr of one environment.


def _descriptor(number):
    return number if host.is_worker else host.child_descriptor(number)


class _Bytes(io.BufferedIOBase):
    """sys.stdout.buffer"""

    def __init__(self, number):
        self._number = number
        self.raw = self

    def write(self, data):
        host.write_bytes(self._number, data)
        return len(data)

    def writable(self):
        return True

    def fileno(self):
        return _descriptor(self._number)

    def flush(self):
        pass

    def close(self):
        pass


class _Text(io.TextIOBase):
    """sys.stdout. A line becomes one record of the log."""

    encoding = 'utf-8'
    errors = 'backslashreplace'
    line_buffering = True
    write_through = False
    mode = 'w'

    def __init__(self, number, name, write):
        self.buffer = _Bytes(number)
        self.name = name
        self.write = write  # native, on the instance: print finds it in one step
        self._number = number

    def writable(self):
        return True

    def fileno(self):
        """What leads into the log, for child processes."""
        return _descriptor(self._number)

    def flush(self):
        host.flush()

    def reconfigure(self, **options):
        pass

    def close(self):
        pass

    def detach(self):
        raise io.UnsupportedOperation('detach')


def set_up_output():
    sys.stdout = sys.__stdout__ = _Text(1, '<stdout>', host.write_stdout)
    sys.stderr = sys.__stderr__ = _Text(2, '<stderr>', host.write_stderr)
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')
