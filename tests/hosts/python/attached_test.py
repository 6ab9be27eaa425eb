"""Runs the plugin inside this interpreter, as the pip package does: attached_test.py DRIVER PLUGIN SINGLE_PHASE_MODULE"""
import ctypes
import os
import shutil
import sys
import tempfile
import threading


def main():
    driver, plugin, module = sys.argv[1:]
    library = ctypes.CDLL(driver)
    import _datetime  # noqa: F401, imported by the host where its types would otherwise belong to a sub-interpreter
    ticks = []
    done = threading.Event()

    def tick():
        while not done.wait(0.01):
            ticks.append(1)

    ticker = threading.Thread(target=tick)
    ticker.start()
    message = ctypes.create_string_buffer(1024)
    with tempfile.TemporaryDirectory() as layer:
        os.mkdir(layer + '/python')
        shutil.copy(module, layer + '/python/lambed_single_phase.so')
        before = dict(os.environ), list(sys.path), sys.stdout, os.getcwd(), set(sys.modules)
        failed = library.lambed_test_attached(plugin.encode(), layer.encode(), message, len(message))
    done.set()
    ticker.join()
    assert not failed, message.value.decode(errors='replace')
    assert before == (dict(os.environ), list(sys.path), sys.stdout, os.getcwd(), set(sys.modules)), 'the application changed'
    assert 'CHANGED' not in os.environ
    assert len(ticks) > 20, f'the application stood still: {len(ticks)} ticks'
    print('the plugin works inside Python', sys.version.split()[0])


main()
