"""The Python package as its users meet it: a fresh virtual environment, `pip install <checkout>`, then tests/python in it.

python_package_test.py --source CHECKOUT --scratch FOLDER
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
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--source", type=Path, required=True)
parser.add_argument("--scratch", type=Path, required=True)
options, pytest_arguments = parser.parse_known_args()

# Nothing of the build tree may help the package.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("LAMBED_") and k not in ("LD_LIBRARY_PATH", "PYTHONPATH")}
ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] = "1"
TEST_TOOLS = ["pytest>=8", "mypy>=1.10", "uvloop>=0.19"]


def step(what: str, *command: object, cwd: Path | None = None) -> int:
    begin = time.monotonic()
    code = subprocess.run([str(word) for word in command], cwd=cwd, env=ENVIRONMENT, check=False).returncode
    print(f"{what}: exit code {code}, {time.monotonic() - begin:.0f} s", flush=True)
    return code


def main() -> int:
    shutil.rmtree(options.scratch, ignore_errors=True)
    environment = options.scratch / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input")
    if step("pip install <checkout>", *pip, options.source) or step("test tools", *pip, *TEST_TOOLS):
        return 1
    step("lint of the generated errors", python, options.source / "tools/python/generate_errors.py", "--check") and sys.exit(1)
    report = options.scratch / "report.xml"
    code = step(
        "pytest", python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-o", "faulthandler_timeout=120",
        f"--basetemp={options.scratch / 'tmp'}", *pytest_arguments, cwd=options.source / "tests/python",
    )
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    run = int(suite.get("tests", "0"))
    bad = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
    print(f"  {run - bad} test cases out of {run} passed")
    if bad:
        print(f"  {bad} test cases out of {run} failed")
    else:
        shutil.rmtree(options.scratch, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
