"""The Python package as its users meet it, twice: `pip install <checkout>` in a fresh virtual environment, in which tests/python
run, and a wheel made from the sdist in another, in which the matrix of languages runs.

python_package_test.py --source CHECKOUT --scratch FOLDER [--part checkout|sdist] [--cc COMPILER --cxx COMPILER] [--matrix FILE]
                       [ARGUMENT OF pytest...]
Ends with the line that tools/dev/tally.py counts. Needs the package registry (build requirements, pytest, mypy, uvloop).
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import venv
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--scratch", type=Path, required=True)
parser.add_argument("--part", choices=("checkout", "sdist"), help="one of the two; both can run at the same time")
parser.add_argument("--cc")
parser.add_argument("--cxx")
parser.add_argument("--node-prefix", help="libnode's, where it is not the system's: an sdist cannot carry it")
parser.add_argument("--matrix", type=Path, help="where the results of tests/matrix go")
options, pytest_arguments = parser.parse_known_args()

# Nothing of the build tree may help the package.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("LAMBED_") and k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] = "1"
# ... but for its objects, which ccache knows when paths are relative and the compiler has the same name (Python would ask for
# the one that it was built with). pip unpacks the sdist into TMPDIR.
ENVIRONMENT |= {"CCACHE_BASEDIR": str(options.source), "CCACHE_NOHASHDIR": "1", "TMPDIR": str(options.scratch / "tmp")}
ENVIRONMENT |= {name: value for name, value in (("CC", options.cc), ("CXX", options.cxx)) if value}
NOTHING_COLLECTED = 5  # what pytest ends with when arguments such as -k leave nothing of these files
BUILD_TOOLS = ["scikit-build-core>=0.10", "pybind11>=2.12"]  # as in pyproject.toml
TEST_TOOLS = ["pytest>=8", "mypy>=1.10", "uvloop>=0.19"]
TEN_LINES = """
import lambed
with lambed.Gateway() as gateway:
    gateway.create_function("shout", runtime="ruby3.2", handler="app.handler",
        code=lambed.Code.inline("def handler(event:, context:) = event['text'].upcase"))
    gateway.create_function("count", runtime="nodejs20.x", handler="app.handler",
        code=lambed.Code.inline("exports.handler = async (text) => ({ text, length: text.length })"))
    text = gateway.invoke("shout", {"text": "hello"}).payload
    assert gateway.invoke("count", text).payload == {"text": "HELLO", "length": 5}
"""


class Failed(Exception):
    pass


def step(what: str, *command: object, cwd: Path | None = None, may_fail: bool = False) -> int:
    begin = time.monotonic()
    code = subprocess.run([str(word) for word in command], cwd=cwd, env=ENVIRONMENT, check=False).returncode
    print(f"{what}: exit code {code}, {time.monotonic() - begin:.0f} s", flush=True)
    if code and not may_fail:
        raise Failed(what)
    return code


def fresh(name: str) -> tuple[Path, tuple[object, ...]]:
    """A new virtual environment: its Python, and how pip is called there."""
    place = options.scratch / name
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    return python, (python, "-m", "pip", "-q", "--disable-pip-version-check", "--no-input")


def test_checkout() -> tuple[int, int]:
    """(test cases, failed ones) of tests/python."""
    python, pip = fresh("of-checkout")
    step("pip install <checkout>", *pip, "install", options.source)
    step("test tools", *pip, "install", *TEST_TOOLS)
    step("lint of the generated errors", python, options.source / "tools/python/generate_errors.py", "--check")
    tests = options.source / "tests/python"
    # Who starts processes mostly waits for them: beside the others.
    waiting = ["test_process.py", "test_package.py"]
    rest = sorted(file.name for file in tests.glob("test_*.py") if file.name not in waiting)
    with ThreadPoolExecutor() as pool:
        counts = list(pool.map(run_pytest, (python, python), ("waiting", "rest"), (waiting, rest)))
    return sum(run for run, _ in counts), sum(bad for _, bad in counts)


def run_pytest(python: Path, name: str, files: list[str]) -> tuple[int, int]:
    report = options.scratch / f"{name}.xml"
    code = step(
        f"pytest {' '.join(files)}", python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
        "-o", "faulthandler_timeout=120", f"--basetemp={options.scratch / name}", *files, *pytest_arguments,
        cwd=options.source / "tests/python", may_fail=True,
    )
    if not report.exists():
        raise Failed("pytest did not begin")
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    bad = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
    return int(suite.get("tests", "0")), bad or int(code not in (0, NOTHING_COLLECTED))


def test_wheel_of_sdist() -> None:
    # The sdist holds all that a build needs, and is built where no checkout is near.
    python, pip = fresh("of-sdist")
    step("build tools", *pip, "install", *BUILD_TOOLS)
    dist = options.scratch / "dist"
    step("sdist", python, "-c", f"import scikit_build_core.build as b; b.build_sdist({str(dist)!r})", cwd=options.source)
    [sdist] = dist.glob("lambed-*.tar.gz")
    settings = [f"--config-settings=cmake.define.LAMBED_NODE_PREFIX={options.node_prefix}"] if options.node_prefix else []
    step("wheel of the sdist", *pip, "wheel", "--no-deps", "--no-build-isolation", *settings, "-w", dist, sdist)
    [wheel] = dist.glob("lambed-*.whl")
    shutil.rmtree(python.parent.parent)
    python, pip = fresh("of-sdist")
    step("pip install <wheel>", *pip, "install", wheel)
    empty = options.scratch / "empty"
    empty.mkdir()
    step("ten lines in an empty folder", python, "-W", "ignore", "-c", TEN_LINES, cwd=empty)
    matrix = options.source / "tests/matrix"
    step(
        "matrix", sys.executable, "-B", matrix / "run.py", "--context", "python",
        "--out", options.matrix or options.scratch / "matrix.jsonl", "--", python, matrix / "python_context.py", cwd=empty,
    )


def main() -> int:
    shutil.rmtree(options.scratch, ignore_errors=True)
    (options.scratch / "tmp").mkdir(parents=True)
    run, bad = 0, 0
    if options.part != "sdist":
        try:
            run, bad = test_checkout()
        except Failed:
            run, bad = 1, 1
    if options.part != "checkout":
        run += 1
        try:
            test_wheel_of_sdist()
        except Failed:
            bad += 1
    print(f"  {run - bad} test cases out of {run} passed")
    if bad:
        print(f"  {bad} test cases out of {run} failed")
    else:
        shutil.rmtree(options.scratch, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
