"""Deliveries in the ledger's database. Each change by hand counts the revision on; what a runner saves is of the revision that it holds."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from consumers.deliveries.delivery import (
    Delivery,
    Places,
    Secret,
    State,
    UnknownDelivery,
    Unusable,
    Way,
    choice_kept,
    choice_told,
    places_kept,
    places_told,
)
from streams.ground.database import away_is_retry

_COLUMNS = """
id, name, topic, way, url, choice::text as choice, revealed, state, why, revision, places::text as places, created_at, created_by,
changed_at, delivered, delivered_at, missed, attempts, next_at, failing_since, trouble
"""
ALL = f"select {_COLUMNS} from deliveries order by name"  # noqa: S608 - names of columns, ours
ONE = f"select {_COLUMNS} from deliveries where name = $1"  # noqa: S608
CREATE = """
insert into deliveries (name, topic, way, url, choice, revealed, places, created_at, created_by, changed_at)
values ($1, $2, $3, $4, $5::jsonb, $6, $7::jsonb, $8, $9, $8) on conflict (name) do nothing returning id
"""
DELETE = "delete from deliveries where name = $1 returning id"
STAND = """
update deliveries set state = $2, why = $3, changed_at = $4, revision = revision + 1,
    attempts = 0, next_at = 0, failing_since = 0, trouble = ''
where name = $1
"""
REWIND = """
update deliveries set places = $2::jsonb, changed_at = $3, revision = revision + 1,
    attempts = 0, next_at = 0, failing_since = 0, trouble = ''
where name = $1
"""
SECRETS = """
select secret, created_at, until from delivery_secrets
where delivery = $1 and (until = 0 or until > $2) order by until, created_at desc
"""
REPLACED = "update delivery_secrets set until = $2 where delivery = $1 and until = 0"
ADDED = """
insert into delivery_secrets (delivery, secret, created_at) values ($1, $2, $3)
on conflict (delivery, secret) do update set until = 0
"""
OVER = "delete from delivery_secrets where delivery = $1 and until <> 0 and until <= $2"
DUE = f"""
select {_COLUMNS} from deliveries
where way = 'webhook' and state = 'active' and next_at <= $1 and id <> all($2::bigint[]) order by next_at, id
"""  # noqa: S608
FAILING = f"select {_COLUMNS} from deliveries where state = 'active' and failing_since > 0 order by name"  # noqa: S608
REVISIONS = "select id, revision from deliveries where id = any($1::bigint[]) and state = 'active'"
TAKE = "update deliveries set revision = revision + 1 where id = $1 and revision = $2 and state = 'active' returning revision"
SAVE = """
update deliveries set places = $3::jsonb, delivered = delivered + $4, missed = missed + $5,
    delivered_at = case when $4 > 0 then $6 else delivered_at end,
    attempts = case when $4 > 0 then 0 else attempts end, next_at = case when $4 > 0 then 0 else next_at end,
    failing_since = case when $4 > 0 then 0 else failing_since end, trouble = case when $4 > 0 then '' else trouble end
where id = $1 and revision = $2 returning 1
"""
FAILED = """
update deliveries set attempts = attempts + 1, next_at = $3, trouble = $4,
    failing_since = case when failing_since = 0 then $5 else failing_since end
where id = $1 and revision = $2 returning 1
"""
DISABLE = """
update deliveries set state = 'disabled', why = $3, changed_at = $4, revision = revision + 1, next_at = 0
where id = $1 and revision = $2 returning 1
"""
HEARD = "update deliveries set places = $2::jsonb, delivered_at = $3 where id = $1 and revision = $4"
_PATIENCE_SECONDS = 10.0


class Superseded(Exception):  # noqa: N818 - no failure: somebody else has it now
    """The delivery was changed by hand, or another runner has it: whoever held it stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a runner has come to since it saved last. `delivered`: messages that were taken."""

    places: Places
    delivered: int = 0
    missed: int = 0


@asynccontextmanager
async def lent(pool: Any) -> AsyncIterator[Any]:
    """A connection of the pool's. Raises `Retry` where PostgreSQL is away."""
    with away_is_retry("a connection for deliveries"):
        connection = await pool.acquire(timeout=_PATIENCE_SECONDS)
    try:
        yield connection
    finally:
        await pool.release(connection)


async def every(connection: Any) -> list[Delivery]:
    """All of them, by name. Everything here raises `Retry` while the database is away."""
    with away_is_retry("look for deliveries"):
        return [_delivery(row) for row in await connection.fetch(ALL)]


async def one(connection: Any, name: str) -> Delivery:
    """That one. Raises `UnknownDelivery`."""
    with away_is_retry("look for a delivery"):
        row = await connection.fetchrow(ONE, name.strip().lower())
    if row is None:
        raise UnknownDelivery(f"there is no delivery {name}; `tandem deliveries list` names them")
    return _delivery(row)


async def create(connection: Any, delivery: Delivery, secret: str) -> Delivery:
    """Keep a new one, with what its webhook is signed with (empty: nothing is). Raises `Unusable` where the name is taken."""
    with away_is_retry("keep a delivery"):
        async with connection.transaction():
            number = await connection.fetchval(
                CREATE, delivery.name, delivery.topic, delivery.way, delivery.url, choice_kept(delivery.choice), delivery.revealed,
                places_kept(delivery.places), delivery.created_at, delivery.created_by,
            )  # fmt: skip
            if number is None:
                raise Unusable(f"there is a delivery {delivery.name} already; choose another name, or delete that one")
            if secret:
                await connection.execute(ADDED, number, secret, delivery.created_at)
    return await one(connection, delivery.name)


async def delete(connection: Any, name: str) -> None:
    """With its secrets and its place. Raises `UnknownDelivery`."""
    with away_is_retry("delete a delivery"):
        gone = await connection.fetchval(DELETE, name)
    if gone is None:
        raise UnknownDelivery(f"there is no delivery {name}; `tandem deliveries list` names them")


async def stand(connection: Any, name: str, state: State, why: str, now_ms: int) -> Delivery:
    """Pause it, or let it go on: at once, whatever it waited for. Raises `UnknownDelivery`."""
    with away_is_retry("change a delivery"):
        await connection.execute(STAND, name, state, why, now_ms)
    return await one(connection, name)


async def rewind(connection: Any, name: str, places: Places, now_ms: int) -> Delivery:
    """Set its cursor, back or forth. Raises `UnknownDelivery`."""
    with away_is_retry("rewind a delivery"):
        await connection.execute(REWIND, name, places_kept(places), now_ms)
    return await one(connection, name)


async def rotate(connection: Any, delivery: Delivery, secret: str, *, until_ms: int, now_ms: int) -> None:
    """Another secret from now on; those before it sign as well until then."""
    with away_is_retry("rotate the secret of a delivery"):
        async with connection.transaction():
            await connection.execute(OVER, delivery.id, now_ms)
            await connection.execute(REPLACED, delivery.id, until_ms)
            await connection.execute(ADDED, delivery.id, secret, now_ms)


async def secrets_of(connection: Any, delivery: int, now_ms: int) -> list[Secret]:
    """What is signed with now: the one in use first."""
    with away_is_retry("read the secrets of a delivery"):
        rows = await connection.fetch(SECRETS, delivery, now_ms)
    return [Secret(text=row["secret"], created_at=row["created_at"], until=row["until"]) for row in rows]


async def heard(connection: Any, delivery: Delivery, places: Places, now_ms: int) -> None:
    """A listener has all before these places: it said so when it came."""
    with away_is_retry("keep how far a delivery is"):
        await connection.execute(HEARD, delivery.id, places_kept(places), now_ms, delivery.revision)


async def due(connection: Any, now_ms: int, busy: Sequence[int]) -> list[Delivery]:
    """Webhooks to be called, but those that somebody is busy with; whoever waits longest first."""
    with away_is_retry("look for deliveries"):
        return [_delivery(row) for row in await connection.fetch(DUE, now_ms, list(busy))]


async def failing(connection: Any) -> list[Delivery]:
    """Webhooks whose last attempt failed."""
    with away_is_retry("look for deliveries"):
        return [_delivery(row) for row in await connection.fetch(FAILING)]


async def revisions(connection: Any, ids: Sequence[int]) -> dict[int, int]:
    """Of those that are still active."""
    with away_is_retry("look for deliveries"):
        return {row["id"]: row["revision"] for row in await connection.fetch(REVISIONS, list(ids))}


async def take(connection: Any, delivery: Delivery) -> int:
    """The revision of whoever runs it now: nobody before can save any more. Raises `Superseded`."""
    with away_is_retry("take a delivery on"):
        return _held(await connection.fetchval(TAKE, delivery.id, delivery.revision))


async def save(connection: Any, delivery: int, revision: int, progress: Progress, now_ms: int) -> None:
    """Its cursor, which only moves past what was taken or not asked for. Raises `Superseded`."""
    with away_is_retry("keep how far a delivery is"):
        kept = await connection.fetchval(
            SAVE, delivery, revision, places_kept(progress.places), progress.delivered, progress.missed, now_ms
        )  # fmt: skip
    _held(kept)


async def failed(connection: Any, delivery: int, revision: int, *, next_at: int, trouble: str, now_ms: int) -> None:
    """An attempt failed; when the next one is. Raises `Superseded`."""
    with away_is_retry("keep that a delivery failed"):
        _held(await connection.fetchval(FAILED, delivery, revision, next_at, trouble, now_ms))


async def disable(connection: Any, delivery: int, revision: int, why: str, now_ms: int) -> None:
    """The receiver wants nothing more. Raises `Superseded`."""
    with away_is_retry("disable a delivery"):
        _held(await connection.fetchval(DISABLE, delivery, revision, why, now_ms))


def _held(told: int | None) -> int:
    if told is None:
        raise Superseded
    return told


def _delivery(row: asyncpg.Record) -> Delivery:
    told = dict(row)
    return Delivery(
        **{
            **told,
            "way": Way(told["way"]),
            "state": State(told["state"]),
            "choice": choice_told(told["choice"]),
            "places": places_told(told["places"]),
        }
    )
