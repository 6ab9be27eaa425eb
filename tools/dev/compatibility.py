"""docs/compatibility.md: interpreters x contexts x features, from what the matrix (tests/matrix) really ran.

compatibility.py write build/release/matrix    writes the page from these results, keeping what it says of versions that this
                                               machine has not run
compatibility.py check build/release/matrix    exit status 1 when the page has other contexts, languages or features than the
                                               matrix, or says something else of a version that this machine has run
"""

import re
import sys
from pathlib import Path

from matrix import CHECKS, CONTEXTS, FEATURES, LANGUAGES, Runs, numbers, read

# Not the same on all machines: a container may forbid what it needs.
DEPENDS_ON_THE_MACHINE = {"own_working_directory"}

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
TITLES = {**CHECKS, **FEATURES}
HEAD = """# What runs where

Which language runs by which interpreter in which program, and what holds there. Each cell is what the runs of the test matrix
(`tests/matrix`, a part of `./dev test`) have observed; `./dev compatibility` writes this page from them. It keeps the versions
that other machines have run, so it is the sum of them.

"yes" means that the run has shown it, "no" that it is not so there, which [isolation.md](isolation.md) explains. A minor
version stands for all its patch versions.
"""
TAIL = """
Where the interpreter comes from: in a C++ program and in the `lambed` program the Python host takes the `libpython` of
`python3` (`LAMBED_PYTHON` or the host option `interpreter` name another one), the Node.js host is the `libnode` of
the distribution, the Ruby host takes the `libruby` of `ruby`. Inside Python, Python functions run by the interpreter
of the process; inside node, Node.js functions run in the node of the process.

Before Python 3.13, Python functions inside a Python process share its interpreter lock: one that is stuck in C code holds up the
process, and its timeout and Ctrl-C take effect when that call ends. lambed warns of it (`SharedLockWarning`);
[isolation.md](isolation.md) tells what to do.
"""

# (context and its version, language and its interpreter's) -> check -> "yes" or "no"
Page = dict[tuple[str, str], dict[str, str]]


def minor(version: str) -> str:
    """The part of a version that decides: 3.11 of 3.11.7, 20 of 20.20.2 (node numbers its releases so)."""
    first, *rest = numbers(version) or (0,)
    return f"{first}.{rest[0]}" if rest and first < 10 else str(first)


def observed(runs: Runs) -> Page:
    page: Page = {}
    for (context, process, language, interpreter), cells in runs.items():
        where = f"{CONTEXTS[context]} {minor(process)}" if process else CONTEXTS[context]
        answers = page.setdefault((where, f"{LANGUAGES[language]} {minor(interpreter)}"), {})
        for check in TITLES:
            cell = cells.get(check, {})
            holds = cell.get("passed") is True and cell.get("observed") is not False
            answers[check] = "yes" if holds and answers.get(check, "yes") == "yes" else "no"
    return page


def written() -> tuple[list[str], Page]:
    """The titles of the features, and the cells, as they stand in the page."""
    if not PAGE.exists():
        return [], {}
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [re.split(r" *\| *", line.strip("| ")) for line in lines if line.startswith("|")]
    if len(rows) < 3:
        return [], {}
    names = {title: check for check, title in TITLES.items()}
    titles = rows[0][2:]
    checks = [names.get(title, title) for title in titles]
    return titles, {(where, what): dict(zip(checks, cells, strict=True)) for where, what, *cells in rows[2:]}


def place(key: tuple[str, str]) -> tuple[int, tuple[int, ...], int, tuple[int, ...]]:
    where, what = key
    context = next(n for n, name in enumerate(CONTEXTS.values()) if where.startswith(name))
    language = next(n for n, name in enumerate(LANGUAGES.values()) if what.startswith(name))
    return context, numbers(where.rsplit(" ", 1)[1]), language, numbers(what.rsplit(" ", 1)[1])


def write(page: Page) -> None:
    lines = [["In a", "functions in", *TITLES.values()], ["---"] * (2 + len(TITLES))]
    for key in sorted(page, key=place):
        lines.append([*key, *(page[key].get(check, "?") for check in TITLES)])
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    PAGE.write_text(f"{HEAD}\n{table}{TAIL}", encoding="utf-8")


def complaints(now: Page) -> list[str]:
    titles, page = written()
    found = []
    if titles != list(TITLES.values()):
        found.append(f"its features are {titles}, those of the matrix {list(TITLES.values())}")
    for context in CONTEXTS.values():
        for language in LANGUAGES.values():
            if not any(where.startswith(context) and what.startswith(language) for where, what in page):
                found.append(f"it says nothing of {language} in a {context}")
    for key, answers in now.items():
        for check, answer in answers.items() if key in page else ():
            if page[key].get(check) != answer and check not in DEPENDS_ON_THE_MACHINE:
                found.append(f"{key[1]} in a {key[0]}, {TITLES[check]}: it says {page[key].get(check)}, the run {answer}")
    return found


def main() -> int:
    command, folder = sys.argv[1], Path(sys.argv[2])
    now = observed(read(folder))
    if command == "write":
        write({**written()[1], **now})
        return 0
    found = complaints(now)
    for complaint in found:
        print(f"docs/compatibility.md: {complaint} (./dev compatibility writes it)")
    _, page = written()
    for where, what in sorted(set(now) - set(page), key=place):
        print(f"docs/compatibility.md does not know {what} in a {where} yet; ./dev compatibility adds it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
