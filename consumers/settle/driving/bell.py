"""What tells the roles of a process that something has become due, so that none of them has to ask all the time."""

import asyncio

from consumers.ledger.port import Duty


class Bell:
    """Rung when something has become due; one for each duty."""

    def __init__(self) -> None:
        self._events = {duty: asyncio.Event() for duty in Duty}

    def ring(self, duties: set[Duty]) -> None:
        """Something of these duties is due."""
        for duty in duties:
            self._events[duty].set()

    def quiet(self, duty: Duty) -> None:
        """To be called before looking for work: what rings from now on ends the next wait."""
        self._events[duty].clear()

    async def wait(self, duty: Duty, seconds: float, stop: asyncio.Event) -> None:
        """Until it rings, `seconds` have passed or `stop` is set."""
        if stop.is_set():
            return
        waiting = asyncio.ensure_future(self._events[duty].wait())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({waiting, stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stopping.cancel()
