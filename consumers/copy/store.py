"""The copies that were asked for: one at a time is open, and what became of those before."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from consumers.copy.quote import Quote
from streams.budget.port import Lane
from streams.ground.database import away_is_retry

BEGIN = """
insert into copies (state, began_ms, quote) values ('running', $1, $2) on conflict do nothing returning id
"""
AFRESH = "update source_positions set position = null, epoch = epoch + 1 where source like 'copy.%'"
LATEST = "select id, state, began_ms, ended_ms, ran_ms, trouble, quote from copies order by id desc limit 1"
MOVE = """
update copies set state = $3, ended_ms = case when $3 in ('done', 'cancelled') then $4::bigint end, trouble = ''
where id = (select max(id) from copies) and state = any($1::text[]) and ($2::bigint = 0 or id = $2::bigint) returning id
"""
RAN = "update copies set ran_ms = ran_ms + $2, trouble = $3 where id = $1 and state = 'running'"
LANE_OWED = "select count(*) from due where kind < 2 and lane in ($1, $1 + 10)"
OWED = "select exists (select from due where kind < 2 and lane = $1 and at <= $2)"
UNPLACED = """
select s.name from unnest($1::text[]) as s (name)
where not exists (select from source_positions as p where p.source = s.name and p.position is not null) order by s.name
"""
MARKS = "select source, position from source_positions where source like 'copy.%' and position is not null order by source"


class State(StrEnum):
    """Of a copy."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


_SOON_MS = 60_000
OPEN = (State.RUNNING, State.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One. `ran_ms`: how long it has been at work. `trouble`: what it waits for at the moment."""

    id: int
    state: State
    began_ms: int
    ended_ms: int | None
    ran_ms: int
    trouble: str
    quote: Quote


async def begin(connection: Any, quote: Quote, now_ms: int) -> int | None:
    """Ask for a copy; its number. None: one is open already. Positions of an earlier one are gone with it."""
    async with connection.transaction():
        number = await connection.fetchval(BEGIN, now_ms, msgspec.json.encode(quote).decode())
        if number is not None:
            await connection.execute(AFRESH)
    return None if number is None else int(number)


async def latest(connection: Any) -> Copy | None:
    """The copy that is open, else the last one."""
    row = await connection.fetchrow(LATEST)
    return _copy(row) if row else None


async def move(connection: Any, wanted: State, before: tuple[State, ...], now_ms: int, number: int = 0) -> bool:
    """The latest copy becomes this, if it is one of those before."""
    return await connection.fetchval(MOVE, [str(each) for each in before], number, str(wanted), now_ms) is not None


class Store:
    """What a runner asks. `pool`: an asyncpg pool. Raises `Retry` while the database is away."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def running(self) -> Copy | None:
        """The copy that is to be worked on now."""
        with away_is_retry("look for a first copy"):
            copy = await latest(self._pool)
        return copy if copy is not None and copy.state is State.RUNNING else None

    async def ran(self, number: int, ms: int, trouble: str) -> None:
        """So much longer, with this trouble."""
        with away_is_retry("note how far a first copy is"):
            await self._pool.execute(RAN, number, ms, trouble)

    async def end(self, number: int, now_ms: int) -> None:
        """It is done."""
        with away_is_retry("note the end of a first copy"):
            await move(self._pool, State.DONE, (State.RUNNING,), now_ms, number)

    async def owed(self, now_ms: int) -> bool:
        """Whether writes of the copy's lane are due, or soon will be."""
        with away_is_retry("look for what a first copy has still to write"):
            return bool(await self._pool.fetchval(OWED, int(Lane.COPY), now_ms + _SOON_MS))

    async def unplaced(self, sources: Sequence[str]) -> list[str]:
        """Those of these sources that have not taken a position yet."""
        with away_is_retry("look where the streams are"):
            return [row["name"] for row in await self._pool.fetch(UNPLACED, list(sources))]

    async def marks(self) -> dict[str, str]:
        """Positions by source."""
        with away_is_retry("read how far a first copy is"):
            return {row["source"]: row["position"] for row in await self._pool.fetch(MARKS)}


def _copy(row: Any) -> Copy:
    return Copy(
        id=row["id"],
        state=State(row["state"]),
        began_ms=row["began_ms"],
        ended_ms=row["ended_ms"],
        ran_ms=row["ran_ms"],
        trouble=row["trouble"],
        quote=msgspec.json.decode(row["quote"], type=Quote),
    )
