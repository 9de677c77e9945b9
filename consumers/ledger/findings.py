"""What a worker has found out once and others need to know: kept by name, one value each."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from consumers.mapping.fields import FieldType, SyncRules
from consumers.mapping.kind import Default
from streams.ground.database import away_is_retry
from streams.wire.systems import Object

_MAPPED = "mapped."
_READ = "select name, value from findings where starts_with(name, $1)"
_KEEP = """
insert into findings (name, value, at) values ($1, $2, $3)
on conflict (name) do update set value = excluded.value, at = excluded.at where findings.value <> excluded.value
"""


async def keep_mapped(pool: Any, rules: SyncRules, described: Sequence[Object], at: int) -> None:
    """Keep the mapping of these objects, which Salesforce described, for those who read the ledger without asking it."""
    for obj in (each for each in described if each in rules.objects):
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
