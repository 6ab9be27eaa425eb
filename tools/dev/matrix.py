"""The 3 x 3 matrix: what the runs of tests/matrix have found, as one table.

matrix.py build/release/matrix      prints it; exit status 1 when a cell of the nine is missing or has failed
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

CONTEXTS = {"cpp": "C++ program", "python": "Python process", "node": "Node.js process"}
LANGUAGES = {"python": "Python", "nodejs": "Node.js", "ruby": "Ruby"}
# What must hold everywhere.
CHECKS = {
    "echo": "echo",
    "error_document": "error document",
    "busy_loop": "timeout of a busy loop",
    "swallow_loop": "timeout of a swallow-everything loop",
    "eight_at_once": "8 at once",
    "child_environment": "a subprocess's environment",
    "clean_exit": "clean exit with calls in flight",
}
# What a language has or has not: observed, and written down in docs/compatibility.md.
FEATURES = {
    "exit_ends_the_environment_only": "`exit` ends the environment only",
    "memory_limit": "memory limit",
    "own_working_directory": "working directory of its own",
}

# (context, its version, language, the interpreter's version) -> check -> what the line of tests/matrix/run.py says
Runs = dict[tuple[str, str, str, str], dict[str, dict[str, object]]]


def read(folder: Path) -> Runs:
    runs: Runs = {}
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            cell = json.loads(line)
            key = (cell["context"], cell["process"], cell["language"], cell["interpreter"])
            runs.setdefault(key, {})[cell["check"]] = cell
    return dict(sorted(runs.items(), key=lambda run: order(run[0])))


def order(key: tuple[str, str, str, str]) -> tuple[int, tuple[int, ...], int, tuple[int, ...]]:
    context, process, language, interpreter = key
    return list(CONTEXTS).index(context), numbers(process), list(LANGUAGES).index(language), numbers(interpreter)


def numbers(version: str) -> tuple[int, ...]:
    """"3.11.7" -> (3, 11, 7); () of what is no version."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def columns(rows: Iterable[list[str]]) -> str:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def show(runs: Runs) -> list[str]:
    """Prints the table; the cells that are not as they should be."""
    head = ["in a", "functions in", *(title.replace("timeout of a ", "").removeprefix("a ") for title in CHECKS.values())]
    head[-1] = "clean exit"
    rows, bad = [head], []
    for (context, process, language, interpreter), cells in runs.items():
        verdicts = []
        for check in CHECKS:
            good = cells.get(check, {}).get("passed") is True
            verdicts.append("ok" if good else "FAILED" if check in cells else "MISSING")
            if not good:
                bad.append(f"{CONTEXTS[context]}, {LANGUAGES[language]} {interpreter}: {CHECKS[check]}")
        rows.append([f"{CONTEXTS[context]} {process}".strip(), f"{LANGUAGES[language]} {interpreter}", *verdicts])
    there = {(context, language) for context, _, language, _ in runs}
    for context in CONTEXTS:
        for language in LANGUAGES:
            if (context, language) not in there:
                rows.append([CONTEXTS[context], LANGUAGES[language], *["MISSING"] * len(CHECKS)])
                bad.append(f"{CONTEXTS[context]}, {LANGUAGES[language]}: never ran")
    print(columns(rows))
    return bad


if __name__ == "__main__":
    failures = show(read(Path(sys.argv[1])))
    for failure in failures:
        print(f"FAILED  {failure}")
    sys.exit(1 if failures else 0)
