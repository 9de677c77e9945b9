"""What systems refuse, one row a field: kept beside the pairs, so that it can be listed and counted without reading any pair."""

from collections.abc import Sequence
from typing import Any

from consumers.ledger.port import Pair
from consumers.ledger.postgres.border import border
from consumers.ledger.postgres.text import storable
from consumers.merge.writing.refused import Refusals, refusals, waits_no_more

PUT = """
insert into refusals as r (pair, system, field, reason, since_ms)
select pair, system, field, reason, $5 from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as new (pair, system, field, reason)
on conflict (pair, system, field) do update set reason = excluded.reason, since_ms = excluded.since_ms
"""
DROP = """
delete from refusals as r using unnest($1::bigint[], $2::text[], $3::text[]) as gone (pair, system, field)
where r.pair = gone.pair and r.system = gone.system and r.field = gone.field
"""
WAITS_NO_MORE = """
delete from relations as r using unnest($1::bigint[], $2::text[]) as gone (child, role)
where r.child = gone.child and r.role = gone.role and r.waiting
"""
DROP_OF = "delete from refusals where pair = any($1::bigint[])"
_NONE: Refusals = {}


async def keep_refusals(connection: Any, pairs: Sequence[Pair], now: int) -> None:
    """Make the rows say what the states of these pairs say, which are about to be committed. No statement where nothing changed."""
    put: list[tuple[int, str, str, str]] = []
    gone: list[tuple[int, str, str]] = []
    free: list[tuple[int, str]] = []
    for pair in pairs:
        if pair.state is pair.loaded:
            continue
        after, before = refusals(pair.state), _NONE if pair.loaded is None else refusals(pair.loaded)
        if after == before:
            continue
        put += [(pair.id, str(place[0]), place[1], storable(why)) for place, why in after.items() if before.get(place) != why]
        free += [(pair.id, role) for role in waits_no_more(before, after)]
        gone += [(pair.id, str(place[0]), place[1]) for place in before if place not in after]
    with border("note what is refused"):
        if put:
            await connection.execute(PUT, *(list(column) for column in zip(*sorted(put), strict=True)), now)
        if gone:
            await connection.execute(DROP, *(list(column) for column in zip(*sorted(gone), strict=True)))
        if free:
            await connection.execute(WAITS_NO_MORE, *(list(column) for column in zip(*sorted(free), strict=True)))
