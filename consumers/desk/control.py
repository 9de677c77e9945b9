"""Writing paused for a while, and resumed. What is owed meanwhile is parked, in pages, and is due again afterwards.

The order of effects of a pause: it is noted, so that every worker hears of it within a second or two; what is owed already is parked, so
that nobody claims it in vain. What becomes due later is parked by whoever claims it. Of a resume: the pause is taken back, which waits for
those who are parking something for it; what is parked is due again. Where another pause keeps some of it, it is parked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from consumers.ledger.port import Duty
from consumers.pauses.pauses import ALL, Pause, pauses_in
from streams.ground.database import away_is_retry
from streams.wire.systems import Object, System

COUNTED_MAX = 10_000
_PAGE = 5_000
_PUT = """
insert into pauses (system, object, pair, who, why, since_ms) values ($1, $2, $3, $4, $5, $6)
on conflict (system, object, pair) do update set who = excluded.who, why = excluded.why
"""
_DROP = "delete from pauses where id = any($1::bigint[])"
_OF = "($3 = '' or p.salesforce_object = $3) and ($4::bigint = 0 or p.id = $4::bigint)"
_MOVE = f"""
update due as d set lane = d.lane + $2 from (
    select d.pair from due as d join pairs as p on p.id = d.pair
    where d.kind = $1 and (case when $2 > 0 then d.lane < 10 else d.lane >= 10 end) and {_OF}
    order by d.pair limit $5 for update of d
) as page where d.kind = $1 and d.pair = page.pair
"""  # noqa: S608 - a statement of ours
_QUEUED = f"""
select count(*) from (select from (select pair from due where kind = $1 and ($2 or lane >= 10) limit $5) as d
    join pairs as p on p.id = d.pair where {_OF} limit $5) as counted
"""  # noqa: S608 - a statement of ours
_OWED = f"""
select count(*) from (select from due as d join pairs as p on p.id = d.pair where d.kind = $1 and $2::boolean and {_OF} limit $5) as counted
"""  # noqa: S608 - a statement of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be paused, or goes on. `objects`: of Salesforce, that make a kind; empty: all. `pairs`: single ones; empty: all."""

    systems: Sequence[System]
    objects: Sequence[Object] = ()
    pairs: Sequence[int] = ()

    def each(self) -> list[tuple[System, Object, int]]:
        """As single pauses."""
        return [(system, obj, pair) for system in self.systems for obj in (self.objects or (Object(""),)) for pair in (self.pairs or (0,))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A pause, and how many records wait for its end, counted to 10,000."""

    pause: Pause
    records: int


async def paused(connection: Any) -> list[Queued]:
    """What is paused, the oldest first."""
    with away_is_retry("read what is paused"):
        return [Queued(pause=each, records=await _queued(connection, each)) for each in pauses_in(await connection.fetch(ALL))]


async def pause_writing(pool: Any, wanted: Wanted, *, who: str, why: str, now_ms: int) -> list[Queued]:
    """These are paused; what is paused now. Again for the same: who, and why, are new."""
    with away_is_retry("pause writing"):
        for system, obj, pair in wanted.each():
            await pool.execute(_PUT, system, obj, pair, who, why, now_ms)
            if obj or pair:
                await _moved(pool, system, obj, pair, by=10)
        async with pool.acquire() as connection:
            return await paused(connection)


async def owed_now(connection: Any, wanted: Wanted, *, who: str, why: str, now_ms: int) -> list[Queued]:
    """What would be paused, and how many records would wait at once; nothing is changed."""
    found = []
    with away_is_retry("count what would wait"):
        for system, obj, pair in wanted.each():
            planned = Pause(number=0, system=system, object=obj, pair=pair, who=who, why=why, since_ms=now_ms)
            count = await connection.fetchval(_OWED, int(Duty.write_on(system)), True, obj, pair, COUNTED_MAX)
            found.append(Queued(pause=planned, records=count))
    return found


async def ending(connection: Any, wanted: Wanted) -> list[Queued]:
    """The pauses that `resume_writing` would end."""
    return [each for each in await paused(connection) if _is_of(each.pause, wanted)]


async def resume_writing(pool: Any, wanted: Wanted) -> list[Queued]:
    """Of these whatever is paused goes on; what that was, with how many records waited for it."""
    async with pool.acquire() as connection:
        ended = await ending(connection, wanted)
    with away_is_retry("resume writing"):
        await pool.execute(_DROP, [each.pause.number for each in ended])
        for each in ended:
            await _moved(pool, each.pause.system, each.pause.object, each.pause.pair, by=-10)
    return ended


def _is_of(pause: Pause, wanted: Wanted) -> bool:
    if pause.system not in wanted.systems:
        return False
    if wanted.pairs and pause.pair not in wanted.pairs:
        return False
    return not wanted.objects or pause.object in wanted.objects


async def _moved(pool: Any, system: System, obj: Object, pair: int, *, by: int) -> None:
    """What is owed is parked, or due again, a page a transaction."""
    kind = int(Duty.write_on(system))
    while int((await pool.execute(_MOVE, kind, by, obj, pair, _PAGE)).rpartition(" ")[2]) == _PAGE:
        pass


async def _queued(connection: Any, pause: Pause) -> int:
    kind = int(Duty.write_on(pause.system))
    found: int = await connection.fetchval(_QUEUED, kind, pause.whole, pause.object, pause.pair, COUNTED_MAX)
    return found
