# The main interpreter serves, one after another, the environments whose extension modules cannot live elsewhere. Between
# two of them everything that came from a function's own folders is forgotten; modules of the installation, and extension
# modules that can be loaded only once in a process, stay.
_before = {}


def remember_main():
    if not hasattr(sys, '__lambed_before__'):
        sys.__lambed_before__ = {'path': list(sys.path), 'meta_path': list(sys.meta_path),
                                 'path_hooks': list(sys.path_hooks), 'modules': set(sys.modules)}
    before = sys.__lambed_before__
    _before.update(before)
    sys.path[:] = before['path']
    sys.meta_path[:] = before['meta_path']
    sys.path_hooks[:] = before['path_hooks']


def conflicting_module():
    """The name of an extension package that an earlier function loaded from its own folder while this one would get
    another, or an empty string."""
    import importlib.machinery
    for name in host.single_modules:
        loaded = sys.modules.get(name)
        if loaded is None:
            continue
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec is not None and loaded.__spec__ is not None and spec.origin != loaded.__spec__.origin:
            return name
    return ''


def forget_function():
    own = tuple(folder.rstrip('/') + '/' for folder in [host.task_root, *host.layers])
    for name, module in list(sys.modules.items()):
        if name in _before['modules'] or name.partition('.')[0] in host.single_modules:
            continue
        places = [getattr(module, '__file__', None) or '']
        try:
            places += list(getattr(module, '__path__', ()))
        except Exception:
            pass
        if any(place.startswith(own) for place in places if isinstance(place, str)):
            del sys.modules[name]
    sys.path[:] = _before['path']
    sys.meta_path[:] = _before['meta_path']
    sys.path_hooks[:] = _before['path_hooks']
    sys.path_importer_cache.clear()
