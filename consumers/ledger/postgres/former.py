"""Ids that were somebody's once: which pair they are part of since. Asked only for ids that no pair has."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.ledger.port import Named
from consumers.ledger.postgres.border import border
from consumers.ledger.postgres.text import storable

FIND = """
select p.id, p.state, p.match_key, p.told_in, f.system, f.object, f.id as record
from unnest($1::text[], $2::text[], $3::text[]) as wanted (system, object, id)
join former as f on f.system = wanted.system and f.object = wanted.object and f.id = wanted.id
join pairs as p on p.id = f.pair
order by p.id for update of p
"""
HAND_ON = """
update former as f set pair = new.pair from unnest($1::bigint[], $2::bigint[]) as new (was, pair) where f.pair = new.was
"""
REMEMBER = """
insert into former (system, object, id, pair)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) as told (system, object, id, pair)
on conflict (system, object, id) do update set pair = excluded.pair
"""
DROP_OF = "delete from former where pair = any($1::bigint[])"


async def remember(connection: Any, ids: Mapping[Named, int], instead: Mapping[int, int]) -> None:
    """These records are part of these pairs since; what was part of a pair in `instead` is part of the other one."""
    rows = sorted((str(system), str(obj), record, pair) for (system, obj, record), pair in ids.items() if record == storable(record))
    with border("remember who somebody was"):
        if instead:
            await connection.execute(HAND_ON, list(instead), list(instead.values()))
        if rows:
            await connection.execute(REMEMBER, *(list(column) for column in zip(*rows, strict=True)))


async def find(connection: Any, wanted: Sequence[Named]) -> list[Any]:
    """Rows of pairs, locked, each with the record that was asked for."""
    told = [each for each in wanted if each[2] == storable(each[2])]
    if not told:
        return []
    with border("look who somebody was"):
        rows: list[Any] = await connection.fetch(FIND, *([str(part) for part in column] for column in zip(*told, strict=True)))
    return rows
