"""The auditor: goes round all pairs of every kind, a page at a time, reads again what differs, and keeps to its share of the calls.

Each step ends in one transaction with what it found and how far it came: whoever goes on after a crash repeats a step at the most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from consumers.audit.book import BOTH, MARKETO_ONLY, Book, Found, Known, Standing, Step
from consumers.audit.compare import WHOLE, Cause, Class, Difference, Readings, compare
from consumers.audit.reading import PAGE, Counted, Read, Reader
from consumers.judging.meeting.introductions import created_at
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from streams.ground.pause import pause
from streams.ground.together import until_stopped
from streams.relay.singleton import Singleton
from streams.wire.errors import Fatal, Reject, SyncError
from streams.wire.events import ChangeEvent
from streams.wire.systems import SALESFORCE, Object, System

NAME = "audit"
"""Of its lease."""
_AGAIN_MAX = 200
"""Pairs that are read again in one go."""
_PAIRS_MAX = 4_000
_IDLE_SECONDS = 1.0
_LATE_SECONDS = 5.0
_COUNTED = frozenset({Class.RULE_BLOCKED, Class.UNMAPPED})
"""Records that differ so as a whole are counted, not listed: most of a database may be so."""
Scope = Callable[[], Awaitable[Sequence[str]]]
_log = structlog.get_logger("consumers.audit")


@dataclass(slots=True)
class Audited:
    """What a step came to."""

    object: Object | None = None
    records: int = 0
    reread: int = 0
    differences: int = 0
    blocked: int = 0
    calls: dict[System, int] = field(default_factory=dict)


class Auditor:
    """Compares both sides until stopped. `scopes`: by sort, the field that says of which parents records count, and which these are."""

    def __init__(
        self,
        book: Book,
        reader: Reader,
        terms: Terms,
        counted: Mapping[System, Counted],
        *,
        clock: Callable[[], int],
        confirm_ms: int,
        every_ms: int,
        wait_seconds: Callable[[Mapping[System, int]], Awaitable[float]],
        scopes: Mapping[Object, tuple[str, Scope]],
        late: Callable[[], Awaitable[bool]],
        audited: Callable[[Audited, Book], Awaitable[None]],
    ) -> None:
        """`wait_seconds`: after calls, how long until the next step may be made. `late`: whether the feeds are read too far behind for a
        comparison to tell anything."""
        self._book, self._reader, self._terms, self._counted = book, reader, terms, counted
        self._clock, self._confirm_ms, self._every_ms, self._scopes = clock, confirm_ms, every_ms, scopes
        self._wait, self._late, self._audited = wait_seconds, late, audited
        self._objects = tuple(terms.rules.objects)
        self._reread = False
        """Whether the last step read again: the round has its turn then, however much is in doubt."""

    async def run(self, singleton: Singleton, stop: asyncio.Event) -> None:
        """Until `stop`, through every outage; one worker at a time does, the others stand by."""
        await until_stopped(self._hold(singleton, stop), stop, grace_seconds=2.0)

    async def _hold(self, singleton: Singleton, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with singleton.hold(NAME) as lost:
                    await self.begin()
                    while not stop.is_set() and not lost.is_set():
                        await pause(await self._one(), stop)
            except SyncError as error:
                _log.warning("the drift audit waits", error=str(error))
                await pause(max(getattr(error, "after_seconds", 0.0), 5.0), stop)

    async def _one(self) -> float:
        """One step; how long to wait after it."""
        if await self._late():
            return _LATE_SECONDS
        first, second = (self.step, self.again) if self._reread else (self.again, self.step)
        audited = await first() or await second()
        self._reread = audited is not None and audited.object is None
        if audited is None:
            return _IDLE_SECONDS
        await self._audited(audited, self._book)
        return max(await self._wait(audited.calls), 0.0 if audited.calls else _IDLE_SECONDS)

    async def begin(self) -> None:
        """Every sort has its place in the round."""
        parts = {obj: (BOTH, MARKETO_ONLY) if mapping.is_person else (BOTH,) for obj, mapping in self._terms.rules.objects.items()}
        await self._book.begin(self._objects, parts, self._clock())

    async def step(self) -> Audited | None:
        """The next page of the round. None: there is nothing to go round."""
        standing = await self._book.next(self._objects, self._clock() - self._every_ms, self._clock())
        if standing is None:
            return None
        before = self._calls()
        try:
            found, after, records = await (self._both(standing) if standing.part == BOTH else self._alone(standing))
        except (Reject, Fatal) as error:
            _log.warning("records can't be compared", object=standing.object, error=str(error))
            await self._book.kept_back(standing, str(error), self._clock())
            return Audited(calls=self._spent(before))
        kept, blocked = _listed(found)
        calls = self._spent(before)
        step = Step(of=standing, after=after, records=records, blocked=blocked, calls=calls)
        await self._book.keep(kept, self._clock(), self._confirm_ms, step)
        return Audited(
            object=standing.object, records=records, differences=sum(len(each.differences) for each in kept), blocked=blocked, calls=calls
        )

    async def again(self) -> Audited | None:
        """What is to be read again, of one sort. None: nothing is due."""
        due = await self._book.due(self._clock(), _AGAIN_MAX)
        if not due:
            return None
        before, obj = self._calls(), due[0][1]
        due = [each for each in due if each[1] == obj]
        try:
            return await self._again(due, before)
        except (Reject, Fatal) as error:
            _log.warning("records can't be read again", object=obj, error=str(error))
            await self._book.later(due, self._clock())
            return Audited(calls=self._spent(before))

    async def _again(self, due: Sequence[tuple[int, Object, str]], before: Mapping[System, int]) -> Audited:
        pairs = sorted({pair for pair, _, _ in due if pair})
        known = await self._book.numbered(pairs)
        gone = set(pairs) - {each.pair for each in known}
        found = [Found(pair=pair, object=obj, record=record, differences=()) for pair, obj, record in due if pair in gone]
        found += self._compared(known, await self._reader.both({each.pair: each.state for each in known if each.state is not None}))
        found = await self._hidden(found)
        found += await self._unknown_again([(obj, record) for pair, obj, record in due if not pair])
        kept, blocked = _listed(found)
        await self._book.keep(kept, self._clock(), self._confirm_ms)
        count = sum(len(each.differences) for each in kept)
        return Audited(reread=len(due), differences=count, blocked=blocked, calls=self._spent(before))

    async def _both(self, standing: Standing) -> tuple[list[Found], str, int]:
        """A page of Salesforce with what belongs to it, and what the ledger has between its first and its last."""
        obj = standing.object
        scope = await self._scope(obj)
        if scope is not None and not scope[1]:
            return [], "", 0
        rows = {each.id: each for each in await self._reader.page(obj, standing.after, scope)}
        last = max(rows) if len(rows) >= PAGE else ""
        among = await self._book.among(list(rows))
        known = {each.pair: each for each in among.values()}
        if scope is None or rows:
            known |= {each.pair: each for each in await self._book.between(obj, standing.after, last, _PAIRS_MAX)}
        states = {each.pair: each.state for each in known.values() if each.state is not None}
        shown: Read = {
            (SALESFORCE, state.object, state.salesforce.id): rows.get(state.salesforce.id)
            for state in states.values()
            if state.salesforce.id
        }
        read = {**shown, **await self._reader.marketo(states.values())}
        readings = {pair: self._reader.readings(state, read) for pair, state in states.items()}
        strangers = [each for record, each in rows.items() if record not in among and _counts(each, scope)]
        found = self._compared(known.values(), readings) + await self._strangers(standing, strangers)
        found += [Found(pair=0, object=obj, record=record, differences=()) for record in among]  # no strangers any more
        return found, last, len(known) + len(strangers)

    async def _alone(self, standing: Standing) -> tuple[list[Found], str, int]:
        """The next pairs whose record is in Marketo only."""
        known = await self._book.alone(standing.object, int(standing.after or 0), PAGE)
        states = {each.pair: each.state for each in known if each.state is not None}
        read = await self._reader.marketo(states.values())
        readings = {pair: self._reader.readings(state, read) for pair, state in states.items()}
        after = str(known[-1].pair) if len(known) >= PAGE else ""
        return self._compared(known, readings), after, len(known)

    def _compared(self, known: Iterable[Known], readings: Mapping[int, Readings]) -> list[Found]:
        found = []
        for each in known:
            if each.state is None:
                damaged = Difference(
                    field=WHOLE, klass=Class.TRUE_DRIFT, why="what the ledger has of it can't be read", cause=Cause.DAMAGED
                )
                found.append(Found(pair=each.pair, object=Object(""), record=each.salesforce, differences=(damaged,)))
                continue
            state, told = each.state, readings.get(each.pair, {})
            if _is_read(state, told):
                differences = compare(state, told, self._terms)
                found.append(Found(pair=each.pair, object=state.object, record=_named(state), differences=differences))
        return found

    async def _hidden(self, found: list[Found]) -> list[Found]:
        """Records of Salesforce that can't be found and that nobody has deleted: they are out of our sight."""
        gone: dict[Object, list[Found]] = {}
        for each in found:
            if any(one.cause is Cause.GONE and one.why.startswith(SALESFORCE) for one in each.differences):
                gone.setdefault(each.object, []).append(each)
        unseen: set[int] = set()
        for obj, some in gone.items():
            deleted = await self._reader.surely_deleted(obj, [each.record for each in some])
            unseen |= {each.pair for each in some if each.record not in deleted}
        why = Difference(
            field=WHOLE, klass=Class.HIDDEN, why="Salesforce doesn't show it to Tandem's user, and nothing says that it is deleted"
        )
        return [
            Found(pair=each.pair, object=each.object, record=each.record, differences=(why,)) if each.pair in unseen else each
            for each in found
        ]

    async def _strangers(self, standing: Standing, rows: Sequence[ChangeEvent]) -> list[Found]:
        """Records of Salesforce that no pair has: one that is younger than the audit escaped, an older one was never copied. Those made a
        moment ago are left to the next round: their events are on their way."""
        rows = [each for each in rows if created_at(each) + self._confirm_ms <= each.at]
        if not rows:
            return []
        former = await self._book.former(standing.object, [each.id for each in rows])
        return [self._stranger(each, standing.watched_ms) for each in rows if each.id not in former]

    def _stranger(self, row: ChangeEvent, watched_ms: int) -> Found:
        if created_at(row) > watched_ms:
            why = "no event, no poll has told of this record"
            told = Difference(field=WHOLE, klass=Class.TRUE_DRIFT, why=why, cause=Cause.UNKNOWN, salesforce=row.id)
        else:
            told = Difference(field=WHOLE, klass=Class.UNMAPPED, why="it was never copied")
        return Found(pair=0, object=row.object, record=row.id, differences=(told,))

    async def _unknown_again(self, records: Sequence[tuple[Object, str]]) -> list[Found]:
        """Records that no pair had: those that one has now, or that are gone, are none any more."""
        if not records:
            return []
        paired = await self._book.among([record for _, record in records])
        told = Difference(field=WHOLE, klass=Class.TRUE_DRIFT, why="no event, no poll has told of this record", cause=Cause.UNKNOWN)
        found = []
        for obj in {obj for obj, _ in records}:
            mine = [record for each, record in records if each == obj]
            left = [record for record in mine if record not in paired]
            gone = {*await self._book.former(obj, left), *(await self._reader.surely_deleted(obj, left) if left else ())}
            for record in mine:
                still = record not in paired and record not in gone
                told = Difference(field=WHOLE, klass=told.klass, why=told.why, cause=told.cause, salesforce=record)
                found.append(Found(pair=0, object=obj, record=record, differences=(told,) if still else ()))
        return found

    async def _scope(self, obj: Object) -> tuple[str, Sequence[str]] | None:
        if obj not in self._scopes:
            return None
        name, ask = self._scopes[obj]
        return name, await ask()

    def _calls(self) -> dict[System, int]:
        return {system: budget.calls for system, budget in self._counted.items()}

    def _spent(self, before: Mapping[System, int]) -> dict[System, int]:
        return {system: budget.calls - before[system] for system, budget in self._counted.items() if budget.calls > before[system]}


def _counts(row: ChangeEvent, scope: tuple[str, Sequence[str]] | None) -> bool:
    """Whether it is a record of parents that count."""
    return scope is None or (row.id if scope[0] == "Id" else row.fields.get(scope[0])) in scope[1]


def _is_read(state: PairState, told: Readings) -> bool:
    """Whether anything that was read speaks of it: nothing is said of a pair that neither side was asked about."""
    return any(state.record(system).id for system in told)


def _named(state: PairState) -> str:
    return state.salesforce.id or state.marketo.id


def _listed(found: Collection[Found]) -> tuple[list[Found], int]:
    """What is kept one by one, and how many records are only counted."""
    kept, counted = [], 0
    for each in found:
        wholly = [one for one in each.differences if one.field == WHOLE and one.klass in _COUNTED]
        counted += bool(wholly)
        if wholly:
            left = tuple(one for one in each.differences if one not in wholly)
            each = Found(pair=each.pair, object=each.object, record=each.record, differences=left)  # noqa: PLW2901 - without those
        kept.append(each)
    return kept, counted
