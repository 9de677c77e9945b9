"""State topics: of each record what is agreed now, for whoever wants a table; a tombstone where a record is gone.

What the outbox is past says whose records have changed; each is then read as the ledger has it, so that many changes at once are one
message, and what is said is never older than the change that led to it. The order of effects: read, publish, acknowledge, save the
position. A crash between any two is a repeat. Two who carry at once (one was stopped and woke up) may say things in the wrong order; so
whoever finds that out says them again until the ledger stands still in between. A topic that is new is begun with every record there is.

It works at most a tenth of the time: nobody waits for a table, everybody for a decision.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from consumers.ledger.postgres.blocks import BLOCKS_AFTER, parts
from consumers.merge.pair.stored import Agreed, agreed
from consumers.publish.carrier import Carrier, Message
from streams.ground.database import away_is_retry
from streams.relay.publisher import Producer
from streams.wire import cloud
from streams.wire.errors import Retry
from streams.wire.events import Value
from streams.wire.systems import MARKETO, SALESFORCE, Object
from streams.wire.topics import state_topic

_PUBLISHED = "select relation, published from outbox where relation = any($1::text[])"
SAVE = """
insert into outbox as o (relation, published, saved_ms) values ($1, $3, $4)
on conflict (relation) do update set published = excluded.published, saved_ms = excluded.saved_ms where o.published = $2
returning 1
"""
_ROWS = "select id, salesforce_object, state, told_in from pairs where id = any($1::bigint[]) order by id"
_STANDING = "select id, told_in from pairs where id = any($1::bigint[])"
_ALL = """
select id, salesforce_object, state, told_in from pairs where id > $1 and salesforce_object = any($2::text[]) order by id limit $3
"""
_ENDED = "select pair, object from pairs_ended order by pair limit $1"
_TOLD = "delete from pairs_ended where pair = any($1::bigint[])"
_BLOCKS = "decision_blocks"
_STATES = "states"
DONE = 2**62
"""Stands for the end of a topic's beginning, when every record was told once."""
RECORDS_MAX = 500
"""Of a step."""
_LONG_CHARS, _LONG_BYTES = 500, 900_000
_RESTS = 9.0
"""So much longer than a step took."""


class State(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What is agreed of a record."""

    pair: int
    """Its number in Tandem's ledger: the message's key."""
    kind: str
    object: str
    """What it is in Salesforce."""
    salesforce: str = ""
    """Its id there; empty while it has none."""
    marketo: str = ""
    """Its id there; empty while it has none."""
    deleted: tuple[str, ...] = ()
    """Where it has been deleted."""
    held: str = ""
    """Why it is not kept in step at the moment."""
    fields: dict[str, Value]
    """By Marketo's names: the agreed values. One that isn't named is blank."""
    block: int
    """The block of its last decision. It grows: of two messages about a record the one with the greater was said later."""
    cut: bool = False
    """Long texts are cut, since the whole would not fit into a message."""


class States(Carrier):
    """Keeps the state topics in line with the ledger, until stopped. One in a fleet works, the others stand by."""

    name = _STATES
    kinds: Mapping[Object, str] = {}
    """By what it is in Salesforce: the kind, which has a topic."""
    _monotonic: Callable[[], float] = time.monotonic

    async def publish(self, producer: Producer) -> int:
        """One pass: every change that the outbox is past is told; so is every record, on a topic that is new."""
        topics = sorted({state_topic(kind) for kind in self.kinds.values()})
        with away_is_retry("reading how far the state topics are"):
            rows = await self._pool.fetch(_PUBLISHED, [_BLOCKS, _STATES, *topics])
        stands = {row["relation"]: row["published"] for row in rows}
        until = stands.get(_BLOCKS, 0)
        if _STATES not in stands:
            await self._save(_STATES, 0, until)
        count = await self._changes(producer, stands.get(_STATES, until), until)
        for topic in topics:
            count += await self._beginning(producer, topic, stands.get(topic, 0))
        return count + await self._ended(producer)

    async def _changes(self, producer: Producer, stood: int, until: int) -> int:
        count = 0
        while stood < until:
            began = self._monotonic()
            with away_is_retry("reading what has changed"):
                rows = await self._pool.fetch(BLOCKS_AFTER, stood, until, RECORDS_MAX)
                pairs = {pair for row in rows for pair in parts(row["body"])[0]} - {0}
                found = await self._pool.fetch(_ROWS, sorted(pairs))
            count += await self._tell(producer, found)
            reached = rows[-1]["id"] if rows else until
            try:
                await self._save(_STATES, stood, reached)
            except Retry:
                await self._until_it_stands(producer, pairs, found)
                raise
            stood = reached
            await self._sleep(_RESTS * (self._monotonic() - began))
        return count

    async def _beginning(self, producer: Producer, topic: str, stood: int) -> int:
        """Every record of a kind, once. What changes meanwhile comes as a change, or has been read here as it is."""
        objects = [str(obj) for obj, kind in self.kinds.items() if state_topic(kind) == topic]
        count = 0
        while stood < DONE:
            began = self._monotonic()
            with away_is_retry("reading every record"):
                rows = await self._pool.fetch(_ALL, stood, objects, RECORDS_MAX)
            count += await self._tell(producer, rows)
            reached = rows[-1]["id"] if len(rows) == RECORDS_MAX else DONE
            await self._save(topic, stood, reached)
            stood = reached
            await self._sleep(_RESTS * (self._monotonic() - began))
        return count

    async def _ended(self, producer: Producer) -> int:
        """Pairs that are no more: they became part of another one, or were forgotten."""
        with away_is_retry("reading whose pair has ended"):
            rows = await self._pool.fetch(_ENDED, RECORDS_MAX)
        by_topic: dict[str, list[Message]] = {}
        for row in rows:
            kind = self.kinds.get(Object(row["object"]))
            if kind is not None:
                by_topic.setdefault(state_topic(kind), []).append(_tombstone(kind, row["pair"], 0, self._now_ms()))
        for topic, messages in by_topic.items():
            await self._send(topic, producer, messages)
        if rows:
            with away_is_retry("noting whose end was told"):
                await self._pool.execute(_TOLD, [row["pair"] for row in rows])
        return len(rows)

    async def _tell(self, producer: Producer, rows: Sequence[Any]) -> int:
        by_topic: dict[str, list[Message]] = {}
        for row in rows:
            kind = self.kinds.get(Object(row["salesforce_object"]))
            if kind is not None:
                by_topic.setdefault(state_topic(kind), []).extend(self._message(kind, row))
        for topic, messages in by_topic.items():
            await self._send(topic, producer, messages)
        return sum(map(len, by_topic.values()))

    def _message(self, kind: str, row: Any) -> Iterator[Message]:
        try:
            known = agreed(row["state"])
        except (msgspec.DecodeError, msgspec.ValidationError):
            self._log.warning("a state can't be read", pair=row["id"])
            return
        alive = [record for record in (known.salesforce, known.marketo) if record.id and not record.deleted]
        yield (
            _state(kind, row["id"], row["told_in"], known, self._now_ms())
            if alive
            else _tombstone(kind, row["id"], row["told_in"], self._now_ms())
        )

    async def _until_it_stands(self, producer: Producer, pairs: Collection[int], told: Sequence[Any]) -> None:
        """Somebody else carries, too: what was said here may be older than what they said, and be said after it. So it is read again, and
        said again until it was the newest when it was acknowledged."""
        said = {row["id"]: row["told_in"] for row in told}
        while True:
            with away_is_retry("reading whether it stands"):
                stands = {row["id"]: row["told_in"] for row in await self._pool.fetch(_STANDING, sorted(pairs))}
                moved = sorted(pair for pair, block in stands.items() if said.get(pair) != block)
                if not moved:
                    return
                rows = await self._pool.fetch(_ROWS, moved)
            await self._tell(producer, rows)
            said |= {row["id"]: row["told_in"] for row in rows}

    async def _save(self, relation: str, stood: int, reached: int) -> None:
        with away_is_retry("saving how far the state topics are"):
            if await self._pool.fetchval(SAVE, relation, stood, reached, self._now_ms()) is None:
                raise Retry("somebody else carries states as well; they go on from there", after_seconds=1.0)


def _state(kind: str, pair: int, block: int, known: Agreed, now: int) -> Message:
    state = State(
        pair=pair,
        kind=kind,
        object=str(known.object),
        salesforce=known.salesforce.id,
        marketo=known.marketo.id,
        deleted=tuple(str(system) for system, record in ((SALESFORCE, known.salesforce), (MARKETO, known.marketo)) if record.deleted),
        held=known.hold,
        fields={key: value for key, value in known.values.items() if value is not None},
        block=block,
    )
    body = msgspec.json.encode(state)
    if len(body) > _LONG_BYTES:
        fields = {key: value[:_LONG_CHARS] if isinstance(value, str) else value for key, value in state.fields.items()}
        body = msgspec.json.encode(msgspec.structs.replace(state, fields=fields, cut=True))
    return Message(_key(pair), body, _about(kind, pair, block, now, what="agreed", subject=state.salesforce or state.marketo))


def _tombstone(kind: str, pair: int, block: int, now: int) -> Message:
    return Message(_key(pair), None, _about(kind, pair, block, now, what="gone"))


def _about(kind: str, pair: int, block: int, now: int, *, what: str, subject: str = "") -> cloud.Headers:
    return cloud.headers(identity=f"{pair}-{block}-{what}", source=cloud.LEDGER, type_=f"crm.state.{kind}.{what}", at=now, subject=subject)


def _key(pair: int) -> bytes:
    return str(pair).encode()
