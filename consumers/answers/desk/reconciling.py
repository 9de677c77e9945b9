"""Cycles of the polls, asked for by hand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.answers.desk.control import a_pool, objects_of
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.reconcile.asked import ask
from consumers.reports.standing.status import Cycle, cycle_told
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.marketo.sources.poll import NAME as MARKETO_POLL
from streams.marketo.sources.program_poll import NAME as PROGRAMS
from streams.salesforce.sources.poll import name_of

_LOOK_SECONDS = 0.5
_SINCE = """
select c.* from unnest($1::text[]) as wanted (name) cross join lateral (
    select source, object, at, read, known, relayed, missed, repaired, held, why, calls, seconds, next_ms, judged_ms
    from cycles where source = wanted.name and at > $2 order by id limit 1) as c order by c.source
"""
_CARRIED = "select source from source_positions where source = any($1::text[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycles:
    """What polls found; and those that are not done by then."""

    cycles: list[Cycle]
    not_done: list[str]


async def reconciled(settings: Settings, kind: str, *, who: str, wait_seconds: float) -> tuple[list[Cycle], list[str]]:
    """Run a cycle of these polls now (`kind`: of all). What they found, as far as they are done by then, and which are not.

    Raises `UnknownKind`.
    """
    names = polls_of(settings, kind)
    async with a_pool(settings) as pool:
        with away_is_retry("look which polls there are"):
            carried = [row[0] for row in await pool.fetch(_CARRIED, names)]
        began = now_ms()
        await ask(pool, carried, who, began)
        deadline, found = asyncio.get_running_loop().time() + wait_seconds, list[Cycle]()
        while True:
            with away_is_retry("look what the cycles found"):
                found = [cycle_told(row, now_ms()) for row in await pool.fetch(_SINCE, carried, began)]
            if len(found) == len(carried) or asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(_LOOK_SECONDS)
    done = {each.source for each in found}
    return found, [name for name in carried if name not in done]


def polls_of(settings: Settings, kind: str) -> Sequence[str]:
    """The polls that read a kind of record, or one of its objects; of none: all of them. Raises `UnknownKind`."""
    known = registry_of(settings)
    if not kind:
        return (*(name_of(obj) for obj in known.sorts), MARKETO_POLL, PROGRAMS)
    objects = objects_of(settings, kind)
    kinds = {known.kind_of[obj].name: known.kind_of[obj] for obj in objects}
    more = [MARKETO_POLL] if any(each.is_person for each in kinds.values()) else []
    more += [PROGRAMS] if any(each.linked or sort.entity.scope for each in kinds.values() for sort in each.sorts) else []
    return (*(name_of(obj) for obj in objects), *more)
