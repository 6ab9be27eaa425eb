"""What becomes of events that are over: dead letters and records, as `lambed serve` sends them and the services get them.

events_test.py --program PATH --scratch FOLDER
moto and boto3 are installed from the configured registry into FOLDER/venv, unless they are there. Ends with the line that
tools/dev/tally.py counts.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = ["moto[server]", "boto3"]

parser = argparse.ArgumentParser()
parser.add_argument("--program", type=Path, required=True)
parser.add_argument("--scratch", type=Path, required=True)


def install(scratch: Path) -> Path:
    """As their users do. moto's server brings a lot along, so that it is kept from run to run."""
    folder = scratch / "venv"
    ready = folder / "ready"
    wanted = f"{REQUIREMENTS} {sys.version}"
    if not ready.exists() or ready.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, *REQUIREMENTS], check=True)
        ready.write_text(wanted)
    return folder / "bin/python"


if __name__ == "__main__":
    options, rest = parser.parse_known_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    python = install(options.scratch)
    # Nothing of the caller's own AWS settings may come in; a proxy must not stand between.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and "proxy" not in k.lower()}
    words = [python, "-B", HERE / "stories.py", options.program, options.scratch, *rest]
    sys.exit(subprocess.run(words, env=environment, check=False).returncode)
