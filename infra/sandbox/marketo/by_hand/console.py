"""What the Marketo pages show and let people change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any

from infra.sandbox.kernel.system import VerbRefusedError
from infra.sandbox.marketo.activities.endpoints import ActivityEndpoints
from infra.sandbox.marketo.activities.types import TYPES
from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.bulk.jobs import EXPORT, IMPORT
from infra.sandbox.marketo.by_hand.marketing_verbs import MarketingVerbs
from infra.sandbox.marketo.by_hand.verbs import Verbs
from infra.sandbox.marketo.people import links
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.programs import programs
from infra.sandbox.marketo.state.fields import Field
from infra.sandbox.marketo.state.instance import OPERATOR
from infra.sandbox.marketo.state.kinds import standard_kinds
from infra.sandbox.marketo.state.records import Row, second
from infra.sandbox.marketo.state.store import LEAD, LIST_MEMBER, PROGRAM_MEMBER, full_name
from infra.sandbox.pages.console import EditRefusedError, FieldShown, Listed, Note, ObjectLink, Page, RecordShown

_LABELS = {
    LEAD: "People",
    "SalesPerson": "Sales people",
    "Company": "Companies",
    "Opportunity": "Opportunities",
    "OpportunityRole": "Opportunity roles",
    "Program": "Programs",
    PROGRAM_MEMBER: "Program members",
    "StaticList": "Static lists",
    "SmartCampaign": "Smart campaigns",
}
_KEY_FIELDS = (
    *("firstName", "lastName", "email", "phone", "title", "company", "city", "state", "country"),
    *("leadStatus", "leadSource", "leadScore", "externalCompanyId", "externalSalesPersonId"),
)
"""Shown first."""
_FIRST = (LEAD, "Company", "SalesPerson", "Opportunity", "OpportunityRole", "Program", PROGRAM_MEMBER, "StaticList", "SmartCampaign")
_HIDDEN = {EXPORT, IMPORT, "Token", "DataStream", LIST_MEMBER}
_COLUMNS = ("id", "name", "email", "company", "updatedAt")
_SCAN_ROWS = 100_000
"""How many of the newest records a search looks through."""
_NAMES = {int(one["id"]): str(one["name"]) for one in TYPES}


@dataclass(slots=True)
class MarketoConsole:
    verbs: Verbs
    leads: LeadEndpoints
    log: ActivityEndpoints
    title: str = "Marketo Engage"
    accent: str = "#5c4c9f"
    person: str = OPERATOR
    stamps: frozenset[str] = frozenset({"updatedAt", "createdAt"})

    def objects(self) -> Sequence[ObjectLink]:
        store = self.verbs.instance.store
        others = [name for name in store.tables if name not in {*_FIRST, *_HIDDEN} and len(store.tables[name])]
        return [
            ObjectLink(name=name, label=_LABELS.get(name, name), count=len(store) if name == LEAD else len(store.table(name)))
            for name in (*_FIRST, *others)
        ]

    def records(self, name: str, search: str, start: int, count: int) -> Page:
        store = self.verbs.instance.store
        if name == LEAD:
            found = self._people(search, start, count + 1)
            rows = [Listed(id=str(number), values=self._line(number)) for number in found[:count]]
            return Page(columns=("Name", "Id", "Email", "Company", "Updated"), rows=rows, more=len(found) > count)
        if name not in {one.name for one in self.objects()}:
            raise KeyError(name)
        keys = list(reversed([key for key, _ in store.table(name).items()]))
        matching = ((key, row) for key in keys if (row := store.table(name).get(key)) is not None and _matches(row, search))
        found_rows = list(islice(matching, start, start + count + 1))
        columns = [
            one for one in (found_rows[0][1] if found_rows else {}) if one not in {"progressionStatuses", "draft", "approved", "steps"}
        ][:6]
        rows = [Listed(id=key, values=[key, *(row.get(one) for one in columns)]) for key, row in found_rows[:count]]
        return Page(columns=("Id", *columns), rows=rows, more=len(found_rows) > count)

    def record(self, name: str, key: str) -> RecordShown:
        store = self.verbs.instance.store
        if name == LEAD:
            return self._person(int(key) if key.isdecimal() else 0)
        row = store.tables[name].get(key) if name in store.tables else None
        if row is None:
            raise KeyError(key)
        kind = store.kind(name) if name in standard_kinds() else None
        fields = [_field(one, row, editable=one.name not in kind.dedupe) for one in kind.fields.values()] if kind else []
        rest = [
            FieldShown(name=one, label=one, value=row[one], editable=self._own(name, one))
            for one in row
            if not kind or one not in kind.fields
        ]
        title = str(row.get("name") or row.get("company") or row.get("externalOpportunityId") or f"{name} {key}")
        related = [("People", self._members(name, row, key))] if name in {"Program", "Company", "StaticList"} else []
        return RecordShown(title=title, subtitle=f"{name} {key}", fields=[*fields, *rest], related=related)

    def edit(self, name: str, key: str, values: dict[str, str | None]) -> None:
        marketing = MarketingVerbs(self.verbs.instance)
        try:
            if name == LEAD:
                self.verbs.edit({"id": int(key), "fields": values, "user": self.person})
            elif name == PROGRAM_MEMBER:
                row = self.verbs.instance.store.table(name).get(key) or {}
                body = {"program": row["programId"], "ids": [row["leadId"]], "status": values["statusName"], "user": self.person}
                marketing.set_status(body)
            else:
                marketing.edit_record({"object": name, "id": key, "fields": values, "user": self.person})
        except (RecordError, ApiError, VerbRefusedError) as refused:
            raise EditRefusedError(str(refused)) from refused

    def blank(self, name: str) -> Sequence[FieldShown]:
        """Only people are made by hand here."""
        store = self.verbs.instance.store
        if name != LEAD:
            if name not in {one.name for one in self.objects()}:
                raise KeyError(name)
            return ()
        order = [*_KEY_FIELDS, *(one for one in store.fields if one not in _KEY_FIELDS)]
        return [shown for one in order if one != "id" and (shown := _field(store.fields[one], {}, editable=True)).editable]

    def create(self, name: str, values: dict[str, str | None]) -> str:
        if name != LEAD:
            raise KeyError(name)
        try:
            made = self.verbs.create({"fields": values, "user": self.person})
        except (RecordError, ApiError, VerbRefusedError) as refused:
            raise EditRefusedError(str(refused)) from refused
        return str(made["id"])

    def _own(self, name: str, field: str) -> bool:
        return name == PROGRAM_MEMBER and field == "statusName"

    def _people(self, search: str, start: int, count: int) -> list[int]:
        store = self.verbs.instance.store
        if not search:
            return list(islice(reversed(store.ids()), start, start + count))
        exact = store.find("id", search) + store.find("email", search)
        wanted = search.casefold()
        ids = (number for number in islice(reversed(store.ids()), _SCAN_ROWS) if number not in exact and self._has(number, wanted))
        return list(islice((*exact, *islice(ids, start + count)), start, start + count))

    def _has(self, lead_id: int, wanted: str) -> bool:
        person = self.verbs.instance.store.person(lead_id) or {}
        return (
            any(wanted in str(person.get(name, "")).casefold() for name in ("email", "company", "city"))
            or wanted in full_name(person).casefold()
        )

    def _line(self, lead_id: int) -> list[object]:
        person = self.verbs.instance.store.person(lead_id) or {}
        shown = self.leads.shown(lead_id, person, ["email", "company", "updatedAt"])
        return [full_name(person) or f"Person {lead_id}", lead_id, *shown.values()]

    def _person(self, lead_id: int) -> RecordShown:
        store = self.verbs.instance.store
        person = store.person(lead_id)
        if person is None:
            raise KeyError(lead_id)
        names = [name for name in store.fields if name != "id"]
        values, company = self.leads.shown(lead_id, person, names), store.company(person)
        order = [*_KEY_FIELDS, *(name for name in names if name not in _KEY_FIELDS)]
        known = [store.fields[name] for name in order]
        fields = [_field(one, values, editable=company is None or not one.company) for one in known]
        roles = [
            Note(at=str(row.get("stage") or ""), what=f"{row.get('name')} ({row.get('role')})")
            for row in links.opportunities_of(store, lead_id)
        ]
        related = [("Activities", self._activities(lead_id)), ("Programs", self._programs(lead_id)), ("Opportunities", roles)]
        shown = [one for one in related if one[1]]
        return RecordShown(title=full_name(person) or f"Person {lead_id}", subtitle=f"Person {lead_id}", fields=fields, related=shown)

    def _activities(self, lead_id: int) -> list[Note]:
        store = self.verbs.instance.store
        recent = (row for row in islice(reversed(store.log.rows), _SCAN_ROWS) if store.resolve(row.lead_id) == lead_id)
        found = []
        for row in islice(recent, 15):
            shown = self.log.activity(row)
            told = ", ".join(f"{one['name']}: {one['value']}" for one in shown["attributes"][:3] if one["value"] is not None)
            detail = escape(f"{shown['primaryAttributeValue'] or ''} {told}".strip())
            found.append(Note(at=second(row.at_s)[:19].replace("T", " "), what=_NAMES.get(row.type, str(row.type)), detail=detail))
        return found

    def _programs(self, lead_id: int) -> list[Note]:
        store = self.verbs.instance.store
        table, found = store.table(PROGRAM_MEMBER), []
        for key in table.find(("leadId",), (lead_id,)):
            row = table.get(key) or {}
            name = programs.known(store, row["programId"])["name"]
            found.append(Note(at=str(row["statusName"]), what=str(name), link=(PROGRAM_MEMBER, key)))
        return found

    def _members(self, name: str, row: Row, key: str) -> list[Note]:
        store, table = self.verbs.instance.store, self.verbs.instance.store.table(PROGRAM_MEMBER)
        if name == "Program":
            members = [(found["leadId"], found["statusName"]) for one in table.find(("programId",), (key,)) if (found := table.get(one))]
        elif name == "Company":
            members = [(lead_id, "") for lead_id in store.find("externalCompanyId", row["externalCompanyId"])]
        else:
            members = [(lead_id, "") for lead_id in lists.members(store, int(key))]
        return [
            Note(at=str(status), what=full_name(store.person(lead_id) or {}) or f"Person {lead_id}", link=(LEAD, str(lead_id)))
            for lead_id, status in members[:50]
        ]


def _field(one: Field, values: Mapping[str, Any], *, editable: bool) -> FieldShown:
    may = editable and not one.read_only and one.type != "reference"
    return FieldShown(name=one.name, label=one.display, value=values.get(one.name), type=one.type, editable=may)


def _matches(row: Row, search: str) -> bool:
    return not search or any(search.casefold() in str(value).casefold() for value in row.values())
