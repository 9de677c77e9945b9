"""Where the audit stands and what it has found, in PostgreSQL. A step is one transaction: what was found, and how far it came."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from consumers.audit.compare import Class, Difference
from consumers.ledger.postgres.sql import IN_MARKETO
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from streams.ground.database import away_is_retry
from streams.wire.systems import Object, System

BOTH, MARKETO_ONLY = "both", "marketo"
PARTS = (BOTH, MARKETO_ONLY)
AGAIN_MS = 600_000
"""True drift is read again after so long: whoever mends it by hand need not wait for the next round."""

PUT_PART = "insert into audits (object, part, watched_ms) values ($1, $2, $3) on conflict do nothing"
STANDING = """
select * from audits where object = any($1::text[]) and (after <> '' or proven_ms <= $2) and again_ms <= $3
order by rounds, array_position($1::text[], object), part limit 1
"""
STEP = """
update audits set after = $3, began_ms = case when after = '' then $4 else began_ms end, records = records + $5,
    salesforce_calls = salesforce_calls + $6, marketo_calls = marketo_calls + $7, blocked = blocked + $8
where object = $1 and part = $2
"""
ROUND = """
update audits set after = '', rounds = rounds + 1, proven_ms = $3, proven_records = records, proven_salesforce_calls = salesforce_calls,
    proven_marketo_calls = marketo_calls, proven_blocked = blocked, records = 0, salesforce_calls = 0, marketo_calls = 0, blocked = 0,
    why = ''
where object = $1 and part = $2
"""
KEPT_BACK = """
update audits set after = '', records = 0, salesforce_calls = 0, marketo_calls = 0, blocked = 0, why = $3, again_ms = $4
where object = $1 and part = $2
"""
_SAME = "d.suspected = excluded.suspected and d.salesforce = excluded.salesforce and d.marketo = excluded.marketo"
FOUND = f"""
insert into differences as d (pair, object, record, field, class, suspected, cause, why, salesforce, marketo, agreed, found_ms, since_ms,
    read_ms, next_ms)
select told.*, $12::bigint, $12::bigint, $12::bigint, $12::bigint + $13::bigint
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::text[]) as told (pair, object, record, field, class, suspected, cause, why, salesforce, marketo, agreed)
on conflict (pair, object, record, field) where closed_ms is null do update set
    class = case when {_SAME} and excluded.read_ms - d.since_ms >= $13::bigint then excluded.suspected else 'in_flight' end,
    since_ms = case when {_SAME} then d.since_ms else excluded.read_ms end,
    next_ms = case
        when excluded.suspected = 'in_flight' or not ({_SAME})
            then excluded.read_ms + greatest($13::bigint, least(excluded.read_ms - d.found_ms, $14::bigint))
        when excluded.read_ms - d.since_ms < $13::bigint then d.since_ms + $13::bigint
        when excluded.suspected = 'true_drift' then excluded.read_ms + $14::bigint
        else 0 end,
    suspected = excluded.suspected, cause = excluded.cause, why = excluded.why, salesforce = excluded.salesforce,
    marketo = excluded.marketo, agreed = excluded.agreed, read_ms = excluded.read_ms, readings = d.readings + 1
"""  # noqa: S608 - texts of ours
"""Told for the first time it is in flight; so it is whenever a reading says another thing than the one before."""
ENDED = """
update differences as d set closed_ms = $4 where d.closed_ms is null and d.pair = any($1::bigint[]) and not exists (
    select from unnest($2::bigint[], $3::text[]) as told (pair, field) where told.pair = d.pair and told.field = d.field)
"""
ENDED_UNKNOWN = "update differences set closed_ms = $3 where closed_ms is null and pair = 0 and object = $1 and record = any($2::text[])"
DUE = "select pair, object, record from differences where closed_ms is null and next_ms > 0 and next_ms <= $1 order by next_ms limit $2"
LATER = """
update differences set next_ms = $4 from unnest($1::bigint[], $2::text[], $3::text[]) as told (pair, object, record)
where closed_ms is null and differences.pair = told.pair and differences.object = told.object and differences.record = told.record
"""
AT_ONCE = "update differences set next_ms = $2 where closed_ms is null and pair = any($1::bigint[])"

COUNTS = """
select class, (select count(*) from (select from differences as d where d.class = told.class and closed_ms is null limit 10000) as counted)
from unnest($1::text[]) as told (class)
"""

_COLUMNS = "id, salesforce_id, state"
AMONG = f"select {_COLUMNS} from pairs where salesforce_id = any($1::text[])"  # noqa: S608 - columns of ours
BETWEEN = f"""
select {_COLUMNS} from pairs
where salesforce_object = $1 and salesforce_id collate "C" > $2 and ($3 = '' or salesforce_id collate "C" <= $3) and not gone
order by salesforce_id collate "C" limit $4
"""  # noqa: S608 - as above
ALONE = f"""
select {_COLUMNS} from pairs where salesforce_object = $1 and salesforce_id is null and marketo_id is not null and not gone and id > $2
order by id limit $3
"""  # noqa: S608 - as above
BY_NUMBER = f"select {_COLUMNS} from pairs where id = any($1::bigint[])"  # noqa: S608 - as above
FORMER = "select id from former where system = 'salesforce' and object = $1 and id = any($2::text[])"
IN_SALESFORCE = """
select told.object, told.id, pairs.salesforce_id from unnest($1::text[], $2::text[]) as told (object, id)
join pairs on pairs.marketo_object = told.object and pairs.marketo_id = told.id and pairs.salesforce_id is not null
"""
SPENT = """
select system, sum(calls)::bigint as calls from budget_spent
where day = (now() at time zone 'utc')::date and purpose = 'audit' group by system
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one part of the comparison has come."""

    object: Object
    part: str
    after: str
    rounds: int
    watched_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A pair as the ledger has it. `state`: None where it can't be read."""

    pair: int
    salesforce: str
    state: PairState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a comparison came to: a pair's differences (none: it is proven), or a record that no pair has (`pair` 0)."""

    pair: int
    object: Object
    record: str
    differences: Sequence[Difference]


class Book:
    """All of it. Raises `Retry` while the database is away."""

    def __init__(self, pool: Any, objects: Collection[Object] = ()) -> None:
        """`objects`: of Salesforce, all that are kept in step."""
        self._pool, self._objects = pool, [str(each) for each in objects]

    async def begin(self, objects: Collection[Object], parts: Mapping[Object, Sequence[str]], now: int) -> None:
        """Each of these has its row."""
        with away_is_retry("begin the drift audit"):
            rows = [(str(obj), part, now) for obj in objects for part in parts[obj]]
            await self._pool.executemany(PUT_PART, rows)

    async def next(self, objects: Sequence[Object], proven_before: int, now: int) -> Standing | None:
        """Whose turn it is: the part with the fewest rounds, in the order of `objects`, of those whose last proof is older and that nothing
        keeps back."""
        with away_is_retry("ask where the drift audit stands"):
            row = await self._pool.fetchrow(STANDING, [str(each) for each in objects], proven_before, now)
        return None if row is None else _standing(row)

    async def kept_back(self, standing: Standing, why: str, now: int) -> None:
        """It can't be compared: it is not proven, and its round begins anew after a while."""
        with away_is_retry("note what keeps the drift audit"):
            await self._pool.execute(KEPT_BACK, str(standing.object), standing.part, why, now + AGAIN_MS)

    async def among(self, ids: Sequence[str]) -> dict[str, Known]:
        """The pairs of these records of Salesforce."""
        with away_is_retry("read pairs for the drift audit"):
            return {row["salesforce_id"]: _known(row) for row in await self._pool.fetch(AMONG, list(ids))}

    async def between(self, obj: Object, after: str, last: str, most: int) -> list[Known]:
        """The pairs of this sort behind one id, up to and with another (empty: to the end), in that order."""
        with away_is_retry("read pairs for the drift audit"):
            return [_known(row) for row in await self._pool.fetch(BETWEEN, str(obj), after, last, most)]

    async def alone(self, obj: Object, after: int, most: int) -> list[Known]:
        """The next pairs of this sort that have a record in Marketo only."""
        with away_is_retry("read pairs for the drift audit"):
            return [_known(row) for row in await self._pool.fetch(ALONE, str(obj), after, most)]

    async def numbered(self, pairs: Sequence[int]) -> list[Known]:
        """These pairs, as far as they are still there."""
        with away_is_retry("read pairs for the drift audit"):
            return [_known(row) for row in await self._pool.fetch(BY_NUMBER, list(pairs))]

    async def former(self, obj: Object, ids: Sequence[str]) -> set[str]:
        """Those of these records of Salesforce that are part of another one's pair since."""
        with away_is_retry("read pairs for the drift audit"):
            return {row["id"] for row in await self._pool.fetch(FORMER, str(obj), list(ids))}

    async def in_marketo(self, ids: list[str]) -> dict[str, str]:
        """As `Parents` says."""
        with away_is_retry("look for parents"):
            return {row[0]: row[1] for row in await self._pool.fetch(IN_MARKETO, ids, self._objects)}

    async def in_salesforce(self, records: list[tuple[Object, str]]) -> dict[tuple[Object, str], str]:
        """As `Parents` says."""
        with away_is_retry("look for parents"):
            rows = await self._pool.fetch(IN_SALESFORCE, [str(obj) for obj, _ in records], [record for _, record in records])
        return {(Object(row[0]), row[1]): row[2] for row in rows}

    async def due(self, now: int, most: int) -> list[tuple[int, Object, str]]:
        """What is to be read again: pair, object, record."""
        with away_is_retry("ask what the drift audit is to read again"):
            return [(row["pair"], Object(row["object"]), row["record"]) for row in await self._pool.fetch(DUE, now, most)]

    async def counts(self) -> dict[Class, int]:
        """How many differences stand, by class; counted to 10,000."""
        with away_is_retry("count what the drift audit has found"):
            return {Class(row["class"]): row["count"] for row in await self._pool.fetch(COUNTS, [str(each) for each in Class])}

    async def spent(self) -> dict[System, int]:
        """The calls of today (UTC) that the audit has made, all workers together."""
        with away_is_retry("count the calls of the drift audit"):
            return {System(row["system"]): row["calls"] for row in await self._pool.fetch(SPENT)}

    async def at_once(self, pairs: Sequence[int], now: int) -> None:
        """The differences of these pairs are read again now."""
        with away_is_retry("ask the drift audit to read again"):
            await self._pool.execute(AT_ONCE, list(pairs), now)

    async def later(self, due: Sequence[tuple[int, Object, str]], now: int) -> None:
        """These can't be read now: after a while."""
        pairs, objects, records = [each[0] for each in due], [str(each[1]) for each in due], [each[2] for each in due]
        with away_is_retry("put off what the drift audit reads again"):
            await self._pool.execute(LATER, pairs, objects, records, now + AGAIN_MS)

    async def keep(self, found: Sequence[Found], now: int, confirm_ms: int, step: "Step | None" = None) -> None:
        """What was found, what has ended with that, and how far the round came: all or nothing."""
        with away_is_retry("keep what the drift audit has found"):
            async with self._pool.acquire() as connection, connection.transaction():
                await _keep(connection, found, now, confirm_ms)
                if step is not None:
                    await step.keep(connection, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a round. `after`: where the next one begins; empty: the round is over."""

    of: Standing
    after: str
    records: int
    blocked: int
    calls: Mapping[System, int]

    async def keep(self, connection: Any, now: int) -> None:
        """Note it."""
        calls = (self.calls.get(System.SALESFORCE, 0), self.calls.get(System.MARKETO, 0))
        key = (str(self.of.object), self.of.part)
        await connection.execute(STEP, *key, self.after, now, self.records, *calls, self.blocked)
        if not self.after:
            await connection.execute(ROUND, *key, now)


async def _keep(connection: Any, found: Sequence[Found], now: int, confirm_ms: int) -> None:
    told = [(each, difference) for each in found for difference in each.differences]
    if told:
        await connection.execute(
            FOUND,
            [each.pair for each, _ in told],
            [str(each.object) for each, _ in told],
            [each.record for each, _ in told],
            [one.field for _, one in told],
            [str(Class.IN_FLIGHT)] * len(told),
            [str(one.klass) for _, one in told],
            [str(one.cause) for _, one in told],
            [one.why for _, one in told],
            [_json(one.salesforce) for _, one in told],
            [_json(one.marketo) for _, one in told],
            [_json(one.agreed) for _, one in told],
            now,
            confirm_ms,
            AGAIN_MS,
        )
    pairs = [each.pair for each in found if each.pair]
    if pairs:
        still = [(each.pair, one.field) for each, one in told if each.pair]
        await connection.execute(ENDED, pairs, [pair for pair, _ in still], [field for _, field in still], now)
    over: dict[Object, list[str]] = {}
    for each in found:
        if not each.pair and not each.differences:
            over.setdefault(each.object, []).append(each.record)
    for obj, records in over.items():
        await connection.execute(ENDED_UNKNOWN, str(obj), records, now)


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(object=Object(row["object"]), part=row["part"], after=row["after"], rounds=row["rounds"], watched_ms=row["watched_ms"])


def _known(row: asyncpg.Record) -> Known:
    try:
        state = unpack(row["state"])
    except Exception:  # noqa: BLE001 - whatever is wrong with it: such a pair is told of as what it is
        state = None
    return Known(pair=row["id"], salesforce=row["salesforce_id"] or "", state=state)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
