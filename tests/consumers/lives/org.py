"""Salesforce in memory, as people use it and as Tandem's writer calls it: records of every kind, what is deleted with them and comes back
with them, merges, conversions. Its events are those of Change Data Capture, object by object in their order."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from consumers.kinds.registry import SORTS
from streams.salesforce.api.access.refusals import Refusal
from streams.salesforce.api.answers import Page
from streams.salesforce.api.records import ItemResult
from streams.wire.errors import Unknown
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, SALESFORCE, Object
from tests.consumers.families.family import ACCOUNT, OPPORTUNITY, ROLE, Org
from tests.consumers.pairs_in_memory import Clock

OURS = "005000000000999AAA"
KEY = "Marketo_Person_Id__c"
Row = dict[str, Value]
_NAMES = {sort.entity.name: obj for obj, sort in SORTS.items()}
_FROM, _WHERE = re.compile(r"FROM (\w+)"), re.compile(r"(\w+) (?:IN \((.*)\)|= ('.*'))")
_CHILDREN = {
    ACCOUNT: ((CONTACT, "AccountId"), (OPPORTUNITY, "AccountId")),
    CONTACT: ((ROLE, "ContactId"),),
    OPPORTUNITY: ((ROLE, "OpportunityId"),),
}


class WholeOrg(Org):
    """One org. `fails`: asked before each writing call which way it is lost, or "" for none."""

    def __init__(self, clock: Clock, fails: Callable[[], str]) -> None:
        super().__init__(clock)
        self._fails = fails
        self.converted: dict[str, str] = {}
        self.bin: dict[str, list[tuple[str, Object, Row]]] = {}
        """By what was deleted: that, and what went with it."""
        self.restored: dict[str, int] = {}
        """By what came back: when, the last time."""
        self.writes = 0
        """Changes that Tandem has made."""
        self.muted = False
        """No event leaves it: a poll finds what has changed."""
        self.late: Callable[[Callable[[], object]], None] = lambda _: None
        """Told of each call that got lost."""

    # -- what people do

    def live(self, *objects: Object) -> list[str]:
        """Records of these objects, the oldest first; a converted lead is none."""
        return [each for each, (obj, _) in self.records.items() if obj in objects and each not in self.converted]

    def row(self, record: str) -> Row:
        """What it holds."""
        return self.records[record][1]

    def remove(self, record: str) -> None:
        """Into the recycle bin, with its children."""
        gone = [(each, *self.records[each]) for each in self._with_children(record)]
        for each, _, _ in reversed(gone):
            self.delete(each)
        self.bin[record] = gone

    def bring_back(self, record: str) -> None:
        """Out of it, with whatever went with it and still has its parents."""
        for each, obj, was in self.bin.pop(record):
            row = dict(was)
            if row.get("AccountId") and row["AccountId"] not in self.records:
                row["AccountId"] = None
            if obj == ROLE and not {row["OpportunityId"], row["ContactId"]} <= self.records.keys():
                continue
            self.restored[each] = self._clock()
            self.restore(each, obj, row)

    def unite(self, winner: str, losers: Sequence[str]) -> None:
        """A merge: blanks of the winner are not filled, its children are joined by those of the losers."""
        for loser in losers:
            for each, name in self._named(loser):
                roles = [row for obj, row in self.records.values() if obj == ROLE]
                taken = any(row["ContactId"] == winner and row["OpportunityId"] == self.row(each).get("OpportunityId") for row in roles)
                if name == "ContactId" and taken:
                    self.delete(each)
                else:
                    self.edit(each, **{name: winner})
            self._pass_on(loser, winner)
            self.delete(loser, into=winner)

    def convert(self, lead: str, account: str | None, contact: str | None, *, deal: bool) -> str:
        """Into a new contact or one that is there, which has its blanks filled. The lead's own event is the last."""
        row = self.row(lead)
        account = account or (self.row(contact).get("AccountId") if contact else None) or self.add(ACCOUNT, Name=f"of {row['LastName']}")  # type: ignore[assignment]
        mine = {name: row[name] for name in ("LastName", "Email", "Title", "Phone", "OwnerId") if row.get(name)}
        mine = {name: value for name, value in mine.items() if not str(value).startswith("00G")}
        if contact is None:
            contact = self.add(CONTACT, **mine, AccountId=account)
        else:
            there = self.row(contact)
            self.edit(contact, **{name: value for name, value in mine.items() if not there.get(name)})
        if deal:
            self.add(
                ROLE, OpportunityId=self.add(OPPORTUNITY, Name=f"of {row['LastName']}", AccountId=account), ContactId=contact, Role=None
            )
        self.converted[lead] = contact
        row.update(IsConverted=True, ConvertedContactId=contact, ConvertedAccountId=account)
        self._tell(lead, LEAD, Happened.UPDATED, {"IsConverted": True, "ConvertedContactId": contact})
        return contact

    def polled(self) -> list[ChangeEvent]:
        """What a poll finds of all that has happened since the last one: records as they are now, then those that are gone."""
        changed, now = {event.id: event for event in self.events}, self._clock()
        self.events.clear()
        rows = [self._row_found(each, event.object, now) for each, event in changed.items() if each in self.records]
        gone = [self._deletion_found(event) for each, event in changed.items() if each not in self.records]
        return [*rows, *gone]

    def _row_found(self, record: str, obj: Object, now: int) -> ChangeEvent:
        names = {item.salesforce for item in SORTS[obj].fields} | ({KEY} if obj in (LEAD, CONTACT) else set())
        row = self.row(record)
        into, into_object = SORTS[obj].entity.into(row)
        return ChangeEvent(
            system=SALESFORCE, object=obj, id=record, kind=Happened.READ, source="poll", at=now, until=now, into=into,
            into_object=into_object, fields={name: row.get(name) for name in sorted(names)},
        )  # fmt: skip

    def _deletion_found(self, told: ChangeEvent) -> ChangeEvent:
        into = self.merged.get(told.id, "")
        return ChangeEvent(
            system=SALESFORCE, object=told.object, id=told.id, kind=Happened.DELETED, source="poll", at=told.at, into=into,
            fields={"MasterRecordId": into} if into else {},
        )  # fmt: skip

    def _tell(self, record: str, obj: Object, kind: Happened, fields: dict[str, Value]) -> None:
        if self.muted:
            self._clock.now += 2_000  # readings are told apart by their times
        super()._tell(record, obj, kind, fields)
        if fields.get("IsConverted") is True:
            told = self.events[-1]
            self.events[-1] = ChangeEvent(
                system=SALESFORCE, object=obj, id=record, kind=kind, source=told.source, at=told.at, seq=told.seq, author=told.author,
                fields=fields, into=str(fields["ConvertedContactId"]), into_object=CONTACT,
            )  # fmt: skip

    def _with_children(self, record: str) -> list[str]:
        found = [record]
        for each in found:
            wanted = _CHILDREN.get(self.records[each][0], ())
            found += [
                one
                for one, (obj, row) in self.records.items()
                if one not in found and any(obj == o and row.get(n) == each for o, n in wanted)
            ]
        return found

    def _named(self, record: str) -> list[tuple[str, str]]:
        return [(each, name) for each, (_, row) in self.records.items() for name in ("AccountId", "ContactId") if row.get(name) == record]

    def _pass_on(self, loser: str, winner: str) -> None:
        for gone in self.bin.values():
            for _, _, row in gone:
                row.update({name: winner for name in ("AccountId", "ContactId") if row.get(name) == loser})
        self.converted = {lead: winner if contact == loser else contact for lead, contact in self.converted.items()}

    # -- what the writer calls

    async def update(self, obj: str, records: Sequence[Mapping[str, Value]], lane: Any = None) -> list[ItemResult]:
        """As the REST client has it."""
        del obj, lane
        return self._call(
            lambda: [self._updated(str(each["Id"]), {name: value for name, value in each.items() if name != "Id"}) for each in records]
        )

    async def upsert(self, obj: str, ext_field: str, records: Sequence[Mapping[str, Value]], lane: Any = None) -> list[ItemResult]:
        """As the REST client has it."""
        del lane
        return self._call(lambda: [self._upserted(_NAMES[obj], ext_field, dict(each)) for each in records])

    async def merge(self, obj: str, merges: Sequence[tuple[str, Sequence[str]]], lane: Any = None) -> list[ItemResult]:
        """As the REST client has it."""
        del obj, lane
        return self._call(lambda: [self._merged(winner, losers) for winner, losers in merges])

    async def page(self, soql: str, lane: Any = None) -> Page:
        """The rows of a query by one column."""
        del lane
        found, now = _FROM.search(soql), self._clock()
        obj = _NAMES.get(found[1]) if found else None
        where = _WHERE.search(soql[soql.index(" WHERE ") :].replace("IsConverted = false AND ", ""))
        assert where is not None, soql
        wanted = {value.strip().strip("'").casefold() for value in (where[2] or where[3]).split(", ")}
        ids = [each for each in self.live(obj) if str(self.row(each).get(where[1]) or "").casefold() in wanted] if obj else []
        rows = [{"Id": each, **self.row(each)} for each in ids]
        return Page(rows=rows, total=len(rows), next_url=None, at=now, until=now)

    async def read_timed(
        self, name: str, ids: Sequence[str], fields: Sequence[str], lane: Any = None
    ) -> tuple[list[dict[str, Any] | None], int, int]:
        """As the REST client has it: a reading takes its time, and two are never of one moment."""
        rows, at, _ = await super().read_timed(name, ids, fields, lane)
        self._clock.now += 1
        return rows, at, self._clock()

    async def read(self, obj: str, ids: Sequence[str], fields: Sequence[str], lane: Any = None) -> list[dict[str, Any] | None]:
        """As the REST client has it."""
        return (await self.read_timed(obj, ids, fields, lane))[0]

    async def describe(self, obj: str, lane: Any = None) -> dict[str, Any]:
        """Nothing hangs on a record that isn't asked for anyway."""
        del obj, lane
        return {"childRelationships": []}

    async def delete_ours(self, ids: Sequence[str], lane: Any = None) -> list[ItemResult]:
        """The client's `delete`."""
        del lane
        return self._call(lambda: [self._deleted(each) for each in ids])

    def _call(self, made: Callable[[], list[ItemResult]]) -> list[ItemResult]:
        lost = self._fails()
        if lost == "request":
            self.late(lambda: self._made(made))
            raise Unknown("the call got lost", after_seconds=0.1)
        results = self._made(made)
        if lost == "answer":
            raise Unknown("the answer got lost", after_seconds=0.1)
        return results

    def _made(self, made: Callable[[], list[ItemResult]]) -> list[ItemResult]:
        with self._ours():
            return made()

    @contextmanager
    def _ours(self) -> Iterator[None]:
        before, self.author = self.author, OURS
        told = self.seq
        try:
            yield
        finally:
            self.author = before
            self.writes += self.seq - told

    def _updated(self, record: str, fields: Row) -> ItemResult:
        if record not in self.records:
            return _refused("ENTITY_IS_DELETED", "entity is deleted")
        if record in self.converted:
            return _refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        self.edit(record, **fields)
        return ItemResult(id=record, success=True, until=self._clock())

    def _upserted(self, obj: Object, key: str, fields: Row) -> ItemResult:
        known = next((each for each in self.live(LEAD, CONTACT) if self.row(each).get(key) == fields[key]), None)
        if known is not None:
            return self._updated(known, fields)
        made = self.add(obj, **{name: value for name, value in fields.items() if value is not None})
        return ItemResult(id=made, success=True, created=True, until=self._clock())

    def _merged(self, winner: str, losers: Sequence[str]) -> ItemResult:
        if not {winner, *losers} <= set(self.live(LEAD, CONTACT)):
            return _refused("ENTITY_IS_DELETED", "entity is deleted")
        self.unite(winner, losers)
        return ItemResult(id=winner, success=True, until=self._clock())

    def _deleted(self, record: str) -> ItemResult:
        if record not in self.records:
            return _refused("ENTITY_IS_DELETED", "entity is deleted")
        self.remove(record)
        return ItemResult(id=record, success=True, until=self._clock())


def _refused(code: str, words: str) -> ItemResult:
    return ItemResult(id=None, success=False, errors=(Refusal(code=code, message=words, fields=()),))


class AsClient:
    """The org as the REST client of the writer: there `delete` takes many and is a call."""

    def __init__(self, org: WholeOrg) -> None:
        self._org = org
        self.delete = org.delete_ours

    def __getattr__(self, name: str) -> Any:
        return getattr(self._org, name)
