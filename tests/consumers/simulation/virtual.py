"""An event loop in virtual time: what waits, waits in no time, and always in the same order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


_STEPS_MOST = 200_000
"""A history comes to rest in some hundred steps; one that takes so many never does."""


class _NoWait(selectors.SelectSelector):
    """Never waits: where the loop would have slept, its clock jumps."""

    loop: "VirtualLoop"
    steps = 0

    def select(self, timeout: float | None = None) -> Any:
        self.steps += 1
        if timeout is None:
            raise RuntimeError("the simulation stands still: nothing is left to happen")
        if self.steps > _STEPS_MOST:
            raise RuntimeError(f"the simulation goes round in circles at {self.loop.now:.3f} s")
        self.loop.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual and starts at 0."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _NoWait()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run to completion in virtual time; whatever is left over is cancelled."""
    loop = VirtualLoop()
    try:
        result = loop.run_until_complete(main)
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        if rest:
            loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        return result
    finally:
        loop.close()
