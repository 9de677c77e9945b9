"""Counts of the ledger that cost the same at any size: exact where they are small, told as a bound or an estimate where they aren't."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumers.kinds.registry import KINDS
from consumers.ledger.port import Duty
from consumers.mapping.kind import Kind
from streams.budget.port import Lane
from streams.wire.systems import Object

COUNTED_MAX = 10_000
"""What may be many is counted so far, and no further: 10,000 then means "at least"."""
_SAMPLE = 1_000
"""Reasons are grouped over the newest so many."""
_SMALL_BYTES = 8 << 20
_TOP = 10

_SIZE = "select pg_relation_size('pairs')"
_PAIRS = """
select marketo_object, salesforce_object, count(*) as pairs, count(salesforce_id) as salesforce, count(marketo_id) as marketo
from pairs group by 1, 2
"""
"""Only while the table is small."""
_ESTIMATE = "explain (format json) select 1 from pairs where {0}"
_OF_KIND, _OF_OBJECT = "marketo_object = '{0}'", "salesforce_object = '{0}'"
_ESTIMATED = {"pairs": "true", "salesforce": "salesforce_id is not null", "marketo": "marketo_id is not null"}
_DUE = """
select k as kind, l as lane,
       (select count(*) from (select from due where kind = k and lane = l order by at limit $2) as counted) as pairs,
       (select count(*) from (select from due where kind = k and lane = l and at <= $1 order by at limit $2) as counted) as due,
       (select min(at) from due where kind = k and lane = l) as oldest
from unnest('{0,1,2,3}'::smallint[]) as k, unnest('{0,1,2}'::smallint[]) as l
"""
"""In the order of an index: else the planner may read all for each of the twelve."""
_HELD = "select count(*) from (select from pairs where held is not null limit $1) as counted"
_CONTESTED = "select count(*) from (select from pairs where contested and (held is not null or contested) limit $1) as counted"
_WHY_HELD = """
select split_part(held, ':', 1) as reason, count(*) as pairs
from (select held from pairs where held is not null order by id desc limit $1) as newest group by 1 order by 2 desc, 1 limit $2
"""
_REFUSED = "select count(*) from (select from refusals limit $1) as counted"
_WHY_REFUSED = """
select system, field, regexp_replace(reason, '[0-9]+', '…', 'g') as shape, min(reason) as reason, count(*) as records,
       min(since_ms) as since_ms
from (select * from refusals order by since_ms desc limit $1) as newest group by 1, 2, 3 order by 5 desc, 1, 2 limit $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """How many records of a kind there are. `about`: estimated by the database, within some percent."""

    kind: str
    pairs: int
    linked: int
    only_salesforce: int
    only_marketo: int
    objects: Mapping[str, int]
    """By Salesforce object."""
    about: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done: writes owed to a system, or looks at it. `due` of them now, the others later; counted to 10,000."""

    what: str
    system: str
    lane: str
    pairs: int
    due: int
    oldest_ms: int
    """How long the oldest has been due; negative: not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Fields (`*`: whole records) that a system refuses for one reason. `reason`: one of them, in the system's words."""

    system: str
    field: str
    reason: str
    records: int
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits for a person; counted to 10,000, the reasons are those of the newest 1,000."""

    held: int
    why_held: Mapping[str, int] = field(default_factory=dict)
    contested: int
    refused: int
    why_refused: tuple[Refused, ...] = ()


async def pairs(connection: Any, of: Sequence[Kind] = KINDS) -> tuple[Pairs, ...]:
    """Of each of these kinds, people first: exact in a small ledger, estimated in a large one. Every pair has a record somewhere."""
    small = await connection.fetchval(_SIZE) <= _SMALL_BYTES
    rows = await connection.fetch(_PAIRS) if small else []
    kinds = sorted(of, key=lambda kind: not kind.is_person)
    return tuple([_counted(kind, rows) if small else await _estimated(connection, kind) for kind in kinds])


def _counted(kind: Kind, rows: Sequence[Any]) -> Pairs:
    mine = [row for row in rows if row["marketo_object"] == kind.marketo]
    counts = {name: sum(row[name] for row in mine) for name in _ESTIMATED}
    objects = {obj: sum(row["pairs"] for row in mine if row["salesforce_object"] == obj) for obj in kind.by_object}
    return _pairs(kind, counts, objects, about=False)


async def _estimated(connection: Any, kind: Kind) -> Pairs:
    mine = _OF_KIND.format(kind.marketo)
    counts = {name: await _estimate(connection, f"{mine} and {condition}") for name, condition in _ESTIMATED.items()}
    objects = {obj: await _estimate(connection, f"{mine} and {_OF_OBJECT.format(obj)}") for obj in kind.by_object}
    return _pairs(kind, counts, objects, about=True)


def _pairs(kind: Kind, counts: Mapping[str, int], objects: Mapping[Object, int], *, about: bool) -> Pairs:
    linked = max(0, counts["salesforce"] + counts["marketo"] - counts["pairs"])
    only_salesforce, only_marketo = max(0, counts["salesforce"] - linked), max(0, counts["marketo"] - linked)
    return Pairs(
        kind=kind.name, pairs=counts["pairs"], linked=linked, only_salesforce=only_salesforce, only_marketo=only_marketo,
        objects={str(obj): count for obj, count in objects.items()}, about=about,
    )  # fmt: skip


async def _estimate(connection: Any, condition: str) -> int:
    """What the planner expects, from the table's size and the statistics of autovacuum."""
    (told,) = orjson.loads(await connection.fetchval(_ESTIMATE.format(condition)))
    rows: int = told["Plan"]["Plan Rows"]
    return rows


async def due(connection: Any, now_ms: int) -> tuple[Due, ...]:
    """What is to be done, by kind and lane."""
    return tuple(_due(row, now_ms) for row in await connection.fetch(_DUE, now_ms, COUNTED_MAX) if row["pairs"])


def _due(row: Any, now_ms: int) -> Due:
    duty = Duty(row["kind"])
    return Due(
        what="write" if duty.writes else "look",
        system=duty.system,
        lane=Lane(row["lane"]).name.lower(),
        pairs=row["pairs"],
        due=row["due"],
        oldest_ms=now_ms - row["oldest"],
    )


async def waiting(connection: Any) -> Waiting:
    """What waits for a person, and why."""
    return Waiting(
        held=await connection.fetchval(_HELD, COUNTED_MAX),
        why_held={row["reason"]: row["pairs"] for row in await connection.fetch(_WHY_HELD, _SAMPLE, _TOP)},
        contested=await connection.fetchval(_CONTESTED, COUNTED_MAX),
        refused=await connection.fetchval(_REFUSED, COUNTED_MAX),
        why_refused=tuple(_refused(row) for row in await connection.fetch(_WHY_REFUSED, _SAMPLE, _TOP)),
    )


def _refused(row: Any) -> Refused:
    return Refused(system=row["system"], field=row["field"], reason=row["reason"], records=row["records"], since_ms=row["since_ms"])


def recent_of(told: list[str]) -> Counter[str]:
    """The counts of several workers, each a JSON object, together."""
    total: Counter[str] = Counter()
    for text in told:
        total.update(orjson.loads(text))
    return total
