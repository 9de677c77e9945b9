"""Marketo in memory, as people use it and as Tandem's writer calls it: beside what families need, merges, and edits by hand."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.marketo.api.resource import Resource
from streams.marketo.api.wire import ItemResult, Lead, SyncAnswer
from streams.wire.errors import Reject, Unknown
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, PERSON
from tests.consumers.families.marketo_model import ROLES, MarketoModel, Row

LINKED = ("sfLeadId", "sfContactId", "sfType", "sfIsDeleted")


@dataclass(kw_only=True)
class WholeMarketo(MarketoModel):
    """One instance. `names`: the fields of a person that are told of a new one."""

    names: Sequence[str] = ()
    buried: list[Row] = field(default_factory=list)
    """People whom somebody deleted by hand, as they were."""
    last_role: int = 0
    late: Callable[[Callable[[], object]], None] = lambda _: None
    """Told of each call that got lost."""

    # -- what people do

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """Somebody does what follows."""
        before, self.author = self.author, "marketer@example.com"
        try:
            yield
        finally:
            self.author = before

    def make(self, **fields: Value) -> str:
        """A new person by hand: the feed says that there is one, the reading after it who."""
        self.last_id += 1
        record = str(self.last_id)
        self.people[record] = dict(fields)
        self._tell("people", record, Happened.CREATED, {}, fields)
        self._tell_read(record)
        return record

    def edit(self, record: str, **fields: Value) -> None:
        """An edit by hand."""
        self._person({"id": record, **fields}, "updateOnly")

    def bury(self, record: str) -> None:
        """Somebody deletes a person."""
        self.buried.append(dict(self.people[record]))
        self._without(record)

    def unite(self, winner: str, losers: Sequence[str]) -> None:
        """A merge: a value beats no value; roles follow. The feed tells of it, and of what the winner is then."""
        for loser in losers:
            for key, row in list(self.records[ROLES].items()):
                if str(row["leadId"]) == loser:
                    self._follow(key, row, winner)
            gone = self.people.pop(loser)
            self._tell_merged(loser, gone, winner)
            there = self.people[winner]
            filled = {name: value for name, value in gone.items() if value is not None and there.get(name) is None}
            if filled:
                self._tell("people", winner, Happened.UPDATED, {name: there.get(name) for name in filled}, filled)
                there.update(filled)
        self._tell_read(winner)

    def _tell_read(self, record: str) -> None:
        now = self.clock()
        row = {name: self.people[record].get(name) for name in self.names}
        self.publish(
            ChangeEvent(system=MARKETO, object=PERSON, id=record, kind=Happened.READ, source="activities", at=now, until=now, fields=row)
        )

    def _follow(self, key: str, row: Row, winner: str) -> None:
        new = {**row, "leadId": int(winner)}
        if any(_natural(other) == _natural(new) for other in self.records[ROLES].values()):
            del self.records[ROLES][key]
        else:
            self.records[ROLES][key] = new

    def _tell_merged(self, loser: str, gone: Row, winner: str) -> None:
        told: list[ChangeEvent] = []
        publish, self.publish = self.publish, told.append
        self._tell("people", loser, Happened.DELETED, gone, {})
        self.publish = publish
        publish(msgspec.structs.replace(told[0], into=winner, origin=f"merged into {winner}"))

    # -- what the writer calls

    async def _call(self, made: Callable[[], list[ItemResult]]) -> SyncAnswer:
        self.calls += 1
        lost, author = self.fails(), self.author
        if lost == "request":
            self.late(lambda: self._by(author, made))
            raise Unknown("the call got lost", after_seconds=0.1)
        results = made()
        if lost == "answer":
            raise Unknown("the answer got lost", after_seconds=0.1)
        return SyncAnswer(request_id="r", results=results, until=self.clock())

    def _united(self, winner: str, losers: Sequence[str]) -> None:
        if {winner, *losers} <= self.people.keys():
            self.unite(winner, losers)

    def _by(self, author: str, made: Callable[[], object]) -> None:
        before, self.author = self.author, author
        made()
        self.author = before

    async def merge(self, winner: str, losers: Sequence[str], lane: Any = None) -> str:
        """As the REST client has it."""
        del lane
        self.calls += 1
        lost = self.fails()
        if lost == "request":
            self.late(lambda: self._united(winner, losers))
            raise Unknown("the call got lost", after_seconds=0.1)
        missing = next((each for each in (winner, *losers) if each not in self.people), None)
        if missing is not None:
            raise Reject(f"Marketo: 1004 Lead '{missing}' not found", code="1004")
        self.unite(winner, losers)
        if lost == "answer":
            raise Unknown("the answer got lost", after_seconds=0.1)
        return "r"

    async def memberships(self, lead: str, kind: str, lane: Any = None) -> list[str]:
        """Nobody is a member of anything."""
        del lead, kind, lane
        return []

    async def activity_types(self, lane: Any = None) -> list[Any]:
        """None but those that are never asked for."""
        del lane
        return []

    async def paging_token(self, since: int, lane: Any = None) -> Any:
        """As the REST client has it."""
        del since, lane
        return type("Token", (), {"token": "t"})

    async def read_records(self, resource: Resource, keys: Sequence[Any], fields: Sequence[str], lane: Any = None) -> dict[Any, Lead]:
        """Also roles by what names them."""
        by_name = [each for each in keys if isinstance(each, tuple)]
        found = await super().read_records(resource, [each for each in keys if not isinstance(each, tuple)], fields, lane)
        for key, row in self.records[resource.path].items():
            name = tuple(str(row.get(each)) for each in resource.key)
            found |= {each: self._lead(key, row, fields) for each in by_name if tuple(map(str, each)) == name}
        return found

    async def read_records_by_id(self, resource: Resource, keys: Sequence[Any], fields: Sequence[str], lane: Any = None) -> dict[Any, Lead]:
        """By what Marketo calls them."""
        return await self.read_records(resource, keys, fields, lane)

    def _without(self, record: str) -> ItemResult:
        if record in self.people:
            self.records[ROLES] = {key: row for key, row in self.records[ROLES].items() if str(row["leadId"]) != record}
        return super()._without(record)

    def _record(self, resource: Resource, row: Row, action: str) -> ItemResult:
        """A role has an id of its own, and one for each of its keys."""
        if len(resource.key) == 1:
            return super()._record(resource, row, action)
        there, key = self.records[resource.path], str(row.pop(resource.id_field, ""))
        if str(row.get("leadId", "")) not in self.people and not key:
            return ItemResult(id=None, status="skipped", code="1004", message="Lead not found")
        if not key:
            key = next((each for each, known in there.items() if _natural(known) == _natural(row)), "")
        if not key:
            self.last_role += 1
            key = f"role-{self.last_role}"
        elif key not in there:
            return ItemResult(id=None, status="skipped", code="1013", message="Object not found")
        known = there.get(key)
        changed = {name: value for name, value in row.items() if known is None or known.get(name) != value}
        there.setdefault(key, {}).update(changed)
        if changed or known is None:
            self.written.append((resource.path, "created" if known is None else "updated", key, changed))
        return ItemResult(id=key, status="created" if known is None else "updated")


def _natural(row: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(str(row.get(name)) for name in ("externalOpportunityId", "leadId", "role"))
