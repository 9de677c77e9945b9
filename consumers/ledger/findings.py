"""What a worker has found out once and others need to know: kept by name, one value each."""

from collections.abc import Mapping
from typing import Any

import orjson

from consumers.mapping.fields import Direction, FieldType, SyncRules
from consumers.mapping.kind import Default
from streams.ground.database import away_is_retry
from streams.wire.systems import Object

_MAPPED = "mapped."
_READ = "select name, value from findings where starts_with(name, $1)"
_KEEP = """
insert into findings (name, value, at) values ($1, $2, $3)
on conflict (name) do update set value = excluded.value, at = excluded.at where findings.value <> excluded.value
"""


async def newly_mapped(pool: Any, rules: SyncRules) -> Mapping[Object, tuple[str, ...]]:
    """By object: the fields of Salesforce that flow to Marketo alone, and that were not mapped when `keep_mapped` was told last. An object
    of which nothing was kept has none: it is copied as a whole.
    """
    with away_is_retry("read what was mapped"):
        before = await mapped(pool)
    new = {}
    for obj, mapping in rules.objects.items():
        if obj in before and mapping.flow is Direction.TO_MARKETO:
            known = {line.salesforce for line in before[obj].values()}
            names = tuple(item.salesforce for item in mapping.fields if not item.parent and item.salesforce not in known)
            new.update({obj: names} if names else {})
    return new


async def keep_mapped(pool: Any, rules: SyncRules, at: int) -> None:
    """Keep the mapping, for those who read the ledger without asking Salesforce what it describes, and for the next start."""
    for obj in rules.objects:
        lines = [(item.salesforce, item.marketo, item.type) for item in rules.objects[obj].fields if not item.parent]
        with away_is_retry("keep what is mapped"):
            await pool.execute(_KEEP, f"{_MAPPED}{obj}", orjson.dumps(lines).decode(), at)


async def mapped(connection: Any) -> Mapping[Object, Mapping[str, Default]]:
    """By object, then by Marketo's name: the lines that a worker has kept."""
    found = {}
    for row in await connection.fetch(_READ, _MAPPED):
        lines = [Default(salesforce, marketo, FieldType(kind)) for salesforce, marketo, kind in orjson.loads(row["value"])]
        found[Object(row["name"].removeprefix(_MAPPED))] = {line.marketo: line for line in lines}
    return found
