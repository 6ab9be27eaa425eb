# A worker: the process, its signals, its children and its main thread are the function's own, as on Lambda.

def set_up_worker():
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)  # as Python does when it starts as a program
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)
    os.register_at_fork(before=host.flush, after_in_child=host.enter_forked)
    time = sys.modules.get('time')
    if time is not None:
        time.tzset()  # TZ is known by now
    _forget_what_the_function_brings()


def _forget_what_the_function_brings():
    """The launcher has imported more than Lambda's runtime does. A function's own module of such a name must be found."""
    warm = sys.__dict__.pop('__lambed_warm__', frozenset())
    minor = f'python{sys.version_info[0]}.{sys.version_info[1]}'
    folders = [host.task_root]
    for layer in host.layers:
        folders += [f'{layer}/python', f'{layer}/python/lib/{minor}/site-packages']
    own = set()
    for folder in folders:
        try:
            own.update(name.partition('.')[0] for name in os.listdir(folder))
        except OSError:
            pass
    own &= warm
    if own:
        for name in list(sys.modules):
            if name.partition('.')[0] in own:
                del sys.modules[name]


def status_of_forked(error):
    """What the process of a child that os.fork made ends with, when the handler has raised in it."""
    if isinstance(error, SystemExit):
        return _describe_exit(error)[1]
    import traceback
    traceback.print_exception(error)
    return 1
