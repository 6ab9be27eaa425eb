"""Checks that no tracked file names a path of somebody's machine or the host of a package registry."""

import re
import subprocess
import sys
from pathlib import Path

# A path of one machine: a home folder (but not an example's /home/user), or a work folder at the root.
FORBIDDEN = [
    (re.compile(r"(?<![\w.$}/-])/(?:root|work)/\w"), "a path of one machine"),
    (re.compile(r"(?<![\w.$}/-])/home/(?!user\b|sbx_user)\w+"), "a path of one machine"),
    (re.compile(r"\b(?:deb\.debian|archive\.ubuntu|security\.ubuntu)\.(?:org|com)\b"), "a package registry's host"),
    (re.compile(r"\b(?:registry\.npmjs\.org|files\.pythonhosted\.org|pypi\.org|rubygems\.org)\b"), "a package registry's host"),
]


def main() -> int:
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    files = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\n")
    wrong = 0
    for name in filter(None, files):
        path = Path(name)
        if path == Path("tools/lint/machine_paths.py") or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, what in FORBIDDEN:
                match = pattern.search(line)
                if match:
                    print(f"{path}:{number}: {match.group(0)}: {what}")
                    wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
