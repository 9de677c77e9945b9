"""The two systems of the simulation: records in memory, each with its own order of changes, a late feed, and ways of its own."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from consumers.mapping.fields import SyncRules
from consumers.merge.plan import Create, Delete, Update
from consumers.merge.state import PairState
from consumers.settle.writers.port import Fate, Item, Outcome, Use
from streams.budget.port import Lane
from streams.wire.errors import Retry, Unknown
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, PERSON, Object, System
from tests.consumers.simulation.plot import REFUSED
from tests.consumers.simulation.worker import Life

EPOCH_MS = 1_700_000_000_000
OURS = {System.SALESFORCE: "005000000000001AAA", System.MARKETO: "tandem@example.com"}
CALL_SECONDS = 20.0
"""How long a client waits for an answer: less than a call's lease."""
MARK = {System.SALESFORCE: "^", System.MARKETO: "~"}


def typed(value: Value) -> Value:
    """What was typed, under whatever a system made of it."""
    return value.rstrip("~^") if isinstance(value, str) else value


@dataclass(slots=True, kw_only=True)
class Entry:
    """One change of one record, as the system itself remembers it."""

    at: float
    author: str | None
    record: str
    kind: Happened
    before: dict[str, Value]
    after: dict[str, Value]
    write: int = 0
    untold: frozenset[str] = frozenset()
    """Fields of which the feed doesn't tell what they became: it says nothing, or only that something changed."""


@dataclass(kw_only=True)
class SimulatedSystem:
    """One system. `publish` puts an event on its topic."""

    system: System
    rng: random.Random
    publish: Callable[[ChangeEvent], None]
    normalises: tuple[str, ...]
    share: float = 0.3
    names_author: bool = True
    stamp: str | None = None
    latency: tuple[float, float] = (0.1, 2.0)
    disorder: float = 0.0
    skew_ms: int = 0
    all_names: tuple[str, ...] = ()
    choosy: str = ""
    """The field with values that this system refuses."""
    unheard: float = 0.0
    gaps: float = 0.0
    readings: dict[str, list[float]] = field(default_factory=dict)
    """When each record was read before it was to be written to."""
    calls: dict[int, float] = field(default_factory=dict)
    """When the call of each write was made."""
    records: dict[str, dict[str, Value]] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    made: dict[Value, bool] = field(default_factory=dict)
    last_modifier: dict[str, str | None] = field(default_factory=dict)
    _due_at: float = 0.0
    _seq: int = 0
    _id: int = 0

    def now_ms(self) -> int:
        """This system's own clock."""
        return EPOCH_MS + self.skew_ms + round(asyncio.get_running_loop().time() * 1000)

    def second_of(self, entry: Entry) -> int:
        """The second of a change, as the feed stamps it."""
        return (EPOCH_MS + self.skew_ms + round(entry.at * 1000)) // 1000

    def new_id(self) -> str:
        """An id in the system's own form."""
        self._id += 1
        return f"00Q{self._id:012d}AAA" if self.system is System.SALESFORCE else str(1000 + self._id)

    def create(self, author: str | None, values: Mapping[str, Value], write: int = 0) -> str:
        """A new record."""
        record = self.new_id()
        stored = {name: self._normal(name, value) for name, value in values.items() if value is not None}
        self.records[record] = stored
        self._tell(record, author, Happened.CREATED, {}, dict(stored), write)
        return record

    def update(self, author: str | None, record: str, values: Mapping[str, Value], write: int = 0) -> None:
        """Change some fields; what is equal already is no change, hence nothing in the feed."""
        row = self.records[record]
        after = {name: self._normal(name, value) for name, value in values.items()}
        changed = {name: value for name, value in after.items() if row.get(name) != value}
        before = {name: row.get(name) for name in changed}
        row.update(changed)
        if changed:
            self._tell(record, author, Happened.UPDATED, before, changed, write)

    def delete(self, author: str | None, record: str) -> None:
        """Remove a record."""
        row = self.records.pop(record)
        self._tell(record, author, Happened.DELETED, dict(row), {}, 0)

    def reading(self, record: str, names: Sequence[str], obj: Object) -> ChangeEvent:
        """The record as it is now."""
        now, row = self.now_ms(), self.records[record]
        fields = {name: row.get(name) for name in names}
        return ChangeEvent(
            system=self.system, object=obj, id=record, kind=Happened.READ, source="poll", at=now - 50, until=now + 50, fields=fields
        )

    def _normal(self, name: str, value: Value) -> Value:
        if name not in self.normalises or not isinstance(value, str):
            return value
        key = typed(value)
        changes = self.made.setdefault(key, self.rng.random() < self.share)
        return f"{key}{MARK[self.system]}" if changes else value

    def _tell(  # noqa: PLR0917 - told in the order of the entry
        self, record: str, author: str | None, kind: Happened, before: dict[str, Value], after: dict[str, Value], write: int
    ) -> None:  # fmt: skip
        now = asyncio.get_running_loop().time()
        self.last_modifier[record] = author
        heard = kind is not Happened.UPDATED or not self.unheard or self.rng.random() >= self.unheard
        entry = Entry(at=now, author=author, record=record, kind=kind, before=before, after=after, write=write)
        self.log.append(entry)
        if not heard:
            entry.untold = frozenset(after)
            return
        self._seq += self.rng.randrange(1, 4)
        delay = self.rng.uniform(*self.latency) if self.rng.random() < 0.85 else self.rng.uniform(5, 40)
        due = max(self._due_at + 1e-6, now + delay)
        if self.system is System.MARKETO and self.rng.random() < self.disorder:
            due = now + delay + self.rng.uniform(0, 12)  # late, and out of order
        else:
            self._due_at = due
        loop = asyncio.get_running_loop()
        for place, event in enumerate(self._told(entry)):
            loop.call_at(due + place * 1e-8, self.publish, event)
            if self.rng.random() < 0.1:
                loop.call_at(due + self.rng.uniform(0, 30), self.publish, event)  # delivered twice
        if kind is Happened.CREATED and self.system is System.MARKETO and author != OURS[self.system]:
            loop.call_at(due + 1e-7, self._read_new, record)

    def _read_new(self, record: str) -> None:
        if record in self.records:
            self.publish(self.reading(record, self.all_names, PERSON))

    def _told(self, entry: Entry) -> list[ChangeEvent]:
        """What the feed says of a change: an event, or a gap event instead of it or of one of its fields, of the same place."""
        event = self._event(entry.record, entry.author, entry.kind, entry.before, entry.after)
        if entry.kind is not Happened.UPDATED or self.system is not System.SALESFORCE or not self.gaps or self.rng.random() >= self.gaps:
            return [event]
        gap = msgspec.structs.replace(event, kind=Happened.GAP, fields={})
        hidden = self.rng.choice(sorted(entry.after))
        rest = {name: value for name, value in entry.after.items() if name != hidden}
        entry.untold = frozenset({hidden})
        return [msgspec.structs.replace(event, fields=rest), gap] if rest else [gap]

    def _event(self, record: str, author: str | None, kind: Happened, before: dict[str, Value], after: dict[str, Value]) -> ChangeEvent:
        salesforce = self.system is System.SALESFORCE
        at = self.now_ms() // 1000 * 1000
        silent = not salesforce and kind is Happened.CREATED
        return ChangeEvent(
            system=self.system,
            object=LEAD if salesforce else PERSON,
            id=record,
            kind=kind,
            source="cdc" if salesforce else "activities",
            at=at,
            seq=self._seq if salesforce else 0,
            ref="" if salesforce else f"g{self._seq}",
            author=author if self.names_author else None,
            fields={} if silent or kind is Happened.DELETED else dict(after),
            before=None if salesforce or silent else dict(before),
        )


class SimulatedWriter:
    """The writer port on a simulated system: latency, lost answers, calls that arrive although their caller has crashed or given up."""

    batch_max = 10

    def __init__(self, target: SimulatedSystem, rules: SyncRules, life: Life, *, lost: float = 0.0, late: float = 0.0) -> None:
        self.system = target.system
        self._target, self._rules, self._life, self._lost, self._late = target, rules, life, lost, late
        self._effect = life.passes
        self._names = target.all_names

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        del lane
        self._effect("before asking who is there")
        self._fails()
        await asyncio.sleep(self._target.rng.uniform(0.02, 0.3))
        self._effect("after asking who is there")
        links = self._rules.links
        found: dict[int, list[ChangeEvent]] = {}
        for pair, state in wanted.items():
            stored = links.lead_id if self.system is System.MARKETO else links.salesforce_key
            other = state.record(self.system.other).id
            email = state.fields[self._rules.email_key].value if self._rules.email_key in state.fields else None
            name = "email" if self.system is System.MARKETO else "Email"
            rows = self._target.records.items()
            hits = [record for record, row in rows if row.get(stored) == other]
            hits = hits or [record for record, row in rows if email is not None and row.get(name) == email]
            if hits:
                found[pair] = [self._reading(record) for record in hits]
        return found

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        del obj, lane
        self._effect("before a reading")
        self._fails()
        await asyncio.sleep(self._target.rng.uniform(0.02, 0.3))
        for record in ids:
            self._target.readings.setdefault(record, []).append(asyncio.get_running_loop().time())
        answer = {record: self._reading(record) if record in self._target.records else None for record in ids}
        await asyncio.sleep(self._target.rng.uniform(0, 0.1))
        self._effect("after a reading")
        return answer

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        read = await self.read(obj, ids, lane)
        return {each: None if reading is None else Use(reading=reading, what=(), asked="all") for each, reading in read.items()}

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        del lane
        self._effect("before the call")
        self._fails()
        loop = asyncio.get_running_loop()
        self._target.calls.update({item.write: loop.time() for item in items})
        answer: asyncio.Future[list[Outcome]] = loop.create_future()
        late = bool(self._late) and self._target.rng.random() < self._late
        on_its_way = self._target.rng.uniform(0.01, 0.25) if not late else self._target.rng.uniform(CALL_SECONDS, 10 * CALL_SECONDS)
        loop.call_later(on_its_way, self._arrives, list(items), answer)
        self._effect("called, not yet applied")
        try:
            async with asyncio.timeout(CALL_SECONDS):
                outcomes = await asyncio.shield(answer)
        except TimeoutError:
            raise Unknown("no answer within the time of a call") from None
        self._effect("applied, not yet answered")
        await asyncio.sleep(self._target.rng.uniform(0.01, 0.1))
        if self._target.rng.random() < self._lost:
            raise Unknown("the answer was lost")
        self._effect("after the answer")
        return outcomes

    def _fails(self) -> None:
        if self._lost and self._target.rng.random() < self._lost / 2:
            raise Retry("refused before anything was done")

    def _arrives(self, items: list[Item], answer: "asyncio.Future[list[Outcome]]") -> None:
        outcomes = [self._apply(item) for item in items]
        if not answer.done():
            answer.set_result(outcomes)

    def _apply(self, item: Item) -> Outcome:
        order, target = item.order, self._target
        if isinstance(order, Delete):
            if order.id in target.records:
                target.delete(OURS[self.system], order.id)
            return Outcome(fate=Fate.DONE, id=order.id)
        values = {out.name: out.value for out in order.fields}
        if target.choosy and REFUSED in str(values.get(target.choosy)):
            blamed = frozenset(out.key for out in order.fields if out.name == target.choosy)
            return Outcome(fate=Fate.REJECTED, reason=f"{target.choosy}: no {REFUSED} please", fields=blamed)
        if self._rules.links.stamp and self.system is System.MARKETO:
            values[self._rules.links.stamp] = str(item.write)
        if isinstance(order, Update):
            if order.id not in target.records:
                return Outcome(fate=Fate.GONE, reason="gone")
            target.update(OURS[self.system], order.id, values, item.write)
            return Outcome(fate=Fate.DONE, id=order.id, until=target.now_ms() // 1000 * 1000 + 1000)
        return self._create(order, values, item)

    def _create(self, order: Create, values: dict[str, Value], item: Item) -> Outcome:
        del order
        target = self._target
        if self.system is System.MARKETO:
            if any(row.get("email") == values.get("email") and values.get("email") for row in target.records.values()):
                return Outcome(fate=Fate.EXISTS, reason="1005")
            return Outcome(fate=Fate.DONE, id=target.create(OURS[self.system], values, item.write))
        key = self._rules.links.salesforce_key
        for record, row in target.records.items():
            if row.get(key) == item.key:
                target.update(OURS[self.system], record, values, item.write)
                return Outcome(fate=Fate.DONE, id=record)
        return Outcome(fate=Fate.DONE, id=target.create(OURS[self.system], {**values, key: item.key}, item.write))

    def _reading(self, record: str) -> ChangeEvent:
        obj = LEAD if self.system is System.SALESFORCE else PERSON
        return self._target.reading(record, self._names, obj)
