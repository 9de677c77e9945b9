"""What has arrived on the change stream and was not taken yet: the half of a client that its owner reads."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from streams.salesforce.api.access.login import Token
from streams.salesforce.sources.endings import End, Ending

Message = dict[str, Any]
"""A change event as the Streaming API shows it; a client of another protocol puts its events in this form."""


class Arrivals:
    """Filled by one client, emptied by its owner."""

    def __init__(self, monotonic: Callable[[], float], *, pending_max: int) -> None:
        self.messages: deque[Message] = deque()
        self.changed = asyncio.Event()
        self.end: End | None = None
        self.last_heard = monotonic()
        self.answers = 0
        """How often the server has been heard."""
        self.quiet = False
        """The server had nothing more to say: nothing of what came before is still on its way."""
        self.reached = 0
        """The server has told everything up to this replay id, where it says so."""
        self._monotonic, self._pending_max = monotonic, pending_max

    def finish(self, kind: Ending, words: str) -> None:
        """The first end counts."""
        self.ended(End(kind=kind, words=words))

    def ended(self, end: End) -> None:
        """The same."""
        if self.end is None:
            self.end = end
            self.changed.set()

    def heard(self) -> None:
        """The server has answered."""
        self.last_heard = self._monotonic()
        self.answers += 1

    def hears(self, within_seconds: float) -> bool:
        """Whether the server has answered so lately, and nothing that it told is still waiting."""
        return self.end is None and not self.messages and self._monotonic() - self.last_heard <= within_seconds

    async def nothing_for(self, seconds: float) -> bool:
        """Wait until something is there to be taken, or the end; whether there was nothing for so long."""
        self.changed.clear()
        if self.messages or self.end is not None:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            return True
        return False

    def arrived(self, messages: list[Message]) -> None:
        """Events, in their order. Too many of them end the client: what follows is asked for when they are through."""
        self.messages.extend(messages)
        if messages:
            self.quiet = False
        if len(self.messages) > self._pending_max:
            self.finish(Ending.RECONNECT, f"{len(self.messages)} events wait to be passed on; the rest is asked for when they are")
        self.changed.set()


class StreamClient(Protocol):
    """One life on the stream: it ends at the first trouble, says why in `end`, and never reopens."""

    @property
    def wire(self) -> Arrivals:
        """What has arrived."""
        ...

    @property
    def end(self) -> End | None:
        """Why it ended; None while it lives."""
        ...

    @property
    def token(self) -> Token | None:
        """The token it was opened with."""
        ...

    async def open(self) -> None:
        """Subscribe. Trouble of the stream shows in `end`; trouble of the log-in is raised."""
        ...

    async def wait(self) -> None:
        """Until something arrives or ends, or a check was due."""
        ...

    async def close(self) -> None:
        """Release everything. Never raises."""
        ...


Connect = Callable[[int], StreamClient]
"""Makes a client that is to begin behind a replay id (-1: with what is new; -2: with everything retained)."""
