"""The console script `lambed`: becomes the program that the wheel carries."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Runs bin/lambed of the package in place of this process. Python functions run in this interpreter's version."""
    program = Path(__file__).resolve().parent / "bin" / "lambed"
    # The python3 on PATH may be another one than that whose environment this is.
    os.environ.setdefault("LAMBED_PYTHON", sys.executable)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, ["lambed", *sys.argv[1:]])


if __name__ == "__main__":
    main()
