"""Adds up a ctest log: `N passed, N failed`, counting test cases where a suite reports them, else suites."""

import re
import sys

CASES = re.compile(r"^\s*(\d+) test cases? out of (\d+) passed", re.M)
FAILED_CASES = re.compile(r"^\s*(\d+) test cases? out of \d+ (?:failed|aborted)", re.M)


def tally(log: str) -> tuple[int, int]:
    passed = failed = 0
    pieces = re.split(r"^\d+/\d+ Test: (.*)$", log, flags=re.M)[1:]
    sections: dict[str, str] = {}
    for name, section in zip(pieces[::2], pieces[1::2], strict=True):
        if name in sections:
            print(f"{name}: needed a second try", file=sys.stderr)
        sections[name] = section  # of several tries the last one counts
    for section in sections.values():
        # ctest says "Test Passed." of a program that it did not find.
        suite_passed = re.search(r"^Test Passed\.$", section, re.M) is not None and 'Command: ""' not in section
        cases = CASES.search(section)
        good = int(cases.group(1)) if cases else int(suite_passed)
        bad = sum(int(m.group(1)) for m in FAILED_CASES.finditer(section))
        # A suite that died, or failed without naming a case, is one failure.
        if not suite_passed and bad == 0:
            bad = 1
        passed += good
        failed += bad
    return passed, failed


if __name__ == "__main__":
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
            counts = tally(log.read())
    except FileNotFoundError:
        counts = (0, 1)  # ctest found nothing to run
    print(f"{counts[0]} passed, {counts[1]} failed")
