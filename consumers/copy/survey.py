"""What there is to copy, as both systems tell it for a few calls: counts, and how long rows are. Nothing is changed by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.copy.quote import Part, members_part, people_part, salesforce_part
from streams.budget.port import Lane
from streams.marketo.api.calling import BATCH_RECORDS_MAX
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import Lead
from streams.marketo.sources.feed import BEGINNING_MS
from streams.marketo.sources.rows import Activity
from streams.salesforce.api.entity import Entity
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import any_of
from streams.salesforce.api.soql import count as count_of
from streams.wire.events import Value
from streams.wire.systems import PERSON

BLOCKS = 12
"""So many blocks of 300 ids, evenly spread, tell how many of Marketo's ids are people."""
_SAMPLE_ROWS = 200
_SCOPE_MAX = 400
_EMPTY_BYTES = 4
"""`null`, as Marketo writes an empty cell."""
_LANE = Lane.COPY


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Marketo's. `exact`: all were read. `since_ms`: the first of them was created then."""

    count: int
    exact: bool
    row_bytes: float
    since_ms: int
    now_ms: int
    sample: tuple[Lead, ...] = ()


async def salesforce_parts(rest: SalesforceRest, entities: Sequence[tuple[Entity, Sequence[str]]], scope: Sequence[str]) -> list[Part]:
    """`entities`: each with the fields that are read of it. `scope`: the records of interest where an entity has any."""
    parts = []
    for entity, fields in entities:
        if entity.scope and not scope:
            continue
        where = [any_of(entity.scope, scope)] if entity.scope and len(scope) <= _SCOPE_MAX else []
        columns = tuple(dict.fromkeys(("Id", "SystemModstamp", *fields)))
        page = await rest.page(entity.select(("Id",), where, limit=1), _LANE)
        if not page.rows:
            parts.append(salesforce_part(str(entity.object), 0, 0.0))
            continue
        sample = (await rest.page(entity.select(columns, where, limit=_SAMPLE_ROWS), _LANE)).rows
        count = (
            len(sample) if len(sample) < _SAMPLE_ROWS else (await rest.page(count_of(entity.name, (*entity.where, *where)), _LANE)).total
        )
        parts.append(salesforce_part(str(entity.object), count, row_bytes(sample, columns, 0)))
    return parts


async def people_of(rest: MarketoRest, fields: Sequence[str]) -> People:
    """Marketo counts its people for nobody: their ids are looked at, some blocks of them, between the first and the last."""
    minted = await rest.paging_token(BEGINNING_MS, _LANE)
    first = await _first(rest, minted.token)
    if first is None:
        return People(count=0, exact=True, row_bytes=0.0, since_ms=minted.server_ms, now_ms=minted.server_ms)
    last = await _last(rest, first)
    step = max(BATCH_RECORDS_MAX, (last - first + 1) // BLOCKS)
    sample: list[Lead] = []
    asked = 0
    for start in range(first, last + 1, step):
        ids = range(start, min(last + 1, start + BATCH_RECORDS_MAX))
        asked += len(ids)
        sample += (await rest.read([str(each) for each in ids], ["id", "createdAt", *fields], _LANE)).values()
    count = round(len(sample) * (last - first + 1) / asked)
    size = row_bytes([lead.fields for lead in sample], fields, _EMPTY_BYTES)
    since = min((_ms(lead.fields.get("createdAt")) for lead in sample), default=minted.server_ms)
    return People(
        count=count, exact=asked == last - first + 1, row_bytes=size, since_ms=since, now_ms=minted.server_ms, sample=tuple(sample)
    )  # fmt: skip


def marketo_parts(people: People, members: Mapping[str, int]) -> list[Part]:
    """`members`: as many as are expected, by linked program."""
    parts = [people_part(str(PERSON), people.count, people.row_bytes, people.since_ms, people.now_ms)]
    if members:
        parts.append(members_part("member", len(members), sum(members.values()), _MEMBER_BYTES))
    return parts


_MEMBER_BYTES = 60.0


def row_bytes(rows: Sequence[Mapping[str, Value]], columns: Sequence[str], empty: int) -> float:
    """How long such a row is as CSV, on the average."""
    if not rows:
        return 0.0
    return sum(_cell(row.get(name), empty) + 1 for row in rows for name in columns) / len(rows)


def _cell(value: Value, empty: int) -> int:
    if value is None:
        return empty
    text = str(value)
    return len(text.encode()) + (2 if any(each in text for each in ',"\n') else 0)


async def _first(rest: MarketoRest, token: str) -> int | None:
    """The person who was created first of all that are known; ids grow with time."""
    while True:
        page = await rest.activities(token, [Activity.NEW_LEAD], _LANE)
        ids = [int(row["leadId"]) for row in page.rows if isinstance(row, dict) and "leadId" in row]
        if ids or not page.more:
            return min(ids, default=None)
        token = page.token


async def _last(rest: MarketoRest, first: int) -> int:
    """The last id that is somebody's: found by halving, so nobody may be missing over more ids than a block holds twice."""
    low, reach = first, BATCH_RECORDS_MAX
    while await _any(rest, first + reach):
        low, reach = first + reach, reach * 2
    high = first + reach
    while high - low > BATCH_RECORDS_MAX:
        middle = (low + high) // 2
        if await _any(rest, middle):
            low = middle
        else:
            high = middle
    found = await rest.read([str(each) for each in range(low, low + 2 * BATCH_RECORDS_MAX)], ["id"], _LANE)
    return max((int(each) for each in found), default=low)


async def _any(rest: MarketoRest, start: int) -> bool:
    return bool(await rest.read([str(each) for each in range(start, start + BATCH_RECORDS_MAX)], ["id"], _LANE))


def _ms(stamp: Value) -> int:
    return round(datetime.fromisoformat(str(stamp)).timestamp() * 1000)
