"""Records that were out of sight are looked for now and then: being shared again stamps no record, so nothing else would tell."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from consumers.ledger.port import Ledger
from consumers.merge.lives.aside import OUT_OF_SIGHT, in_sight_of
from consumers.merge.lives.record import asked_again
from consumers.merge.terms import Terms
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.wire.errors import SyncError
from streams.wire.systems import System

HELD = "select id from pairs where held like $1 and id > $2 order by id limit $3"
_PAGE = 300
_log = structlog.get_logger(__name__)


async def look_for_them(pool: Any, ledger: Ledger, terms: Terms, stop: asyncio.Event, *, now_ms: Callable[[], int], seconds: float) -> None:
    """Have all of them read again every so many seconds, until stopped."""
    while not stop.is_set():
        await pause(seconds, stop)
        try:
            if not stop.is_set() and (count := await ask_again(pool, ledger, terms, now_ms())):
                _log.info("records that are out of sight are looked for", pairs=count)
        except SyncError as error:
            _log.warning("records that are out of sight can't be looked for", error=str(error))


async def ask_again(pool: Any, ledger: Ledger, terms: Terms, now: int) -> int:
    """Each of them is due for a look; how many there are. Raises `Retry`."""
    after = count = 0
    while True:
        with away_is_retry("look for what is out of sight"):
            rows = await pool.fetch(HELD, f"{OUT_OF_SIGHT} in %", after, _PAGE)
        if not rows:
            return count
        after, count = rows[-1]["id"], count + len(rows)
        async with ledger.transaction() as tx:
            pairs = list((await tx.by_id([row["id"] for row in rows])).values())
            for pair in pairs:
                for system in System:
                    if not in_sight_of(pair.state, system):
                        pair.state = terms.with_due(asked_again(pair.state, system), now)
            await tx.save(pairs, now)
