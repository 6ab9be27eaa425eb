"""Runs the soak several times, with a seed of its own each, and judges the memory of all runs together.

    soak_series.py PROGRAM RUNS MINUTES [ARGUMENT...]

One minute says little about memory: chance moves it by as much as a leak would. Many runs together say what one run of their
total length does, and are judged so: tests/soak/flatness.h. Exit status 0 only when every run was good and the growths, on
average, are within what a run of that length may show.
"""

import math
import re
import statistics
import subprocess
import sys

GROWTH = re.compile(
    r"growth .*: ([+-][\d.]+) % as measured, ([+-][\d.]+) % with .*; at most ([+-][\d.]+) %"
)
CALLS = re.compile(r"^(\d+) calls, ", re.MULTILINE)
MOST = 3.0  # %, of a run that is long enough


def main(program: str, runs: str, minutes: str, *arguments: str) -> int:
    rows = []
    for seed in range(1, int(runs) + 1):
        command = [program, "--minutes", minutes, "--seed", str(seed), *arguments]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        growth = GROWTH.search(run.stdout)
        calls = CALLS.search(run.stdout)
        if run.returncode != 0 or growth is None or calls is None:
            print(run.stdout)
            print(f"run {seed}: FAILED, status {run.returncode}", flush=True)
            rows.append(None)
            continue
        measured, comparable, most = map(float, growth.groups())
        print(
            f"run {seed}: {int(calls[1]):,} calls, memory {measured:+.1f} % as measured, {comparable:+.1f} % with as"
            " many environments",
            flush=True,
        )
        rows.append((measured, comparable, most))
    good = [row for row in rows if row is not None]
    print(f"{len(good)} of {len(rows)} runs as they should be")
    if not good:
        return 1
    measured, comparable, most = (statistics.mean(column) for column in zip(*good, strict=True))
    most = MOST + (most - MOST) / math.sqrt(len(good))
    print(
        f"memory on average: {measured:+.1f} % as measured, {comparable:+.1f} % with as many environments; at most {most:+.1f} %"
    )
    return 0 if len(good) == len(rows) and comparable <= most else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
