"""Checks that includes point down: a room of core/ may include the rooms below it, a host only host.h and its own files."""

import re
import subprocess
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Each room with the rooms it may include besides itself.
BELOW: dict[str, set[str]] = {"base": set()}
for room, direct in [
    ("model", ["base"]),
    ("telemetry", ["model"]),
    ("storage", ["model"]),
    ("catalog", ["telemetry", "storage"]),
    ("environments", ["catalog"]),
    ("worker", ["environments"]),
    ("invocation", ["environments"]),
    ("events", ["invocation"]),
    ("gateway", ["events"]),
    ("http", ["base"]),
    ("api", ["gateway", "http"]),
    ("cli", ["api"]),
]:
    BELOW[room] = set(direct).union(*(BELOW[d] for d in direct))


def complaint(path: Path, quoted: bool, included: str) -> str | None:
    """Why `path` must not include `included`, or None."""
    parts = path.parts
    first = included.split("/")[0]
    public = first == "lambed"
    if parts[0] == "core":
        room = parts[1]
        if room == "include":
            if (quoted and not public) or first in BELOW:
                return "a public header includes public headers only"
            return None
        if room not in BELOW:
            return f"core/{room} is not a room that tools/lint/layering.py knows"
        if first in BELOW and first != room and first not in BELOW[room]:
            return f"{room} may include only " + (", ".join(r for r in BELOW if r in BELOW[room]) or "itself")
        if first in ("hosts", "bindings", "tests"):
            return f"the core does not know {first}"
        return None
    if parts[0] == "hosts" or parts[:2] == ("tests", "scripted_host"):
        if public and included != "lambed/host.h":
            return "a host includes <lambed/host.h> and nothing else of ours"
        if quoted and not public:
            root = Path(*parts[:2])
            if not ((path.parent / included).is_file() or (root / included).is_file()):
                return "a host includes <lambed/host.h> and its own files"
        elif first in BELOW and (Path("core") / included).is_file():
            return "a host includes <lambed/host.h> and nothing else of ours"
        return None
    if parts[0] in ("bindings", "examples"):
        if (Path("core") / included).is_file():
            return f"{parts[0]} see the public headers only"
        return None
    return None


def main() -> int:
    listing = ["git", "ls-files", "-co", "--exclude-standard", "--", "core", "hosts", "bindings", "examples", "tests"]
    files = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split("\n")
    wrong = 0
    for name in files:
        path = Path(name)
        if path.suffix not in (".cc", ".h", ".c") or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if match and (reason := complaint(path, match.group(1) == '"', match.group(2))):
                print(f"{path}:{number}: includes {match.group(2)}: {reason}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
