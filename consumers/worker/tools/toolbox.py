"""The tools are opened once a process, by whoever needs them first."""

import asyncio
from contextlib import AsyncExitStack

from consumers.configuration.loading import Settings
from consumers.worker.tools.opening import Tools, opened
from consumers.worker.tools.watched import CallWatch
from streams.wire.errors import Fatal


class Toolbox:
    """Opens the tools when they are first asked for; `close` gives everything back."""

    def __init__(self, settings: Settings, watch: CallWatch) -> None:
        """`watch` is told of every call to the systems."""
        self._settings, self._watch = settings, watch
        self._tools: Tools | None = None
        self._fatal: Fatal | None = None
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def open(self) -> Tools:
        """The tools. Raises `Retry` while something is away, `Fatal` (to all who ask) where a person has to act."""
        async with self._lock:
            if self._fatal is not None:
                raise self._fatal
            if self._tools is None:
                try:
                    async with AsyncExitStack() as stack:
                        self._tools = await opened(self._settings, self._watch, stack)
                        self._stack = stack.pop_all()
                except Fatal as error:
                    self._fatal = error
                    raise
            return self._tools

    @property
    def tools(self) -> Tools | None:
        """The tools, if they have been opened."""
        return self._tools

    async def close(self) -> None:
        """Give everything back."""
        self._tools = None
        await self._stack.aclose()
