"""Whether clang takes the core without a warning: each of its files in the fuzz preset's build, parsed and checked, but not
compiled, which takes a fifth of the time. The fuzz targets themselves need only some rooms.

second_compiler.py build/fuzz
"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def check(entry: dict[str, str]) -> bool:
    command = shlex.split(entry["command"])
    at = command.index("-o")
    command[at : at + 2] = ["-fsyntax-only"]
    done = subprocess.run(command, cwd=entry["directory"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{entry['file']}:\n{done.stdout}{done.stderr}", end="")
    return done.returncode == 0


def main() -> int:
    build = Path(sys.argv[1])
    entries = json.loads((build / "compile_commands.json").read_text())
    core = [entry for entry in entries if " -o core/" in entry["command"] and "cmake_pch" not in entry["file"]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        good = list(pool.map(check, core))
    print(f"{sum(good)} of {len(core)} translation units")
    return 0 if core and all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
