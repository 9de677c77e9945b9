"""Cycles that somebody asks for: noted in the ledger, heard of within a second by whoever carries the poll."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.wire.errors import Retry

_LOOK_SECONDS = 1.0
_ASK = """
insert into findings (name, value, at) select 'cycle.' || source, $2, $3 from unnest($1::text[]) as told (source)
on conflict (name) do update set value = excluded.value, at = excluded.at
"""
_ASKED = "select at from findings where name = 'cycle.' || $1"
_log = structlog.get_logger(__name__)


class Polls(Protocol):
    """A poll that can be told to begin a cycle."""

    name: str

    def wake(self) -> None:
        """A cycle now; during one, another one after it."""
        ...


async def ask(pool: Any, polls: Sequence[str], who: str, at: int) -> None:
    """These polls run a cycle now. `at`: ms, ours."""
    with away_is_retry("ask for a cycle"):
        await pool.execute(_ASK, list(polls), who, at)


async def hear(pool: Any, poll: Polls, stop: asyncio.Event, clock: Callable[[], int] = now_ms) -> None:
    """Wake the poll whenever a cycle is asked for, until stopped. What was asked for before is of no interest: it begins with one."""
    heard = clock()
    while not stop.is_set():
        try:
            with away_is_retry("look for cycles that are asked for"):
                asked = await pool.fetchval(_ASKED, poll.name)
        except Retry as error:
            _log.warning("cycles that are asked for can't be read", error=str(error))
        else:
            if asked is not None and asked > heard:
                heard = asked
                _log.info("a cycle is asked for", poll=poll.name)
                poll.wake()
        await pause(_LOOK_SECONDS, stop)
