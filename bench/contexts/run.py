"""What a call costs from Python and from JavaScript against the same call from C++: a 100 B echo, in one sitting.

run.py --python VENV/bin/python --app FOLDER [--driver build/release/bench/bench_contexts_cpp] [--languages nodejs,python,ruby]

VENV and FOLDER are an environment and a folder in which the packages are installed. A driver of each context is started for
each language of functions, and they are asked by turns, so that a machine that slows down slows down all of them. A driver
reads lines, "invoke N", "ainvoke N" (Python's asyncio) or "flood N IN_FLIGHT", and answers each with a line of JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGETS = {("python", "invoke"): 5.0, ("python", "ainvoke"): 15.0, ("node", "invoke"): 10.0}  # us more than C++
FLOODS = {"python": 100_000, "node": 150_000}  # calls a second by Node.js functions
IN_FLIGHT = 64
TITLES = {"cpp": "C++ invoke", "python": "Python invoke", "node": "JS await invoke"}


class Driver:
    def __init__(self, *command: object, cwd: Path | None = None) -> None:
        words = [str(word) for word in command]
        self._process = subprocess.Popen(words, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what: str, *numbers: int) -> dict[str, float]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, (what, *numbers))) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"a driver ended: {self._process.args!r}")
        return json.loads(answer)

    def end(self) -> None:
        self._process.communicate()


def measure(language: str, options: argparse.Namespace) -> None:
    drivers = {
        "cpp": Driver(options.driver, language),
        "python": Driver(options.python, HERE / "python_driver.py", language),
        "node": Driver("node", HERE / "node_driver.mjs", language, cwd=options.app),
    }
    ways = [("cpp", "invoke"), ("python", "invoke"), ("python", "ainvoke"), ("node", "invoke")]
    for context, way in ways:
        drivers[context].ask(way, options.calls)
    for driver in drivers.values():
        for in_flight in range(4, IN_FLIGHT + 1, 4):  # opens the environments, a few at a time
            driver.ask("flood", 50 * in_flight, in_flight)
    times: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    floods: dict[str, list[float]] = {context: [] for context in drivers}
    for _ in range(options.rounds):
        for context, way in ways:
            times[context, way].append(drivers[context].ask(way, options.calls)["p50_us"])
        for context, driver in drivers.items():
            floods[context].append(driver.ask("flood", options.flood, IN_FLIGHT)["per_second"])
    for driver in drivers.values():
        driver.end()
    print(f"\n{language} functions, 100 B echo, {options.rounds} rounds by turns: median of the rounds' p50")
    base = statistics.median(times["cpp", "invoke"])
    for key, values in times.items():
        middle = statistics.median(values)
        target = f"  (at most +{TARGETS[key]:.0f})" if key in TARGETS else ""
        title = "Python ainvoke" if key[1] == "ainvoke" else TITLES[key[0]]
        spread = f"{min(values):.1f}..{max(values):.1f}"
        print(f"  {title:16} {middle:7.1f} us  {middle - base:+6.1f}{target:15}  rounds {spread}")
    for context, values in floods.items():
        target = f"  (at least {FLOODS[context]:,})" if context in FLOODS and language == "nodejs" else ""
        print(f"  64 in flight, {context:7} {statistics.median(values):9,.0f} a second{target}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--app", type=Path, required=True)
    parser.add_argument("--driver", type=Path, default=ROOT / "build/release/bench/bench_contexts_cpp")
    parser.add_argument("--languages", default="nodejs,python,ruby")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--flood", type=int, default=40_000)
    options = parser.parse_args()
    options.python = Path(os.path.abspath(options.python))  # a link to the interpreter, which must not be followed
    for language in options.languages.split(","):
        measure(language, options)


if __name__ == "__main__":
    main()
