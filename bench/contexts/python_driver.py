"""python_driver.py LANGUAGE: the Python side of bench/contexts/run.py, which tells how drivers are spoken to."""

import asyncio
import json
import statistics
import sys
import time
import warnings
from pathlib import Path

import lambed

EVENT = {"text": "x" * 89}

warnings.simplefilter("ignore", lambed.SharedLockWarning)
function = json.loads((Path(__file__).parent / "functions.json").read_text())[sys.argv[1]]
gateway = lambed.Gateway(log="none")
code = lambed.Code.inline(function["source"])
gateway.create_function("echo", runtime=function["runtime"], handler="app.handler", code=code, timeout=60)


def invoke(calls: int) -> dict[str, float]:
    times = []
    for _ in range(calls):
        begin = time.perf_counter_ns()
        result = gateway.invoke("echo", EVENT)
        times.append(time.perf_counter_ns() - begin)
        assert result.ok
    return {"p50_us": statistics.median(times) / 1000}


async def ainvoke(calls: int) -> dict[str, float]:
    times = []
    for _ in range(calls):
        begin = time.perf_counter_ns()
        result = await gateway.ainvoke("echo", EVENT)
        times.append(time.perf_counter_ns() - begin)
        assert result.ok
    return {"p50_us": statistics.median(times) / 1000}


async def flood(calls: int, in_flight: int) -> dict[str, float]:
    left = calls

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            assert (await gateway.ainvoke("echo", EVENT)).ok

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return {"per_second": calls / (time.perf_counter() - begin)}


with asyncio.Runner() as loop:
    for line in sys.stdin:
        what, *numbers = line.split()
        if what == "invoke":
            answer = invoke(int(numbers[0]))
        else:
            answer = loop.run((flood if what == "flood" else ainvoke)(*map(int, numbers)))
        print(json.dumps(answer), flush=True)
gateway.close()
