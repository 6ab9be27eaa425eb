#!/usr/bin/env python3
"""The same echo handler by others and by lambed, interleaved in one sitting.

    bench/rivals.py [--rounds N] [--keep FOLDER]

Installs what it compares with into a temporary folder, by pip, npm and go: python-lambda-local, lambda-local, and AWS's runtime
interface emulator with AWS's Python and Node.js clients. What cannot be had here is named and left out. Needs a release build
with the benchmarks. Prints three tables: a warm call inside a program, a warm call over HTTP, one call from the shell.
"""

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAMBED = ROOT / "build/release/bin/lambed"
BENCH = ROOT / "build/release/bench/bench_invoke"
EVENT = json.dumps({"version": "2.0", "id": "8f7a1c6e", "text": "x" * 56})

EMULATOR = "github.com/aws/aws-lambda-runtime-interface-emulator"

PYTHON_HANDLER = "def handler(event, context):\n    return event\n"
NODE_HANDLER = "exports.handler = async (event) => event;\n"

# Both print nanoseconds, a call a line.
PYTHON_LOOP = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
from lambda_local.context import Context
from lambda_local.main import call
import app
event = json.loads(sys.argv[1])
for i in range(int(sys.argv[2])):
    begin = time.perf_counter_ns()
    call(app.handler, event, Context(60))
    print(time.perf_counter_ns() - begin)
"""
NODE_LOOP = """
const lambdaLocal = require('lambda-local');
const { handler } = require('./app.js');
lambdaLocal.setLogger({ log() {}, info() {}, warn() {}, error() {}, debug() {}, transports: [] });
(async () => {
  const times = [];
  for (let i = 0; i < Number(process.argv[2]); i += 1) {
    const begin = process.hrtime.bigint();
    await lambdaLocal.execute({
      event: JSON.parse(process.argv[1]), lambdaFunc: { handler }, lambdaHandler: 'handler', timeoutMs: 60000, verboseLevel: 0,
    });
    times.push(process.hrtime.bigint() - begin);
  }
  console.log(times.join('\\n'));
})();
"""


class Missing(Exception):
    """A rival that cannot be had or does not run here; the text says why."""


def run(command, cwd=None, **variables):
    """Standard output of a command; Missing with its last lines when it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **{name: str(value) for name, value in variables.items()}},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    if done.returncode != 0:
        raise Missing(" ".join((done.stderr or done.stdout).split()[-40:]))
    return done.stdout


def median_us(output):
    """Of the nanoseconds that a loop has printed."""
    times = [int(word) for word in output.split() if word.isdigit()]
    if not times:
        raise Missing(f"it printed no times but {output[-200:]!r}")
    return statistics.median(times) / 1000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def table(title, rows):
    """`rows`: {name: [median of each round in microseconds]}."""
    print(f"\n{title}")
    if not rows:
        print("  nothing to compare")
    for name, values in rows.items():
        middle = statistics.median(values)
        text = f"{middle:.1f} us" if middle < 1000 else f"{middle / 1000:.2f} ms"
        print(f"  {name:<58} {text:>12}")
    sys.stdout.flush()


class Sitting:
    def __init__(self, folder, rounds):
        self.folder = folder
        self.rounds = rounds
        self.task = folder / "task"
        self.task.mkdir()
        (self.task / "app.py").write_text(PYTHON_HANDLER)
        (self.task / "app.js").write_text(NODE_HANDLER)
        (self.task / "event.json").write_text(EVENT)

    # Installing

    def python(self):
        """A virtual environment with both Python rivals, made once."""
        home = self.folder / "venv"
        if not home.exists():
            run([sys.executable, "-m", "venv", home])
        return home / "bin/python3"

    def pip(self, package):
        run([self.python(), "-m", "pip", "install", "--quiet", package])

    def npm(self, package):
        if shutil.which("npm") is None:
            raise Missing("npm is not installed")
        run(["npm", "install", "--loglevel=error", "--no-audit", "--no-fund", "--prefix", self.task, package])

    def emulator(self):
        """The emulator's program: an installed one, or built by go."""
        if found := shutil.which("aws-lambda-rie"):
            return found
        if shutil.which("go") is None:
            raise Missing("neither aws-lambda-rie nor go is installed")
        home = self.folder / "emulator"
        program = home / "bin/aws-lambda-rie"
        if not program.exists():
            run(
                ["go", "install", f"{EMULATOR}/cmd/aws-lambda-rie@latest"],
                GOBIN=program.parent,
                GOPATH=home / "go",
                GOFLAGS="-modcacherw",
            )
        return program

    # A warm call inside a program

    def lambed_in_process(self, language):
        output = run([BENCH, "--language", language, "--only", "back-to-back", "--quick"])
        row = next(line for line in output.splitlines() if re.match(r"\s*100 B\s+blocking", line))
        number, unit = re.split(r"\s{2,}", row.strip())[4].split()
        return float(number) * {"us": 1, "ms": 1000}[unit]

    def python_lambda_local(self):
        return median_us(run([self.python(), "-c", PYTHON_LOOP, EVENT, 200], cwd=self.task, PYTHONPATH=self.task))

    def lambda_local(self):
        return median_us(run(["node", "-e", NODE_LOOP, "--", EVENT, 2000], cwd=self.task))

    # One call from the shell

    def shell(self, command):
        begin = time.perf_counter_ns()
        run(command, cwd=self.task)
        return (time.perf_counter_ns() - begin) / 1000


@contextlib.contextmanager
def emulator(sitting, client, handler="app.handler"):
    """The emulator with a runtime client behind it: the port it answers at."""
    port, api = free_port(), free_port()
    with open(sitting.folder / "emulator.log", "ab") as log:
        server = subprocess.Popen(
            [
                str(word)
                for word in [
                    sitting.emulator(),
                    "--runtime-interface-emulator-address",
                    f"127.0.0.1:{port}",
                    "--runtime-api-address",
                    f"127.0.0.1:{api}",
                    *client,
                    handler,
                ]
            ],
            cwd=sitting.task,
            stdout=log,
            stderr=log,
            env={**os.environ, "LAMBDA_TASK_ROOT": str(sitting.task), "AWS_LAMBDA_FUNCTION_TIMEOUT": "60"},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise Missing("the emulator does not listen: " + (sitting.folder / "emulator.log").read_text()[-300:])
            time.sleep(0.05)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 9)
        server.wait()


def http_us(port, calls=300):
    """Median of that many calls over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    for _ in range(calls):
        begin = time.perf_counter_ns()
        connection.request("POST", "/2015-03-31/functions/function/invocations", body=EVENT.encode())
        answer = connection.getresponse()
        body = answer.read()
        times.append(time.perf_counter_ns() - begin)
        if answer.status != 200 or json.loads(body) != json.loads(EVENT):
            raise Missing(f"it answered {answer.status} {body[:200]!r}")
    connection.close()
    return statistics.median(times) / 1000


def compare(title, contestants, rounds):
    """Each of {name: function} once a round; who fails is named and left out."""
    rows = {}
    contestants = dict(contestants)
    for _ in range(rounds):
        for name, measure in list(contestants.items()):
            try:
                rows.setdefault(name, []).append(measure())
            except Missing as reason:
                print(f"skipped: {name}: {reason}")
                del contestants[name]
                rows.pop(name, None)
    table(f"{title} (median of {rounds} interleaved rounds)", rows)


def installed(what, install):
    try:
        print(f"installing {what} ...", flush=True)
        install()
        return True
    except Missing as reason:
        print(f"skipped: {what}: {reason}")
        return False


def measure(sitting):
    has_python_local = installed("python-lambda-local (pip)", lambda: sitting.pip("python-lambda-local"))
    has_node_local = installed("lambda-local (npm)", lambda: sitting.npm("lambda-local"))
    has_emulator = installed("AWS's runtime interface emulator (go)", sitting.emulator)
    has_python_client = has_emulator and installed("awslambdaric (pip)", lambda: sitting.pip("awslambdaric"))
    has_node_client = has_emulator and installed("aws-lambda-ric (npm)", lambda: sitting.npm("aws-lambda-ric"))

    inside = {
        "lambed, Python": lambda: sitting.lambed_in_process("python"),
        "lambed, Node.js": lambda: sitting.lambed_in_process("node"),
        "lambed, Ruby": lambda: sitting.lambed_in_process("ruby"),
    }
    if has_python_local:
        inside["python-lambda-local, Python"] = sitting.python_lambda_local
    if has_node_local:
        inside["lambda-local, Node.js"] = sitting.lambda_local
    compare("A warm call inside a program", inside, sitting.rounds)

    clients = {}
    if has_python_client:
        clients["emulator + AWS's Python client"] = [sitting.python(), "-m", "awslambdaric"]
    if has_node_client:
        clients["emulator + AWS's Node.js client"] = [sitting.task / "node_modules/.bin/aws-lambda-ric"]
    with contextlib.ExitStack() as servers:
        over_http = {}
        for name, client in clients.items():
            try:
                port = servers.enter_context(emulator(sitting, client))
                http_us(port, 20)
                over_http[name] = lambda port=port: http_us(port)
            except Missing as reason:
                print(f"skipped: {name}: {reason}")
        compare("A warm call over HTTP, one connection", over_http, sitting.rounds)

    shell = {
        "lambed invoke, Python": lambda: sitting.shell(
            [LAMBED, "invoke", sitting.task / "app.py", "--handler", "app.handler", "--event", EVENT]
        ),
        "lambed invoke, Node.js": lambda: sitting.shell(
            [LAMBED, "invoke", sitting.task / "app.js", "--handler", "app.handler", "--event", EVENT]
        ),
    }
    if has_python_local:
        shell["python-lambda-local, Python"] = lambda: sitting.shell(
            [sitting.folder / "venv/bin/python-lambda-local", "-f", "handler", "-t", "60", "app.py", "event.json"]
        )
    if has_node_local:
        shell["lambda-local, Node.js"] = lambda: sitting.shell(
            [sitting.task / "node_modules/.bin/lambda-local", "-l", "app.js", "-e", "event.json"]
        )
    compare("One call from the shell, start and end of the program included", shell, sitting.rounds * 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="install into this folder, which must not exist yet, and leave it there")
    arguments = parser.parse_args()
    for program in (LAMBED, BENCH):
        if not program.exists():
            sys.exit(f"rivals: {program} is missing: ./dev bench builds it")
    if arguments.keep:
        arguments.keep.mkdir()
        measure(Sitting(arguments.keep.resolve(), arguments.rounds))
    else:
        with tempfile.TemporaryDirectory(prefix="lambed-rivals-") as folder:
            measure(Sitting(Path(folder), arguments.rounds))


if __name__ == "__main__":
    main()
