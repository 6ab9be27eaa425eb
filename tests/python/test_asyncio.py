"""Calls from asyncio loops: the loop's own and uvloop's."""

import asyncio
import time

import pytest
import uvloop

import lambed
from conftest import PATIENCE

ECHO = "exports.handler = async (event) => event"
NODE = "nodejs18.x"


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Runs a coroutine on a new loop of either kind."""
    factory = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop

    def run_on_loop(coroutine):
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(coroutine, PATIENCE))

    return run_on_loop


def test_sixty_four_calls_in_flight(run, gateway, create):
    create("echo", ECHO, NODE, timeout=30)

    async def worker(number):
        for turn in range(20):
            result = await gateway.ainvoke("echo", [number, turn])
            assert result.payload == [number, turn]

    async def main():
        await asyncio.gather(*(worker(number) for number in range(64)))

    run(main())
    assert gateway.usage("echo").requests == 64 * 20
    assert gateway.status().in_flight == 0


def test_the_loop_goes_on_while_functions_run(run, gateway, create):
    create("sleep", "exports.handler = () => new Promise(done => setTimeout(done, 300))", NODE)

    async def main():
        call = asyncio.ensure_future(gateway.ainvoke("sleep"))
        ticks = 0
        while not call.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert run(main()) >= 5


def test_errors_and_raw_results(run, gateway, create):
    create("echo", ECHO, NODE)
    create("fail", "exports.handler = async () => { throw new RangeError('no'); }", NODE)

    async def main():
        raw = await gateway.ainvoke_raw("echo", b"[1]", log_tail=True)
        assert isinstance(raw, lambed.RawInvokeResult) and raw.payload == b"[1]" and "REPORT" in raw.log_tail
        failed = await gateway.ainvoke("fail")
        assert (failed.error_type, failed.error_message) == ("RangeError", "no")
        for refused, payload in (("nowhere", b"{}"), ("echo", b"{")):
            with pytest.raises(lambed.errors.Error):
                await gateway.ainvoke_raw(refused, payload)
        with pytest.raises(TypeError):
            await gateway.ainvoke("echo", object())

    run(main())


def test_a_busy_loop_times_out(run, gateway, create):
    create("busy", "exports.handler = async () => { while (true); }", NODE, timeout=1)

    async def main():
        return await gateway.ainvoke("busy")

    assert run(main()).error_type == "Sandbox.Timedout"


def test_a_cancelled_call_is_forgotten(run, gateway, create):
    create("slow", "exports.handler = () => new Promise(done => setTimeout(done, 300))", NODE)
    create("echo", ECHO, NODE)

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gateway.ainvoke("slow"), 0.05)
        while gateway.status().in_flight:
            await asyncio.sleep(0.01)
        return (await gateway.ainvoke("echo", 1)).payload

    assert run(main()) == 1


def test_closing_answers_what_is_in_flight(run, create, gateway):
    create("slow", "exports.handler = () => new Promise(done => setTimeout(done, 60000))", NODE, timeout=100)

    async def main():
        async with gateway:
            calls = [asyncio.ensure_future(gateway.ainvoke("slow")) for _ in range(3)]
            while gateway.status().busy < 3:
                await asyncio.sleep(0.01)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [lambed.errors.GatewayClosed] * 3

    run(main())


def test_a_loop_that_ends_with_calls_in_flight_leaves_the_gateway_unharmed(run, gateway, create):
    create("slow", "exports.handler = () => new Promise(done => setTimeout(() => done(1), 100))", NODE)

    async def leave():
        call = asyncio.ensure_future(gateway.ainvoke("slow"))
        await asyncio.sleep(0)
        assert not call.done()

    async def stay():
        return (await gateway.ainvoke("slow")).payload

    run(leave())
    assert run(stay()) == 1
    end = time.monotonic() + PATIENCE
    while gateway.status().in_flight and time.monotonic() < end:
        time.sleep(0.01)
    assert gateway.status().in_flight == 0


def test_python_functions_and_callables_answer_too(run, gateway, create):
    create("sub", "def handler(event, context): return event")

    @gateway.function
    def here(event, context):
        return event

    async def main():
        calls = [gateway.ainvoke(name, number) for number in range(32) for name in ("sub", "here")]
        return [result.payload for result in await asyncio.gather(*calls)]

    assert run(main()) == [number for number in range(32) for _ in range(2)]
