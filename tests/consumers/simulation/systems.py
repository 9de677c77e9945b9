"""The two systems of the simulation: records in memory, each with its own order of changes, a late feed, and ways of its own."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, PERSON, Object, System

EPOCH_MS = 1_700_000_000_000
OURS = {System.SALESFORCE: "005000000000001AAA", System.MARKETO: "tandem@example.com"}
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
    muted: bool = False
    """The feed tells nothing at all."""
    gaps: float = 0.0
    into: dict[str, str] = field(default_factory=dict)
    """What each record was merged or converted into."""
    retired: dict[str, dict[str, Value]] = field(default_factory=dict)
    """Converted leads: they can be read, and no more."""
    contacts: set[str] = field(default_factory=set)
    readings: dict[str, list[float]] = field(default_factory=dict)
    """When each record was read before it was to be written to."""
    unchanged: dict[str, list[tuple[float, Value]]] = field(default_factory=dict)
    """What our writes found in place already, and when: by field."""
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

    def object_of(self, record: str) -> Object:
        """What the record is."""
        if self.system is System.MARKETO:
            return PERSON
        return CONTACT if record in self.contacts else LEAD

    def convert(self, author: str | None, lead: str, into: str | None) -> str:
        """The lead becomes a contact: a new one with its values, or one that is there, whose blanks it fills. The contact is told first."""
        row = self.records.pop(lead)
        contact = into or self.new_id()
        self.contacts.add(contact)
        if into is None:
            self.records[contact] = dict(row)
            self._tell(contact, author, Happened.CREATED, {}, dict(row), 0)
        else:
            self.update(author, contact, {name: value for name, value in row.items() if self.records[contact].get(name) in (None, "")})
        self.retired[lead], self.into[lead] = row, contact
        self._tell(lead, author, Happened.UPDATED, {"IsConverted": False}, {"IsConverted": True}, 0)
        return contact

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
        if author == OURS[self.system]:
            for name in after.keys() - changed.keys():
                self.unchanged.setdefault(name, []).append((asyncio.get_running_loop().time(), after[name]))
        if changed:
            self._tell(record, author, Happened.UPDATED, before, changed, write)

    def delete(self, author: str | None, record: str) -> None:
        """Remove a record."""
        row = self.records.pop(record)
        self._tell(record, author, Happened.DELETED, dict(row), {}, 0)

    def merge(self, author: str | None, winner: str, losers: Sequence[str]) -> None:
        """The losers end in the winner. In Marketo their values fill its blanks; in Salesforce it is as it was."""
        for loser in losers:
            row = self.records.pop(loser)
            self.into[loser] = winner
            self._tell(loser, author, Happened.DELETED, dict(row), {}, 0)
            if self.system is System.MARKETO:
                self.update_unheard(winner, row)
        if self.system is System.MARKETO:
            asyncio.get_running_loop().call_later(self.rng.uniform(*self.latency), self._read_new, winner)

    def update_unheard(self, record: str, filling: Mapping[str, Value]) -> None:
        """Blanks are filled, of which the feed tells nothing but that the record was part of a merge."""
        row = self.records[record]
        row.update({name: value for name, value in filling.items() if row.get(name) in (None, "") and value not in (None, "")})

    def reading(self, record: str, names: Sequence[str], obj: Object) -> ChangeEvent:
        """The record as it is now."""
        now, row = self.now_ms(), self.records.get(record) or self.retired[record]
        fields = {name: row.get(name) for name in names}
        return ChangeEvent(
            system=self.system, object=obj, id=record, kind=Happened.READ, source="poll", at=now - 50, until=now + 50, fields=fields,
            into=self.into[record] if record in self.retired else "", into_object=CONTACT if record in self.retired else "",
            **self._last_change(record),
        )  # fmt: skip

    def _last_change(self, record: str) -> dict[str, Any]:
        """Who changed the record last, and in which second: Salesforce tells."""
        last = next((entry for entry in reversed(self.log) if entry.record == record), None)
        if self.system is not System.SALESFORCE or last is None:
            return {}
        return {"modified_by": last.author, "modified_at": self.second_of(last) * 1000}

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
        heard = not self.muted and (kind is not Happened.UPDATED or not self.unheard or self.rng.random() >= self.unheard)
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
            object=self.object_of(record),
            id=record,
            kind=kind,
            source="cdc" if salesforce else "activities",
            at=at,
            seq=self._seq if salesforce else 0,
            ref="" if salesforce else f"g{self._seq}",
            author=author if self.names_author else None,
            fields={} if silent or kind is Happened.DELETED else dict(after),
            before=None if salesforce or silent else dict(before),
            into=self.into.get(record, "") if not salesforce or record in self.retired else "",
            into_object=CONTACT if record in self.retired else "",
        )
