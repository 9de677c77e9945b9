"""What keeps Marketo's call-backs is told while it keeps them, and no longer."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from consumers.configuration.groups.services import FlowStepSettings
from consumers.flowsteps import answering as room
from consumers.flowsteps.answering import Answering


class Database:
    """Away, or with nobody who waits."""

    def __init__(self) -> None:
        self.away, self.asked = True, 0

    async def fetch(self, *_: object) -> list[Any]:
        self.asked += 1
        if self.away:
            raise ConnectionResetError("Connection reset by peer")
        return []


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0)


async def test_a_database_that_is_back_is_no_trouble_any_more_though_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_seconds: float, _stop: asyncio.Event) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(room, "pause", at_once)
    database, stop = Database(), asyncio.Event()
    answering = Answering(database, FlowStepSettings(), lambda: 0)
    running = asyncio.create_task(answering.run(stop))
    try:
        await until(lambda: answering.trouble is not None)
        assert "PostgreSQL is away" in str(answering.trouble)
        database.away = False
        seen = database.asked
        await until(lambda: database.asked > seen + 1)
        assert answering.trouble is None
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await running
