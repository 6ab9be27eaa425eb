"""What the tests of the Python package share. They run against the installed wheel, never against this checkout."""

import os
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import pytest

import lambed

pytest_plugins = ["pytester"]

PYTHON = "python3.11"  # any version of the language is run by the interpreter that is there
SOURCES = {
    "python": ("python3.11", "def handler(event, context): return {'greeting': 'Hello ' + event['name']}"),
    "nodejs": ("nodejs18.x", "exports.handler = async (event) => ({ greeting: 'Hello ' + event.name.trim() })"),
    "ruby": ("ruby3.2", "def handler(event:, context:) = { greeting: 'Hello ' + event['name'] }"),
}
LANGUAGES = list(SOURCES)

# Long enough for a loaded machine; a test that waits so long has failed.
PATIENCE = 60


def eventually(condition):
    """Waits until the condition holds; returns what it gave."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
    return value


@pytest.fixture
def create(gateway):
    """create(name, source, runtime=..., ...): a function from inline source."""

    def make(name, source, runtime=PYTHON, **more):
        code = lambed.Code.inline(textwrap.dedent(source))
        warnings.simplefilter("ignore", lambed.SharedLockWarning)  # test_package.py looks at it, in a process of its own
        return gateway.create_function(name, runtime=runtime, handler="app.handler", code=code, **more)

    return make


@pytest.fixture
def run_python(tmp_path):
    """run_python(source, ...): a program in a process of its own; its exit code must be `code`. Returns its output."""

    def run(source, *arguments, code=0, options=("-X", "dev"), environment=None, timeout=PATIENCE):
        program = tmp_path / "program.py"
        program.write_text("import warnings; warnings.simplefilter('ignore')\n" + textwrap.dedent(source))
        done = subprocess.run(
            [sys.executable, *options, str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            env={**os.environ, **(environment or {})},
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def package() -> Path:
    """The folder of the installed package."""
    folder = Path(lambed.__file__).parent
    assert "site-packages" in folder.parts
    return folder
