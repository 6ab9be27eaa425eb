"""One context of the 3 x 3 matrix: each language inside a C++ program, a Python process or a node process.

run.py --context NAME --out FILE [--languages python,nodejs,ruby] [--prints-cases] -- COMMAND...

COMMAND LANGUAGE is a program of that context (cpp_context.cc, python_context.py, node_context.mjs). It writes a line of JSON
for each thing it does:

  {"check": "start", "process": "3.11.2" or "", "interpreter": "20.20.2"}     what it is, what runs the functions
  {"check": NAME, "passed": true | false, "detail": TEXT, "observed": true | false | null}
  {"check": "ending"}     it leaves now, with calls in flight

and must then end soon, by itself, with status 7 and nothing on standard error: that is the check `clean_exit`. FILE gets the
lines with the context and the language; tools/dev/matrix.py makes the table of all contexts of them.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "dev"))
from matrix import CHECKS, FEATURES, LANGUAGES

STATUS = 7
SOON = 10.0  # seconds from "ending" to the end: the two that closing takes, and what a loaded machine adds
PATIENCE = 240.0  # for all of a language


def run(language: str, command: list[str]) -> list[dict[str, object]]:
    """The cells of one language; what is missing has failed."""
    cells: dict[str, dict[str, object]] = {}
    start: dict[str, object] = {}
    ending = 0.0
    with subprocess.Popen([*command, language], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(child.stderr.read()))
        reader.start()
        killer = threading.Timer(PATIENCE, child.kill)
        killer.start()
        for line in child.stdout:
            said = json.loads(line)
            if said["check"] == "start":
                start = said
            elif said["check"] == "ending":
                ending = time.monotonic()
            else:
                cells[said["check"]] = said
        status = child.wait()
        took = time.monotonic() - ending
        killer.cancel()
        reader.join()
    clean = bool(ending) and status == STATUS and took < SOON and not errors[0]
    how = f"exit status {status}, {took:.1f} s after it began to end" if ending else f"exit status {status} before its end"
    cells["clean_exit"] = {"check": "clean_exit", "passed": clean, "detail": "" if clean else f"{how}\n{errors[0]}"}
    common = {"language": language, "process": start.get("process", ""), "interpreter": start.get("interpreter", "?")}
    lost = {"passed": False, "detail": f"the program ended before it: {how}"}
    return [{**common, "check": name, **cells.get(name, lost)} for name in (*CHECKS, *FEATURES)]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--context", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--prints-cases", action="store_true", help="end with the line that tools/dev/tally.py counts")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    options.out.unlink(missing_ok=True)
    begin = time.monotonic()
    lines = []
    for language in options.languages.split(","):
        for cell in run(language, options.command):
            lines.append({"context": options.context, **cell})
            if not cell["passed"]:
                print(f"FAILED  {options.context}, {language}, {cell['check']}:\n{cell['detail']}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    bad = sum(not line["passed"] for line in lines)
    print(f"matrix, {options.context}: {len(lines) - bad} of {len(lines)} checks passed ({time.monotonic() - begin:.0f} s)")
    if options.prints_cases:
        print(f"  {len(lines) - bad} test cases out of {len(lines)} passed")
        if bad:
            print(f"  {bad} test cases out of {len(lines)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
