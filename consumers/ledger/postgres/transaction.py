"""One step on the ledger in PostgreSQL: whole batches by statement, nothing written that has not changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from consumers.ledger.faults import Fault
from consumers.ledger.port import NOTHING, Duty, Fenced, Named, Pair, is_gone
from consumers.ledger.postgres import former, sql
from consumers.ledger.postgres.blocks import Days
from consumers.ledger.postgres.border import border
from consumers.ledger.postgres.chronicle import Chronicle
from consumers.ledger.postgres.queue import Queue
from consumers.ledger.postgres.refusals import DROP_OF, keep_refusals
from consumers.ledger.postgres.text import keepable, listed, quoted, storable
from consumers.ledger.postgres.write_ids import WriteIds
from consumers.merge.pair.decision import Decision, Told
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack
from consumers.merge.writing.due import contested
from consumers.merge.writing.parents import Reference
from streams.wire.errors import Fatal
from streams.wire.events import DeadLetter
from streams.wire.systems import Object, System

_SHELVED_MS = 3_600_000
_log = structlog.get_logger("consumers.ledger")


class PostgresTransaction:
    """An open transaction on `connection`; begun and ended by the ledger. `new_write_ids` is told of a fresh block of ids."""

    def __init__(self, connection: Any, write_ids: WriteIds, days: Days, queue: Queue) -> None:
        self._connection = connection
        self._write_ids = write_ids
        self._queue = queue
        self._chronicle = Chronicle(connection, days)
        self._held: dict[int, Pair] = {}
        self._unsaved: dict[int, bytes] = {}
        """Packed states of pairs whose rows wait for what is decided about them, to be written once."""
        self._unsaved_at = 0

    async def advance(self, topic: str, partition: int, start: int, end: int, last: int | None = None) -> None:
        """As the port says."""
        with border("move the offset"):
            moved = await self._connection.fetchval(sql.ADVANCE, topic, partition, start, end, last)
        if moved is None:
            raise Fenced(f"{topic}/{partition} does not stand at {start}, or {end} lies before that")

    async def rewind(self, topic: str, partition: int, stood: int, begin: int) -> None:
        """As the port says."""
        with border("move the offset back"):
            moved = await self._connection.fetchval(sql.REWIND, topic, partition, stood, begin)
        if moved is None:
            raise Fenced(f"{topic}/{partition} does not stand at {stood}")

    async def by_record(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, Pair]:
        """As the port says."""
        wanted = keepable(ids)
        if system is System.SALESFORCE:
            rows = await self._fetch("load pairs by record", sql.BY_SALESFORCE, wanted)
        else:
            rows = await self._fetch("load pairs by record", sql.BY_MARKETO, wanted, obj)
        held, found = self._held, {}
        for number, data, key, decided, record, place in rows:
            pair = held.get(number)
            if pair is None:
                pair = held[number] = Pair.packed(number, data, key, decided, place)
            found[record] = pair
        return found

    async def gather(
        self, *, ids: Sequence[int] = (), records: Mapping[tuple[System, Object], Sequence[str]] = NOTHING, keys: Sequence[str] = (),
        waiting: Sequence[str] = (), most: int,
    ) -> list[Pair]:  # fmt: skip
        """As the port says."""
        theirs: dict[System, list[tuple[str, Object]]] = {system: [] for system in System}
        for (system, obj), names in records.items():
            theirs[system] += [(record, obj) for record in names if record == storable(record)]
        salesforce = [record for record, _ in theirs[System.SALESFORCE]]
        marketo, objects = [record for record, _ in theirs[System.MARKETO]], [obj for _, obj in theirs[System.MARKETO]]
        wanted = [[storable(text) for text in texts] for texts in (keys, waiting)]
        rows = await self._fetch("gather pairs", sql.GATHER, list(ids), salesforce, marketo, *wanted, most, objects)
        return [self._pair(row) for row in rows]

    async def others_with(self, keys: Sequence[str], known: Sequence[int]) -> list[str]:
        """As the port says."""
        wanted = {storable(key): key for key in keys}
        await self._fetch("wait for who is being introduced", sql.LOCK_MEETING)
        rows = await self._fetch("look who was introduced", sql.OTHERS_WITH, list(wanted), list(known))
        return [wanted[row[0]] for row in rows]

    async def left(self, what: Sequence[str]) -> None:
        """As the port says."""
        await self._execute("note what was left", sql.NOTE_LEFT, sorted({storable(each) for each in what}))

    async def take_left(self, most: int) -> list[str]:
        """As the port says."""
        return [row[0] for row in await self._fetch("take what was left", sql.TAKE_LEFT, most)]

    async def by_id(self, ids: Sequence[int]) -> dict[int, Pair]:
        """As the port says."""
        rows = await self._fetch("load pairs", sql.BY_ID, list(ids))
        return {row[0]: self._pair(row) for row in rows}

    async def claim(self, duty: Duty, now: int, limit: int, lane: int) -> list[Pair]:
        """As the port says. What was settled between the look at the queue and the lock on the pair is left out."""
        rows = await self._fetch("claim pairs", sql.CLAIM, int(duty), now, limit, lane)
        pairs = [pair for pair in await self._readable(rows, now) if 0 < pair.state.due[duty] <= now]
        if pairs and duty.writes:
            with border("take write ids"):
                self._write_ids.begin(await self._connection.fetchval(sql.WRITE_IDS))
        return pairs

    async def park(self, duty: Duty, kept: Mapping[int, int]) -> frozenset[int]:
        """As the port says."""
        rows = await self._fetch("look what is paused", sql.STILL_PAUSED, sorted(set(kept.values())))
        still = {row[0] for row in rows}
        parked = sorted(pair for pair, number in kept.items() if number in still)
        await self._execute("park what is paused", sql.PARK, int(duty), parked)
        return frozenset(parked)

    async def save(self, pairs: Sequence[Pair], now: int) -> None:
        """As the port says. Rows in which only the state is new are written with the decisions, or at the end."""
        await self.finish()
        fronts: list[Pair] = []
        whole: list[Pair] = []
        for pair in pairs:
            (fronts if pair.is_packed else whole).append(pair)
        packed: dict[int, bytes] = {}
        new = [pair for pair in whole if pair.loaded is None]
        wide: list[Pair] = []
        for pair in whole:
            if pair.loaded is not None and (pair.state is not pair.loaded or pair.match_key != pair.loaded_key):
                if _moved(pair, pair.loaded):
                    wide.append(pair)
                else:
                    packed[pair.id] = _packed(pair)
        if wide:
            for pair in wide:
                pair.place = ""
            await self._update(sql.UPDATE_PAIRS, len(wide), [pair.id for pair in wide], *_columns(wide), now)
        if new:
            await self._insert(new, now)
        await self._queue.save(self._connection, whole, fronts)
        await keep_refusals(self._connection, whole, now)
        for pair in whole:
            pair.loaded, pair.loaded_key = pair.state, pair.match_key
            self._held[pair.id] = pair
        for pair in fronts:
            if pair.edited:
                packed[pair.id] = pair.edited
            pair.kept()
        self._unsaved, self._unsaved_at = packed, now

    async def former(self, wanted: Sequence[Named]) -> dict[Named, Pair]:
        """As the port says."""
        rows = await former.find(self._connection, wanted)
        return {(System(row[4]), Object(row[5]), row[6]): self._pair(row) for row in rows}

    async def remember(self, ids: Mapping[Named, int], instead: Mapping[int, int]) -> None:
        """As the port says."""
        await former.remember(self._connection, ids, instead)

    async def remove(self, ids: Sequence[int], *, for_good: bool = False) -> None:
        """As the port says."""
        await self.finish()
        with border("remove pairs"):
            await self._connection.execute(sql.REMOVE_PAIRS, list(ids))
            await self._connection.execute(sql.REMOVE_DUE_OF, list(ids))
            await self._connection.execute(DROP_OF, list(ids))
            await self._connection.execute(sql.DROP_RELATIONS_OF, list(ids))
            if for_good:
                await self._connection.execute(former.DROP_OF, list(ids))
        for number in ids:
            self._held.pop(number, None)

    async def idle(self, ids: Sequence[int], before: int) -> list[Pair]:
        """As the port says."""
        pairs = []
        for row in await self._fetch("look for deleted people", sql.IDLE, list(ids), before):
            try:
                pairs.append(self._pair(row))
            except Fault as fault:
                _log.error("state.unreadable", pair=fault.pair, error=str(fault))
        return pairs

    async def shelve(self, pair: int, why: str, until: int) -> None:
        """As the port says."""
        await self._execute("hold a pair", sql.SHELVE_PAIR, pair, storable(why))
        await self._execute("put off what is due", sql.SHELVE_DUE, pair, until)

    async def in_marketo(self, ids: Sequence[str], objects: Sequence[Object]) -> dict[str, str]:
        """As the port says."""
        rows = await self._fetch("look for parents", sql.IN_MARKETO, [storable(each) for each in ids], list(objects))
        return {row[0]: row[1] for row in rows}

    async def relate(self, references: Mapping[int, Sequence[Reference]]) -> None:
        """As the port says."""
        told = sorted((child, each.role, storable(each.parent), each.waiting) for child, some in references.items() for each in some)
        rows, none = [row for row in told if row[2]], [row[:2] for row in told if not row[2]]
        if rows:
            await self._execute("note what belongs to what", sql.RELATE, *_turned(rows))
        if none:
            await self._execute("note what belongs to nobody", sql.UNRELATE, *_turned(none))

    async def take_released(self, parents: Sequence[str], most: int) -> dict[int, list[str]]:
        """As the port says."""
        rows = [(row[0], row[1]) for row in await self._fetch("look whose parents are there", sql.RELEASED, list(parents), most)]
        released: dict[int, list[str]] = {}
        if rows:
            await self.by_id(sorted({child for child, _ in rows}))  # pairs are locked before what belongs to them
            done = await self._fetch("note who waits no more", sql.WAITS_NO_MORE, *_turned(sorted(rows)), list(parents))
            for child, role in done:
                released.setdefault(child, []).append(role)
        return released

    async def children_of(self, pairs: Sequence[int], after: int, most: int) -> dict[int, dict[str, str]]:
        """As the port says."""
        children: dict[int, dict[str, str]] = {}
        for child, role, parent in await self._fetch("look for children", sql.CHILDREN_OF, list(pairs), after, most):
            children.setdefault(child, {})[role] = parent
        return children

    async def record(self, decisions: Sequence[Decision | Told]) -> None:
        """As the port says."""
        if decisions:
            await self._chronicle.record(decisions, self._held, self._unsaved)
            await self.finish()

    async def finish(self) -> None:
        """Whatever is still to be written: to be called before the commit."""
        if self._unsaved:
            saved, self._unsaved = self._unsaved, {}
            pairs = [self._held[number] for number in saved]
            decided = pairs[0].decided
            if any(pair.decided != decided for pair in pairs):
                blocks = [pair.decided for pair in pairs]
                await self._update(sql.UPDATE_STATES, len(saved), list(saved), list(saved.values()), self._unsaved_at, blocks)
            else:
                await self._update_alike(pairs, listed(saved), list(saved.values()), self._unsaved_at, decided)
            for pair in pairs:
                pair.place = ""

    async def _update_alike(self, pairs: Sequence[Pair], *columns: object) -> None:
        """States of pairs that were all told of in one block. By their ids where a row may not be where it was found."""
        if all(pair.place for pair in pairs):
            places = quoted(pair.place for pair in pairs)
            if await self._execute("save pairs", sql.UPDATE_STATES_THERE, *columns, places) == f"UPDATE {len(pairs)}":
                return
        await self._update(sql.UPDATE_STATES_ALIKE, len(pairs), *columns)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """As the port says."""
        rows = [_buried(letter) for letter in letters]
        if rows:
            await self._execute("keep dead letters", sql.BURY, *_turned(rows))

    async def _readable(self, rows: Iterable[Any], now: int) -> list[Pair]:
        """Those whose state can be read; the others are shelved, so that they don't come again and again."""
        pairs: list[Pair] = []
        for row in rows:
            try:
                pairs.append(self._pair(row))
            except Fault as fault:
                _log.error("pair.held", pair=fault.pair, reason=str(fault))
                await self.shelve(fault.pair, str(fault), now + _SHELVED_MS)
        return pairs

    async def _update(self, statement: str, count: int, *columns: object) -> None:
        done = await self._execute("save pairs", statement, *columns)
        if done != f"UPDATE {count}":
            remedy = "Were rows of the ledger deleted by hand? Nothing was saved; what was told since is read again at the next start."
            raise Fatal(f"save pairs: {count} were to be changed, the database says {done}.", remedy=remedy)

    async def _insert(self, pairs: Sequence[Pair], now: int) -> None:
        block = await self._chronicle.promised()
        rows = await self._fetch("add pairs", sql.INSERT_PAIRS, *_columns(pairs), now, block)
        numbers = {tuple(names): number for number, *names in rows}
        for pair in pairs:
            state = pair.state
            pair.id, pair.decided = numbers[state.salesforce.id or None, state.marketo.id or None, state.counterpart], block

    async def _fetch(self, doing: str, statement: str, *arguments: object) -> Any:
        with border(doing):
            return await self._connection.fetch(statement, *arguments)

    async def _execute(self, doing: str, statement: str, *arguments: object) -> str:
        with border(doing):
            done: str = await self._connection.execute(statement, *arguments)
        return done

    def _pair(self, row: Any) -> Pair:
        """Taken apart at once: whoever asks this way looks at all of it, or has to know that it can be read."""
        pair = self._held.get(row[0])
        if pair is None:
            number, data, key, decided = row[0], row[1], row[2], row[3]
            pair = self._held[number] = Pair.packed(number, data, key, decided)
        _ = pair.state
        return pair


def _buried(letter: DeadLetter) -> tuple[object, ...]:
    """A row; with its place only if it was a message there."""
    place = (letter.topic, letter.partition, letter.offset) if letter.topic and letter.offset >= 0 else (None, None, None)
    return (letter.at, storable(letter.stage), storable(letter.reason), *place, storable(letter.key), letter.original)


def _packed(pair: Pair) -> bytes:
    try:
        return pack(pair.state)
    except Exception as error:
        raise Fault("storing a pair's state", error, pair.id) from error


def _moved(pair: Pair, loaded: PairState) -> bool:
    """Whether anything that stands in a column of its own has changed."""
    state = pair.state
    return (
        pair.match_key != pair.loaded_key
        or state.salesforce.id != loaded.salesforce.id
        or state.marketo.id != loaded.marketo.id
        or state.hold != loaded.hold
        or state.object != loaded.object
        or contested(state) != contested(loaded)
        or state.waits != loaded.waits
        or is_gone(state) != is_gone(loaded)
        or state.marketo.deleted != loaded.marketo.deleted
    )


def _columns(pairs: Sequence[Pair]) -> tuple[Sequence[object], ...]:
    rows = (
        (
            _packed(pair),
            str(pair.state.object),
            pair.state.salesforce.id or None,
            pair.state.marketo.id or None,
            None if pair.match_key is None else storable(pair.match_key),
            storable(pair.state.hold) or None,
            contested(pair.state),
            is_gone(pair.state),
            storable(pair.state.waits) or None,
            str(pair.state.counterpart),
            pair.state.marketo.deleted,
        )
        for pair in pairs
    )
    return _turned(rows)


def _turned(rows: Iterable[tuple[object, ...]]) -> tuple[Sequence[object], ...]:
    """Rows to columns, one array for each parameter."""
    return tuple(zip(*rows, strict=True))
