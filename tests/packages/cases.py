"""Runs the unittest cases of a script and ends with the line that tools/dev/tally.py counts."""

import sys
import unittest


def main(module: str = "__main__") -> None:
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"  {result.testsRun - bad} test cases out of {result.testsRun} passed")
    if bad:
        print(f"  {bad} test cases out of {result.testsRun} failed")
    sys.exit(1 if bad or not result.testsRun else 0)
