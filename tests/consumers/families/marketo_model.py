"""Marketo as far as families need it, in memory: people, and records of every other kind, with its refusals in its own words.

It takes the place of the REST client under the real writer. Its feed tells only of people, as in the real one.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.marketo.api.resource import Resource
from streams.marketo.api.wire import ItemResult, Lead, SyncAnswer
from streams.wire.errors import Reject, SyncError, Unknown
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, PERSON

OURS = "tandem@example.com"
COMPANIES, SALES, OPPORTUNITIES, ROLES = "companies", "salespersons", "opportunities", "opportunities/roles"
LOST = ("answer", "request")
"""Of a call that raises: it was made and its answer lost, or it never arrived."""
_LINKS = {"externalCompanyId": COMPANIES, "externalSalesPersonId": SALES, "externalOpportunityId": OPPORTUNITIES}
Row = dict[str, Value]


@dataclass(kw_only=True)
class MarketoModel:
    """One instance. `clock`: ms. `fails`: asked before each writing call which way it is lost, or "" for none."""

    clock: Callable[[], int]
    publish: Callable[[ChangeEvent], None] = lambda _: None
    fails: Callable[[], str] = lambda: ""
    people: dict[str, Row] = field(default_factory=dict)
    records: dict[str, dict[str, Row]] = field(default_factory=lambda: {COMPANIES: {}, SALES: {}, OPPORTUNITIES: {}, ROLES: {}})
    refuses: dict[str, str] = field(default_factory=dict)
    """Records (by key) that are refused, with the words."""
    shut: dict[str, SyncError] = field(default_factory=dict)
    """Lists that our user may neither read nor write, with what Marketo says to it."""
    written: list[tuple[str, str, str, Row]] = field(default_factory=list)
    """What was really changed: (list, what, record, fields)."""
    calls: int = 0
    refused_calls: int = 0
    custom_activities: Any = None
    """Whoever takes activities of types of our own, if anybody does."""
    last_id: int = 1000
    told: int = 0
    author: str = OURS
    """Who does what is done now."""

    @property
    def resources(self) -> "MarketoModel":
        """The lists of records have their own interface, in the same instance."""
        return self

    @property
    def programs(self) -> "MarketoModel":
        """Nobody is a member of any."""
        return self

    async def read(self, ids: Sequence[str], fields: Sequence[str], lane: Any = None) -> dict[str, Lead]:
        """People by id."""
        del lane
        return {each: self._lead(each, self.people[each], fields) for each in ids if each in self.people}

    async def find(self, filter_type: str, values: Sequence[str], fields: Sequence[str], lane: Any = None) -> list[Lead]:
        """People by a field."""
        del lane
        wanted = {value.casefold() for value in values}
        found = [(each, row) for each, row in self.people.items() if str(row.get(filter_type) or "").casefold() in wanted]
        return [self._lead(each, row, [filter_type, *fields]) for each, row in found]

    async def sync(self, records: Sequence[Mapping[str, Value]], action: str, lookup: str | None, lane: Any = None) -> SyncAnswer:
        """Creates people, or changes them by id."""
        del lookup, lane
        for row in records:
            self._refuse_owner(row)
        return await self._call(lambda: [self._person(row, action) for row in records])

    async def delete(self, ids: Sequence[str], lane: Any = None) -> SyncAnswer:
        """Deletes people."""
        del lane
        return await self._call(lambda: [self._without(each) for each in ids])

    async def merge(self, winner: str, losers: Sequence[str], lane: Any = None) -> str:
        """The losers are part of the winner, with what only they have."""
        del lane
        await asyncio.sleep(0)
        for each in losers:
            if each in self.people:
                self.people[winner] = {**self.people.pop(each), **{k: v for k, v in self.people[winner].items() if v is not None}}
        return "r"

    async def read_records(self, resource: Resource, keys: Sequence[Any], fields: Sequence[str], lane: Any = None) -> dict[Any, Lead]:
        """Records by key."""
        del lane
        self._refuse_list(resource)
        there = self.records[resource.path]
        names = {each: each if isinstance(each, str) else "|".join(str(part) for part in each) for each in keys}
        return {each: self._lead(name, there[name], fields) for each, name in names.items() if name in there}

    read_records_by_id = read_records
    """What Marketo calls them is their key here, too."""

    async def sync_records(
        self, resource: Resource, records: Sequence[Mapping[str, Value]], action: str = "createOrUpdate", lane: Any = None, *,
        by_id: bool = False,
    ) -> SyncAnswer:  # fmt: skip
        """Creates or changes records."""
        del lane, by_id
        self._refuse_list(resource)
        for row in records:
            self._refuse_owner(row, but=resource.key[0])
        return await self._call(lambda: [self._record(resource, dict(row), action) for row in records])

    async def delete_records(self, resource: Resource, keys: Sequence[Any], lane: Any = None, *, by_id: bool = False) -> SyncAnswer:
        """Deletes records to which nobody refers."""
        del lane, by_id
        self._refuse_list(resource)
        return await self._call(lambda: [self._gone(resource, str(each)) for each in keys])

    def orphans(self) -> list[str]:
        """Who names a record which isn't there."""
        rows = [*self.people.items(), *(item for path in (COMPANIES, OPPORTUNITIES, ROLES) for item in self.records[path].items())]
        named = [(each, row.get(name), name, there) for each, row in rows for name, there in _LINKS.items()]
        return [f"{each}: {name} {value}" for each, value, name, there in named if value and value not in self.records[there]]

    async def _call(self, made: Callable[[], list[ItemResult]]) -> SyncAnswer:
        self.calls += 1
        await asyncio.sleep(0)
        lost = self.fails()
        if lost == "request":
            raise Unknown("the call got lost", after_seconds=0.1)
        results = made()
        if lost == "answer":
            raise Unknown("the answer got lost", after_seconds=0.1)
        return SyncAnswer(request_id="r", results=results, until=self.clock())

    def _refuse_list(self, resource: Resource) -> None:
        if resource.path in self.shut:
            self.refused_calls += 1
            raise self.shut[resource.path]

    def _refuse_owner(self, row: Mapping[str, Value], but: str = "") -> None:
        owner = row.get("externalSalesPersonId")
        if but != "externalSalesPersonId" and owner and owner not in self.records[SALES]:
            raise Reject(f"Marketo leads: 718 ExternalSalesPersonID '{owner}' not found", code="718")

    def _person(self, told: Mapping[str, Value], action: str) -> ItemResult:
        row = {name: value for name, value in told.items() if name != "id"}
        company = row.get("externalCompanyId")
        if company and company not in self.records[COMPANIES]:
            return ItemResult(id=None, status="skipped", code="1013", message=f"Company '{company}' not found")
        if action == "createOnly":
            if any(row.get("email") and other.get("email") == row["email"] for other in self.people.values()):
                return ItemResult(id=None, status="skipped", code="1005", message="Lead already exists")
            self.last_id += 1
            record = str(self.last_id)
            self.people[record] = {name: value for name, value in row.items() if value is not None}
            self._tell("people", record, Happened.CREATED, {}, row)
            return ItemResult(id=record, status="created")
        record = str(told["id"])
        if record not in self.people:
            return ItemResult(id=None, status="skipped", code="1004", message="Lead not found")
        before = self.people[record]
        if "externalCompanyId" in row and company is None:
            del row["externalCompanyId"]
        changed = {name: value for name, value in row.items() if before.get(name) != value}
        if changed:
            self._tell("people", record, Happened.UPDATED, {name: before.get(name) for name in changed}, changed)
            before.update(changed)
        return ItemResult(id=record, status="updated")

    def _without(self, record: str) -> ItemResult:
        if record not in self.people:
            return ItemResult(id=None, status="skipped", code="1004", message="Lead not found")
        self._tell("people", record, Happened.DELETED, self.people.pop(record), {})
        return ItemResult(id=record, status="deleted")

    def _record(self, resource: Resource, row: Row, action: str) -> ItemResult:
        key, there = str(row.pop(resource.id_field, "")), self.records[resource.path]
        if not key:
            key = "|".join(str(row[name]) for name in resource.key)
            row = row if len(resource.key) > 1 else {name: value for name, value in row.items() if name != resource.key[0]}
        lead = row.get("leadId")
        if lead is not None and str(lead) not in self.people:
            return ItemResult(id=None, status="skipped", code="1004", message="Lead not found")
        if key in self.refuses:
            return ItemResult(id=None, status="skipped", code="1003", message=self.refuses[key])
        if key not in there and action == "updateOnly":
            return ItemResult(id=None, status="skipped", code="1013", message="Object not found")
        known = there.get(key)
        changed = {name: value for name, value in row.items() if known is None or known.get(name) != value}
        there.setdefault(key, {}).update(changed)
        if changed or known is None:
            self.written.append((resource.path, "created" if known is None else "updated", key, changed))
        return ItemResult(id=key, status="created" if known is None else "updated")

    def _gone(self, resource: Resource, key: str) -> ItemResult:
        there = self.records[resource.path]
        if key not in there:
            return ItemResult(id=None, status="skipped", code="1013", message="Object not found")
        named = [*self.people.values(), *(row for path, some in self.records.items() if path != resource.path for row in some.values())]
        if len(resource.key) == 1 and any(row.get(resource.key[0]) == key for row in named):
            return ItemResult(id=None, status="skipped", code="1022", message="Object is in use")
        del there[key]
        self.written.append((resource.path, "deleted", key, {}))
        return ItemResult(id=key, status="deleted")

    def _tell(self, what: str, record: str, kind: Happened, before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
        self.told += 1
        self.written.append((what, str(kind), record, dict(after)))
        fields = {} if kind is not Happened.UPDATED else dict(after)
        self.publish(
            ChangeEvent(
                system=MARKETO, object=PERSON, id=record, kind=kind, source="activities", at=self.clock() // 1000 * 1000,
                ref=f"g{self.told}", author=self.author, fields=fields, before=dict(before) if fields else None,
            )
        )  # fmt: skip

    def _lead(self, record: str, row: Mapping[str, Value], fields: Sequence[str]) -> Lead:
        now = self.clock()
        return Lead(id=record, fields={name: record if name == "id" else row.get(name) for name in fields}, at=now, until=now)
