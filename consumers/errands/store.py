"""Errands in the ledger's database: asked for in one commit, worked off, and kept for a time after their end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.errands.errand import Done, Errand, Failed, Later, Outcome, Request, decode, encode
from streams.ground.database import away_is_retry

ASK_BATCH = """
insert into errand_batches (name, asked_by, asked_at, callback, call_at) values ($1, $2, $3, $4::jsonb, $3)
on conflict (name) do nothing returning id
"""
ASK = """
insert into errands (batch, name, asked_person, person, request, due_at, state, code, reason, ended_at)
select $1, told.name, told.person, told.person, told.request::jsonb, $2, case when told.request is null then 'failed' else 'open' end,
    told.code, told.reason, case when told.request is null then $2::bigint end
from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) as told (name, person, request, code, reason)
on conflict (name) do nothing
"""
DUE = """
select e.id, e.name, e.person, e.request::text as request, b.asked_at, b.asked_by, e.introduced, e.tried_at, e.attempts
from errands as e join errand_batches as b on b.id = e.batch
where e.state = 'open' and e.due_at <= $1 order by e.due_at, e.id limit $2
"""
INTRODUCED = (
    "update errands set introduced = true, due_at = $2, person = coalesce($3::jsonb ->> id::text, person) where id = any($1::bigint[])"
)
TRYING = "update errands set tried_at = $2 where id = any($1::bigint[])"
UNTRIED = "update errands set tried_at = 0 where id = any($1::bigint[])"
LATER = """
update errands as e set due_at = told.due_at, attempts = e.attempts + 1, reason = told.reason
from unnest($1::bigint[], $2::bigint[], $3::text[]) as told (id, due_at, reason) where e.id = told.id and e.state = 'open'
"""
ENDED = """
update errands as e set state = told.state, record = told.record, code = told.code, reason = told.reason, ended_at = $6
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) as told (id, state, record, code, reason)
where e.id = told.id and e.state = 'open'
"""
RECORDS = "select record from errands where person = any($1::text[]) and record <> '' and request ->> 'type' = $2"
OF_BATCH = """
select name, person, state, record, code, reason from errands where batch = (select id from errand_batches where name = $1) order by id
"""
COUNTS = "select count(*) from errands where state = 'open'"

_REASON_MAX = 1_000


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One errand as it is asked for; without a request `wrong` says why it makes no sense, as code and words."""

    name: str
    person: str
    request: Request | None
    wrong: tuple[str, str] = ("", "")


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    """Where Marketo waits for the outcome of a batch, and the secrets that it takes once."""

    url: str
    munchkin_id: str
    api_key: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How one errand stands."""

    name: str
    person: str
    state: str
    """open, done or failed."""
    record: str
    code: str
    reason: str


class Store:
    """The tables. `pool`: an asyncpg pool. Everything raises `Retry` while the database is away."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def ask(self, name: str, asked_by: str, errands: Sequence[Asked], now: int, callback: Callback | None = None) -> bool:
        """Keep a batch, whole, in one commit; False: it was asked for before, and nothing has changed."""
        told = None if callback is None else msgspec.json.encode(callback).decode()
        with away_is_retry("keep what is asked for"):
            async with self._pool.acquire() as connection, connection.transaction():
                batch = await connection.fetchval(ASK_BATCH, name, asked_by, now, told)
                if batch is None:
                    return False
                rows = [(each.name, each.person, encode(each.request).decode() if each.request else None, *each.wrong) for each in errands]
                await connection.execute(ASK, batch, now, *(list(column) for column in zip(*rows, strict=True)))
        return True

    async def due(self, now: int, most: int) -> list[Errand]:
        """The next ones to be worked at. One that this version can't read ends here."""
        with away_is_retry("look for errands"):
            rows = await self._pool.fetch(DUE, now, most)
        found: list[Errand] = []
        unreadable: dict[int, Outcome] = {}
        for row in rows:
            try:
                found.append(_errand(row))
            except msgspec.MsgspecError:
                unreadable[row["id"]] = Failed(
                    code="UNREADABLE", reason="it was asked for in a form that this version of Tandem can't read"
                )
        if unreadable:
            await self.settle(unreadable, {}, now)
        return found

    async def introduced(self, people: Mapping[int, str], now: int) -> None:
        """The ledger knows of these, by errand: the Marketo id under which it does."""
        told = msgspec.json.encode({str(errand): person for errand, person in people.items()}).decode()
        with away_is_retry("note that people are wanted"):
            await self._pool.execute(INTRODUCED, list(people), now, told)

    async def trying(self, ids: Sequence[int], now: int) -> None:
        """A call is about to be made for these, which may be done from now on: to be committed before it."""
        with away_is_retry("note what is tried"):
            await self._pool.execute(TRYING, list(ids), now)

    async def untried(self, ids: Sequence[int]) -> None:
        """The call was certainly not made, or is known to have changed nothing."""
        with away_is_retry("note what was not tried"):
            await self._pool.execute(UNTRIED, list(ids))

    async def settle(self, outcomes: Mapping[int, Outcome], due_at: Mapping[int, int], now: int) -> None:
        """What became of these; `due_at`: of those that come later, when."""
        later = [(each, due_at[each], _cut(told.reason)) for each, told in outcomes.items() if isinstance(told, Later)]
        ended = [(each, *_ended(told)) for each, told in outcomes.items() if not isinstance(told, Later)]
        with away_is_retry("note how errands ended"):
            async with self._pool.acquire() as connection, connection.transaction():
                if later:
                    await connection.execute(LATER, *(list(column) for column in zip(*later, strict=True)))
                if ended:
                    await connection.execute(ENDED, *(list(column) for column in zip(*ended, strict=True)), now)

    async def records(self, people: Sequence[str], what: str) -> set[str]:
        """What earlier errands of one sort have made for these people."""
        with away_is_retry("look for what was made before"):
            rows = await self._pool.fetch(RECORDS, list(people), what)
        return {str(row["record"]) for row in rows}

    async def told(self, batch: str) -> list[Told]:
        """How a batch stands; empty: nobody has asked for it."""
        with away_is_retry("look how errands stand"):
            rows = await self._pool.fetch(OF_BATCH, batch)
        return [Told(**{name: row[name] for name in ("name", "person", "state", "record", "code", "reason")}) for row in rows]

    async def open(self) -> int:
        """How many have not ended."""
        with away_is_retry("count errands"):
            return int(await self._pool.fetchval(COUNTS))


def _errand(row: Any) -> Errand:
    return Errand(
        id=row["id"],
        name=row["name"],
        person=row["person"],
        request=decode(row["request"].encode()),
        asked_at=row["asked_at"],
        asked_by=row["asked_by"],
        introduced=row["introduced"],
        tried_at=row["tried_at"],
        attempts=row["attempts"],
    )


def _ended(outcome: Done | Failed) -> tuple[str, str, str, str]:
    """State, record, code, reason."""
    if isinstance(outcome, Done):
        return "done", outcome.id, "", _cut(outcome.reason)
    return "failed", "", outcome.code, _cut(outcome.reason)


def _cut(text: str) -> str:
    return text.replace("\x00", "")[:_REASON_MAX]
