"""The instance's state in memory: a fold of the journal, by `apply` and nothing else.

People are kept packed (msgpack, NULLs left out), so that a million of them fit. Look-ups by a key field are indexed from their first use
on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.marketo.state import activity_log
from infra.sandbox.marketo.state.activity_log import Activity, ActivityLog
from infra.sandbox.marketo.state.fields import DEFAULTS, Field, Value, display, standard_fields
from infra.sandbox.marketo.state.kinds import COMPANY, OPPORTUNITY, SALES_PERSON, Kind, standard_kinds, with_fields
from infra.sandbox.marketo.state.origins import origin_of
from infra.sandbox.marketo.state.records import Row, Table, second
from infra.sandbox.marketo.state.settings import Settings

Person = dict[str, Any]
LEAD, FIELD = "Lead", "Field"
CUSTOM_ACTIVITY = "CustomActivity"
FOLDER, TOKEN = "Folder", "Token"
COOKIE, SMART_LIST, SCHEDULED = "Cookie", "SmartList", "ScheduledRun"
CAMPAIGN, WEBHOOK, SERVICE, STREAM = "SmartCampaign", "Webhook", "FlowStepService", "DataStream"
STATIC_LIST, LIST_MEMBER = "StaticList", "ListMember"
PROGRAM, PROGRAM_MEMBER, MEMBER_FIELD = "Program", "ProgramMember", "ProgramMemberField"
OPPORTUNITY_FIELD = "OpportunityField"
LOGGED_PEOPLE_MAX = 5000

_ROW_OPS = {"create", "update", "delete", "_create", "_update", "_delete"}

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, Any]).decode


@dataclass(slots=True)
class Store:
    zone: tzinfo = field(default_factory=lambda: ZoneInfo("America/Chicago"))
    """The instance's time zone: activities show times in it."""
    fields: dict[str, Field] = field(default_factory=lambda: dict(standard_fields()))
    log: ActivityLog = field(default_factory=ActivityLog)
    late: dict[int, tuple[int, bool, Activity]] = field(default_factory=dict)
    """Activities made but not yet committed: id -> (due at ms, shown to chained tokens, row)."""
    settings: Settings = field(default_factory=Settings)
    tables: dict[str, Table] = field(default_factory=dict)
    """Everything that is not a person, by object name."""
    owners_of_deleted: set[str] = field(default_factory=set)
    """Keys of the sales people whom deleted companies named."""
    next_id: int = 1
    next_activity: int = 1
    _touched: dict[int, int] = field(default_factory=dict)
    """When a person's custom fields changed after `updatedAt`, in seconds."""
    _kinds: dict[str, Kind] = field(default_factory=dict)
    """Until a field is added."""
    _people: dict[int, bytes] = field(default_factory=dict)
    _merged: dict[int, int] = field(default_factory=dict)
    _index: dict[str, dict[str, int | list[int]]] = field(default_factory=dict)
    """By field and key: the one person, or all of them. At a million people the lists would weigh more than the people's names."""

    def person(self, lead_id: int) -> Person | None:
        packed = self._people.get(lead_id)
        return None if packed is None else _unpack(packed)

    def people(self) -> Iterator[tuple[int, Person]]:
        for lead_id, packed in self._people.items():
            yield lead_id, _unpack(packed)

    def ids(self) -> list[int]:
        return list(self._people)

    def __len__(self) -> int:
        return len(self._people)

    def find(self, name: str, value: Value) -> list[int]:
        """Ids of the people whose field has this value, ascending. Keys are compared without regard to case (REST API, lead database)."""
        if name == "id":
            return [int(value)] if isinstance(value, int | str) and str(value).isdigit() and int(value) in self._people else []
        index = self._index.get(name)
        if index is None:
            index = self._index[name] = {}
            for lead_id, person in self.people():
                if person.get(name) is not None:
                    _enter(index, _key(person[name]), lead_id)
        found = index.get(_key(value))
        return [] if found is None else [found] if isinstance(found, int) else sorted(found)

    def table(self, name: str) -> Table:
        found = self.tables.get(name)
        if found is None:
            found = self.tables[name] = Table()
        return found

    def kind(self, name: str) -> Kind:
        """One of the standard kinds, with the fields that an administrator added. KeyError for another name."""
        found = self._kinds.get(name)
        if found is None:
            made = {one.name: one for one in self.fields.values() if one.company and one.custom} if name == COMPANY else {}
            if name == OPPORTUNITY:
                made = {key: msgspec.convert(row["field"], Field) for key, row in self.table(OPPORTUNITY_FIELD).items()}
            found = self._kinds[name] = with_fields(standard_kinds()[name], made)
        return found

    def company(self, person: Mapping[str, Any]) -> Row | None:
        """The company a person is linked to; without one, company fields are the person's own."""
        key = person.get("externalCompanyId")
        if key is None or COMPANY not in self.tables:
            return None
        found = self.tables[COMPANY].find(("externalCompanyId",), (key,))
        return self.tables[COMPANY].get(found[0]) if found else None

    def owner(self, person: Mapping[str, Any]) -> Row:
        """The sales person of a person; empty without one."""
        key = person.get("externalSalesPersonId")
        found = self.table(SALES_PERSON).find(("externalSalesPersonId",), (key,)) if key is not None else []
        return (self.table(SALES_PERSON).get(found[0]) if found else None) or {}

    def touched(self, lead_id: int, person: Mapping[str, Any]) -> str:
        """When any field of the person changed last: what bulk extract goes by, unlike the visible `updatedAt`."""
        at_s = self._touched.get(lead_id)
        return second(at_s) if at_s is not None else str(person["updatedAt"])

    def resolve(self, lead_id: int) -> int:
        """The person into whom this one was merged, if so: activities move with a merge."""
        while lead_id in self._merged:
            lead_id = self._merged[lead_id]
        return lead_id

    def searchable(self) -> list[str]:
        """Fields that may be a lookupField or filterType (REST API, get leads by filter)."""
        custom = [one.name for one in self.fields.values() if one.custom and one.type in {"string", "email", "integer"}]
        return ["id", "cookies", "email", "leadPartitionId", *custom]

    def apply(self, entry: Entry) -> None:
        """Folds one journal entry into the state."""
        match entry.object, entry.op:
            case "Lead", "create":
                self._create(entry)
            case "Lead", "update" | "merge":
                self._update(entry)
            case "Lead", "delete" | "merged":
                self._delete(entry)
            case "Lead", "corrupt":
                before = _unpack(self._people[int(entry.id)])
                changed = {**before, **(entry.after or {})}
                self._put(int(entry.id), before, {name: value for name, value in changed.items() if value is not None})
            case "Field", "create" | "update":
                made = msgspec.convert(entry.after, Field)
                self.fields[made.name] = made
                self._kinds.clear()
            case "Settings", _:
                self.settings = msgspec.convert(entry.after, Settings)
            case "Activity", _:
                for activity_id in entry.extra:
                    _, chained, row = self.late.pop(activity_id)
                    (self.log.append if chained else self.log.insert_by_date)(row)
            case _, "corrupt":
                self.table(entry.object).apply(entry)
            case _:
                self._record(entry)

    def _record(self, entry: Entry) -> None:
        if entry.object == OPPORTUNITY_FIELD:
            self._kinds.clear()
        if entry.object == COMPANY and entry.op == "delete" and (owner := (entry.before or {}).get("externalSalesPersonId")):
            self.owners_of_deleted.add(str(owner).casefold())
        if entry.object != CUSTOM_ACTIVITY and entry.op in _ROW_OPS:  # all others live in the log only
            self.table(entry.object).apply(entry)
        if entry.object == COMPANY and entry.op == "update":
            self._log_company_change(entry)
        self._log_stated(entry)

    def _log_stated(self, entry: Entry) -> None:
        """Logs the activities that the entry itself names."""
        for lead_id, kind, primary_id, primary, attributes, *at_s in (entry.extra or {}).get("activities", ()):
            shown = tuple((name, value) for name, value in attributes)
            self._log(entry, lead_id, kind, primary_id=primary_id, primary=primary, extra=shown, at_s=at_s[0] if at_s else None)

    def _log_company_change(self, entry: Entry) -> None:
        """A company's change shows as a change of each of its people, unless there are too many of them (native sync: 5,000)."""
        company = self.tables[COMPANY].get(entry.id) or {}
        leads = self.find("externalCompanyId", company["externalCompanyId"])
        if len(leads) > LOGGED_PEOPLE_MAX:
            return
        for lead_id in leads:
            for name, value in (entry.after or {}).items():
                one = self.fields.get(name)
                if one is not None and one.company:
                    self._log_change(entry, lead_id, one, (entry.before or {}).get(name), value)

    def _create(self, entry: Entry) -> None:
        lead_id = int(entry.id)
        at = second(entry.at_ms // 1000)
        person = {**(entry.after or {}), "createdAt": at, "updatedAt": at}
        self.next_id = max(self.next_id, lead_id + 1)
        self._put(lead_id, {}, person)
        self._log(entry, lead_id, activity_log.NEW_LEAD, primary_id=lead_id, primary=full_name(person))

    def _update(self, entry: Entry) -> None:
        lead_id = int(entry.id)
        before = _unpack(self._people[lead_id])
        changed = entry.after or {}
        after = {**before, **changed}
        if None in changed.values():
            after = {name: value for name, value in after.items() if value is not None}
        if any(not self.fields[name].custom for name in changed):
            after["updatedAt"] = second(entry.at_ms // 1000)  # the visible time follows standard fields only (bulk lead extract)
            self._touched.pop(lead_id, None)
        else:
            self._touched[lead_id] = entry.at_ms // 1000
        self._put(lead_id, before, after)
        for name, value in changed.items():
            if name == "leadPartitionId":  # has an activity of its own
                continue
            self._log_change(entry, lead_id, self.fields[name], (entry.before or {}).get(name), value)
        self._log_stated(entry)
        if entry.op == "merge":
            merged = str([int(loser) for loser in entry.extra["losers"]]).replace(" ", "")
            extra = (("Master Updated", bool(changed)), ("Merge IDs", merged), ("Merge Source", "leaddb"), ("Merged in Sales", False))
            self._log(entry, lead_id, activity_log.MERGE_LEADS, primary_id=lead_id, primary=full_name(after), extra=extra)

    def _log_change(self, entry: Entry, lead_id: int, one: Field, before: Value, after: Value) -> None:
        by_api = bool(entry.extra.get("method"))
        old, new = (display(one, value, self.zone, by_api=by_api) for value in (before, after))
        self._log(entry, lead_id, activity_log.CHANGE_VALUE, primary_id=one.id, primary=one.name, old=old, new=new)

    def _delete(self, entry: Entry) -> None:
        lead_id = int(entry.id)
        self._touched.pop(lead_id, None)
        person = _unpack(self._people.pop(lead_id))
        self._reindex(lead_id, person, {})
        if entry.op == "merged":
            self._merged[lead_id] = int(entry.extra["into"])
        else:
            self._log(entry, lead_id, activity_log.DELETE_LEAD, primary_id=lead_id, primary=full_name(person))

    def _put(self, lead_id: int, before: Person, after: Person) -> None:
        self._people[lead_id] = _pack(after)
        self._reindex(lead_id, before, after)

    def _reindex(self, lead_id: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        for name, index in self._index.items():
            old, new = before.get(name), after.get(name)
            if old == new:
                continue
            if old is not None:
                ids = index[_key(old)]
                if isinstance(ids, list) and len(ids) > 1:
                    ids.remove(lead_id)
                else:
                    del index[_key(old)]
            if new is not None:
                _enter(index, _key(new), lead_id)

    def _log(self, entry: Entry, lead_id: int, kind: int, **members: Any) -> None:
        at_s = members.pop("at_s", None)
        row = Activity(
            id=self.next_activity,
            lead_id=lead_id,
            at_s=entry.at_ms // 1000 if at_s is None else at_s,
            type=kind,
            origin=origin_of(entry),
            **members,
        )
        self.next_activity += 1
        late_s = entry.extra.get("late_s")
        if late_s is None:
            self.log.append(row)
        else:
            self.late[row.id] = (entry.at_ms + int(late_s * 1000), bool(entry.extra.get("chained", True)), row)


def _enter(index: dict[str, int | list[int]], key: str, lead_id: int) -> None:
    found = index.setdefault(key, lead_id)
    if isinstance(found, list):
        found.append(lead_id)
    elif found != lead_id:
        index[key] = [found, lead_id]


def full_name(person: Mapping[str, Any]) -> str:
    return " ".join(str(person[name]) for name in ("firstName", "lastName") if person.get(name))


def current(person: Mapping[str, Any], name: str) -> Value:
    """The value of a field as stored, with the flags that are never null."""
    value: Value = person.get(name, DEFAULTS.get(name))
    return value


def _key(value: Value) -> str:
    return str(value).casefold()
