"""Adds up a ctest log: `N passed, N failed`, counting test cases where a suite reports them, else suites.

tally.py LOG [FAILURES]: what failed is added to FAILURES, suite by suite, with the lines that say why.
"""

import re
import sys

CASES = re.compile(r"^\s*(\d+) test cases? out of (\d+) passed", re.M)
FAILED_CASES = re.compile(r"^\s*(\d+) test cases? out of \d+ (?:failed|aborted)", re.M)
# What Boost.Test, unittest, node:test and ctest itself say of a failure.
REASON = re.compile(
    r"(?:fatal )?error: in |^(?:FAIL|ERROR): |^\s*not ok |^\s*✖ |^Test timeout|^\s*\w*(?:Error|Exception): "
    r"|==ERROR: |^WARNING: ThreadSanitizer|runtime error: "
)
MOST_REASONS = 12


class Suite:
    """What ctest wrote of the last try of a suite."""

    def __init__(self, name: str, section: str) -> None:
        self.name = name
        self.section = section
        # ctest says "Test Passed." of a program that it did not find.
        self.passed = re.search(r"^Test Passed\.$", section, re.M) is not None and 'Command: ""' not in section

    def counts(self) -> tuple[int, int]:
        cases = CASES.search(self.section)
        good = int(cases.group(1)) if cases else int(self.passed)
        bad = sum(int(m.group(1)) for m in FAILED_CASES.finditer(self.section))
        # A suite that died, or failed without naming a case, is one failure.
        if not self.passed and bad == 0:
            bad = 1
        return good, bad

    def reasons(self) -> list[str]:
        lines = [line.rstrip() for line in self.section.splitlines() if line.strip()]
        return [line for line in lines if REASON.search(line)][:MOST_REASONS] or lines[-MOST_REASONS:]


def last_tries(log: str) -> list[Suite]:
    pieces = re.split(r"^\d+/\d+ Test: (.*)$", log, flags=re.M)[1:]
    suites: dict[str, Suite] = {}
    for name, section in zip(pieces[::2], pieces[1::2], strict=True):
        if name in suites:
            print(f"{name}: needed a second try", *suites[name].reasons(), sep="\n    ", file=sys.stderr)
        suites[name] = Suite(name, section)
    return list(suites.values())


def main(log_path: str, failures_path: str | None) -> None:
    try:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            suites = last_tries(log.read())
    except FileNotFoundError:
        print("0 passed, 1 failed")  # ctest found nothing to run
        return
    counts = [suite.counts() for suite in suites]
    print(f"{sum(good for good, _ in counts)} passed, {sum(bad for _, bad in counts)} failed")
    if failures_path is None:
        return
    with open(failures_path, "a", encoding="utf-8") as failures:
        for suite, (_, bad) in zip(suites, counts, strict=True):
            if bad:
                print(suite.name, *suite.reasons(), sep="\n    ", file=failures)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
