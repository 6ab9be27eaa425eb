"""How answers reach an asyncio loop: by an eventfd that the loop watches (see bindings/python/completions.h)."""

import asyncio
import os
import weakref
from typing import Any

from lambed import _native
from lambed._results import InvokeResult, json_result, raw_result


class LoopCompletions:
    """The calls of one loop that are not answered yet. Used by the loop's own thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.native = _native.Completions()
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._raw: set[int] = set()
        self._ticket = 0
        loop.add_reader(self.native.fileno(), self._deliver)

    def expect(self, future: "asyncio.Future[Any]", raw: bool) -> int:
        """A ticket for the answer that shall go to `future`."""
        self._ticket = ticket = self._ticket + 1
        self._futures[ticket] = future
        if raw:
            self._raw.add(ticket)
        return ticket

    def withdraw(self, ticket: int) -> None:
        self._futures.pop(ticket, None)
        self._raw.discard(ticket)

    def _deliver(self) -> None:
        take_future = self._futures.pop
        raw = self._raw
        for ticket, answer in self.native.take(raw):
            future = take_future(ticket, None)
            if future is None or future.done():  # cancelled meanwhile
                raw.discard(ticket)
                continue
            if answer.__class__ is not tuple:
                raw.discard(ticket)
                future.set_exception(answer)  # type: ignore[arg-type]
                continue
            result: InvokeResult
            try:
                if raw and ticket in raw:
                    raw.discard(ticket)
                    result = raw_result(answer)
                else:
                    result = json_result(answer)
            except Exception as error:  # a host that answers with something else than JSON must not end the loop's reader
                future.set_exception(error)
                continue
            future.set_result(result)


_of_loop: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopCompletions]" = weakref.WeakKeyDictionary()


def completions_of(loop: asyncio.AbstractEventLoop) -> LoopCompletions:
    try:
        return _of_loop[loop]
    except KeyError:
        pass
    # A future that was never answered keeps its loop alive, and so its entry here.
    for other in [other for other in _of_loop if other.is_closed()]:
        del _of_loop[other]
    made = _of_loop[loop] = LoopCompletions(loop)
    return made


# The parent's descriptors are not the child's to read.
os.register_at_fork(after_in_child=_of_loop.clear)
