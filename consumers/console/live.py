"""A stream of events for pages that are open: it only says that something has changed. What, the page asks as it asked before."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from consumers.console.ground import Ground
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.wire.errors import Retry

_STANDS = """
select (select coalesce(sum(next_offset), 0) from partition_offsets) as judged,
    (select coalesce(max(id), 0) from cycles) as cycles, (select coalesce(max(id), 0) from audit_log) as acts,
    (select coalesce(max(since_ms), 0) from refusals) as refused, (select coalesce(max(id), 0) from dead_letters) as letters,
    (select count(*) from (select from due where at <= $1 limit 1000) as counted) as due,
    (select count(*) from workers where beat_at > clock_timestamp() - interval '30 seconds') as alive
"""
_EVERY_SECONDS = 1.0
_LINE_SECONDS = 15.0
_CLIENTS_MAX = 100


class Live:
    """The stream. The database is asked once a second while anybody listens, however many they are."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._changed = asyncio.Condition()
        self._number = 0
        self._away = False
        self._listeners = 0

    async def stream(self, _request: Request) -> Response:
        """`changed` with a number that grows; `away` while the database can't be asked. Lines between keep proxies from hanging up."""
        if self._listeners >= _CLIENTS_MAX:
            return Response("Too many pages are open.", 503)
        return StreamingResponse(self._told(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def watch(self) -> None:
        """Look whether anything has changed, until cancelled."""
        before: Any = None
        while True:
            if self._listeners:
                now = await self._stands()
                if now != before or self._away != (now is None):
                    before, self._away = now, now is None
                    await self._tell()
            await asyncio.sleep(_EVERY_SECONDS)

    async def _stands(self) -> Any:
        try:
            async with self._ground.connection() as connection:
                with away_is_retry("looking for changes"):
                    return tuple(await connection.fetchrow(_STANDS, now_ms()))
        except Retry:
            return None

    async def _tell(self) -> None:
        async with self._changed:
            self._number += 1
            self._changed.notify_all()

    async def _wait(self, told: int) -> None:
        """Until something has changed since then, or a line is due anyway."""
        try:
            async with asyncio.timeout(_LINE_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._number != told)
        except TimeoutError:
            pass  # nothing has changed

    async def _told(self) -> AsyncGenerator[bytes]:
        self._listeners += 1
        try:
            told = self._number
            yield b"retry: 2000\nevent: open\ndata: \n\n"
            while True:
                await self._wait(told)
                word = b": here\n\n"
                if self._number != told:
                    told, event = self._number, b"away" if self._away else b"changed"
                    word = b"event: %s\nid: %d\ndata: \n\n" % (event, told)
                yield word
        finally:
            self._listeners -= 1
