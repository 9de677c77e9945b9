"""The outbox: what the ledger has recorded goes out on Kafka, every row, in the order of its id, at least once.

Ids are drawn before they are seen: of two transactions at once the later id may be committed first. So before anything is read, an id
is chosen (the last one drawn), and whoever was writing to the table at that moment is waited for: every row up to that id is visible
then, or never will be. The order of effects: choose, wait, read, publish, acknowledge, save the position. A crash between any two is a
repeat, never a loss.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.ledger.postgres.blocks import BLOCKS_AFTER, LAST_BLOCK, number, unpacked
from consumers.merge.pair.decision import decode, encode
from consumers.publish.carrier import Carrier, Message
from streams.ground.database import away_is_retry
from streams.relay.publisher import DEAD_ORIGINAL_BYTES_MAX, Producer
from streams.wire import cloud
from streams.wire.codec import encode_dead_letter
from streams.wire.errors import Retry
from streams.wire.events import DeadLetter, Value
from streams.wire.topics import DEAD_LETTERS, DECISIONS

PUBLISHED = "select published from outbox where relation = $1"
SAVE = """
insert into outbox as o (relation, published, saved_ms) values ($1, $3, $4)
on conflict (relation) do update set published = excluded.published, saved_ms = excluded.saved_ms where o.published = $2
returning 1
"""
WRITERS = """
select virtualtransaction from pg_locks
where locktype = 'relation' and mode = 'RowExclusiveLock' and relation = $1::text::regclass and granted
    and database = (select oid from pg_database where datname = current_database())
"""
"""A writer holds this lock from before it draws an id until its rows are visible (PostgreSQL, explicit locking, table-level locks)."""

BATCH_ROWS_MAX = 1_000
MESSAGE_BYTES_MAX = 900_000
_CUT_CHARACTERS = 500
_WRITERS_SECONDS = (0.002, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A table whose rows go onto a topic. `read`: rows after the id $1 up to $2, with `id` among their columns, as long as they make no
    more than $3 messages; one at least."""

    relation: str
    topic: str
    last: str
    read: str
    messages: Callable[[Any], Iterable[Message]]
    """Each message that a row makes, in their order."""
    packed: bool = False
    """Whether a row may make many."""


class Outbox(Carrier):
    """Publishes decisions, and the dead letters of observe, until stopped. One in a fleet works, the others stand by."""

    name = "outbox"

    async def publish(self, producer: Producer) -> int:
        """One pass: everything recorded until now is acknowledged and noted. How many messages it was."""
        return sum([await self._publish(shelf, producer) for shelf in (DECIDED, BLOCKS, BURIED)])

    async def _publish(self, shelf: Shelf, producer: Producer) -> int:
        with away_is_retry(f"reading {shelf.relation}"):
            published = await self._pool.fetchval(PUBLISHED, shelf.relation) or 0
            last = await self._pool.fetchval(shelf.last)
            if last <= published:
                return 0
            await self._all_settled(shelf)
        count = 0
        while published < last:
            with away_is_retry(f"reading {shelf.relation}"):
                rows = await self._pool.fetch(shelf.read, published, last, BATCH_ROWS_MAX)
            messages = [message for row in rows for message in shelf.messages(row)]
            await self._send(shelf.topic, producer, messages)
            count += len(messages)
            reached = rows[-1]["id"] if rows and (shelf.packed or len(rows) == BATCH_ROWS_MAX) else last
            with away_is_retry(f"saving how far {shelf.relation} went out"):
                if await self._pool.fetchval(SAVE, shelf.relation, published, reached, self._now_ms()) is None:
                    raise Retry(f"somebody else publishes {shelf.relation} as well; both may have sent the same rows")
            published = reached
        return count

    async def _all_settled(self, shelf: Shelf) -> None:
        """Wait until everyone who writes to the table now has ended."""
        pause, longest = _WRITERS_SECONDS
        writers = {row[0] for row in await self._pool.fetch(WRITERS, shelf.relation)}
        while writers:
            await self._sleep(pause)
            pause = min(longest, pause * 1.5)
            writers &= {row[0] for row in await self._pool.fetch(WRITERS, shelf.relation)}


class _Said(msgspec.Struct, frozen=True, gc=False):
    """As much of a decision as its headers tell."""

    kind: str
    at: int
    record: str


_said = msgspec.json.Decoder(_Said)


def _decision(row: Any) -> Iterator[Message]:
    yield _message(row["pair"] or 0, row["body"], f"row-{row['id']}")


def _decisions(row: Any) -> Iterator[Message]:
    for place, entry in enumerate(unpacked(row["body"])):
        yield _message(entry.pair, entry.told, str(number(row["id"], place)))


def _message(pair: int, body: bytes, identity: str) -> Message:
    said = _said.decode(body)
    about = cloud.headers(identity=identity, source=cloud.LEDGER, type_=f"crm.decision.{said.kind}", at=said.at, subject=said.record)
    return Message(str(pair).encode(), body if len(body) <= MESSAGE_BYTES_MAX else _shortened(body), about)


def _shortened(body: bytes) -> bytes:
    """A decision too big for a message, with its long values cut; the database keeps them whole."""
    told = decode(body)
    fields = tuple(
        msgspec.structs.replace(each, value=_cut(each.value), agreed=_cut(each.agreed), lost=_cut(each.lost)) for each in told.fields
    )
    detail = f"{_cut(told.detail)} (long values are cut here)".strip()
    return encode(msgspec.structs.replace(told, fields=fields, detail=detail))


def _cut(value: Value) -> Value:
    return value[:_CUT_CHARACTERS] if isinstance(value, str) else value


def _letter(row: Any) -> Iterator[Message]:
    letter = DeadLetter(
        stage=row["stage"],
        reason=row["reason"],
        original=row["original"][:DEAD_ORIGINAL_BYTES_MAX],
        key=row["key"] or "",
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        at=row["at"],
    )
    yield Message(letter.key.encode(), encode_dead_letter(letter), cloud.letter_headers(letter))


DECIDED = Shelf(
    relation="decisions",
    topic=DECISIONS,
    last="select case when is_called then last_value else 0 end from decisions_id_seq",
    read="select id, pair, body from decisions where id > $1 and id <= $2 order by id limit $3",
    messages=_decision,
)
"""Rows of the version before: what is left of them, and what its workers still write while they are replaced."""
BLOCKS = Shelf(
    relation="decision_blocks",
    topic=DECISIONS,
    last=LAST_BLOCK,
    read=BLOCKS_AFTER,
    messages=_decisions,
    packed=True,
)
BURIED = Shelf(
    relation="dead_letters",
    topic=DEAD_LETTERS,
    last="select case when is_called then last_value else 0 end from dead_letters_id_seq",
    read='select * from dead_letters where id > $1 and id <= $2 and "offset" >= 0 order by id limit $3',
    messages=_letter,
)
"""Only letters that were messages of a topic: a relay sends its own before it stores its position."""
