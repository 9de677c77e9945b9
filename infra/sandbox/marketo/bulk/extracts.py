"""Bulk extract: which rows a job's filter lets through, and the file (REST API, bulk extract)."""

import asyncio
import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

from infra.sandbox.marketo.activities.endpoints import ActivityEndpoints
from infra.sandbox.marketo.assets import lists, smart_lists
from infra.sandbox.marketo.border.call import parse_datetime
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.bulk.jobs import EXPORT, BulkJobs
from infra.sandbox.marketo.objects import custom_types
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.programs import members, programs
from infra.sandbox.marketo.state.activity_log import DELETE_LEAD
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row, second
from infra.sandbox.marketo.state.store import LEAD, PROGRAM_MEMBER, SMART_LIST, STATIC_LIST, Store

RANGE_DAYS_MAX = 31
PROGRAMS_MAX = 10
ACTIVITY_COLUMNS = (
    *("marketoGUID", "leadId", "activityDate", "activityTypeId"),
    *("campaignId", "primaryAttributeValueId", "primaryAttributeValue", "attributes"),
)
_SEPARATORS = {"CSV": ",", "TSV": "\t", "SSV": ";"}
_CHUNK_ROWS = 500
_NEEDS_CORONA = {"updatedAt", "smartListId", "smartListName"}

Values = Sequence[Any]


@dataclass(frozen=True, slots=True)
class BulkExport:
    """`work` makes a job's file; `check` refuses a job as it is created."""

    instance: Instance
    jobs: BulkJobs
    leads: LeadEndpoints
    log: ActivityEndpoints

    def check(self, entity: str, body: Mapping[str, Any]) -> list[str]:
        """The columns of a job. ApiError for fields and filters that can't be."""
        filters = body.get("filter")
        if not isinstance(filters, Mapping) or not filters:
            raise ApiError("1003", "A filter is required")
        if str(body.get("format") or "CSV").upper() not in _SEPARATORS:
            raise ApiError("1003", f"Invalid value for format: {body.get('format')}")
        known = self._known(entity)
        fields = body.get("fields") or (list(ACTIVITY_COLUMNS) if entity == "activities" else [])
        if not isinstance(fields, list) or not fields:
            raise ApiError("1002", "Missing value for required parameter 'fields'")
        for name in fields:
            if name not in known:
                raise ApiError("1006", f"Field '{name}' not found")
        self._check_filter(entity, filters)
        return fields

    async def work(self, key: str, row: Row) -> Row:
        """Writes the file in pieces, so that other calls go on meanwhile."""
        path = self.jobs.file(EXPORT, key)
        digest, size, count = hashlib.sha256(), 0, 0
        names = row.get("columnHeaderNames") or {}
        source = self._rows(row["entity"], row["fields"], row["filter"])
        with path.open("wb") as target:
            chunk: list[Values] = [[names.get(name, name) for name in row["fields"]]]
            more = True
            while more:
                rows = [values for values, _ in zip(source, range(_CHUNK_ROWS), strict=False)]
                more = len(rows) == _CHUNK_ROWS
                data = _csv(chunk + rows, _SEPARATORS[row["format"]])
                digest.update(data)
                size, count, chunk = size + len(data), count + len(rows), []
                target.write(data)
                await asyncio.sleep(0)
        return {"end": "Completed", "fileSize": size, "numberOfRecords": count, "fileChecksum": f"sha256:{digest.hexdigest()}"}

    def _known(self, entity: str) -> set[str]:
        store = self.instance.store
        match entity.split("/"):
            case ["leads"]:
                return set(store.fields)
            case ["activities"]:
                return {*ACTIVITY_COLUMNS, "actionResult"}
            case ["program", "members"]:
                return {*members.member_fields(store), *store.fields}
            case [_, name]:
                return set(custom_types.kind_of(store, name).fields)
            case _:
                raise ApiError("610", entity)

    def _check_filter(self, entity: str, filters: Mapping[str, Any]) -> None:
        allowed = {
            "leads": {"createdAt", "updatedAt", "staticListId", "staticListName", "smartListId", "smartListName"},
            "activities": {"createdAt", "activityTypeIds", "primaryAttributeValueIds", "primaryAttributeValues"},
            "program/members": {"programId", "programIds", "statusNames", "updatedAt", "isExhausted", "nurtureCadence"},
        }.get(entity, {"updatedAt", "staticListId", "staticListName", "smartListId", "smartListName"})
        corona = self.instance.store.settings.corona or entity.startswith("customobjects")
        for name, value in filters.items():
            if name not in allowed or (name in _NEEDS_CORONA and not corona):
                raise ApiError("1035", f"Unsupported filter type for target subscription: {name}")
            if name in {"createdAt", "updatedAt"}:
                _range(value)
        if entity == "leads" and len(filters) != 1:
            raise ApiError("1003", "Exactly one filter is allowed")
        refuses = self.instance.store.settings.bulk_deletions == "refused"
        if entity == "activities" and refuses and DELETE_LEAD in (filters.get("activityTypeIds") or ()):
            raise ApiError("1003", "Delete Lead activities are not supported: use Get Deleted Leads")
        if entity == "activities" and "createdAt" not in filters:
            raise ApiError("1003", "The filter createdAt is required")
        if entity == "program/members":
            wanted = _programs(filters)
            if not wanted or len(wanted) > PROGRAMS_MAX:
                raise ApiError("1003", f"programId, or programIds of at most {PROGRAMS_MAX}, is required")
            for program_id in wanted:
                programs.known(self.instance.store, program_id)
        _listed(self.instance.store, filters)

    def _rows(self, entity: str, fields: list[str], filters: Mapping[str, Any]) -> Iterator[Values]:
        match entity:
            case "leads":
                return self._people(fields, filters)
            case "activities":
                return self._activities(fields, filters)
            case "program/members":
                return self._members(fields, filters)
            case _:
                return self._objects(entity.partition("/")[2], fields, filters)

    def _people(self, fields: list[str], filters: Mapping[str, Any]) -> Iterator[Values]:
        store, listed = self.instance.store, _listed(self.instance.store, filters)
        created, updated = _within(filters, "createdAt"), _within(filters, "updatedAt")
        for lead_id in listed if listed is not None else store.ids():
            person = store.person(lead_id)
            if person is not None and created(person["createdAt"]) and updated(store.touched(lead_id, person)):
                yield list(self.leads.shown(lead_id, person, fields).values())

    def _activities(self, fields: list[str], filters: Mapping[str, Any]) -> Iterator[Values]:
        within, kinds = _within(filters, "createdAt"), set(filters.get("activityTypeIds") or ())
        ids, values = filters.get("primaryAttributeValueIds"), filters.get("primaryAttributeValues")
        for row in list(self.instance.store.log.rows):
            if row.type == DELETE_LEAD or (kinds and row.type not in kinds) or not within(second(row.at_s)):
                continue
            shown = self.log.activity(row)
            if (ids and shown["primaryAttributeValueId"] not in ids) or (values and shown["primaryAttributeValue"] not in values):
                continue
            shown["attributes"] = orjson.dumps({one["name"]: one["value"] for one in shown["attributes"]}).decode()
            yield [shown.get(name) for name in fields]

    def _members(self, fields: list[str], filters: Mapping[str, Any]) -> Iterator[Values]:
        store, statuses, updated = self.instance.store, filters.get("statusNames"), _within(filters, "updatedAt")
        known = members.member_fields(store)
        of_people = [name for name in fields if name not in known]
        for program_id in _programs(filters):
            name, table = programs.known(store, program_id)["name"], store.table(PROGRAM_MEMBER)
            for key in table.find(("programId",), (program_id,)):
                row = table.get(key)
                if row is None or (statuses and row["statusName"] not in statuses) or not updated(row["updatedAt"]):
                    continue
                if any(one in filters and row.get(one) != filters[one] for one in ("isExhausted", "nurtureCadence")):
                    continue
                person = self.leads.shown(row["leadId"], store.person(row["leadId"]) or {}, of_people)
                yield [name if one == "program" else row.get(one) if one in known else person[one] for one in fields]

    def _objects(self, name: str, fields: list[str], filters: Mapping[str, Any]) -> Iterator[Values]:
        store = self.instance.store
        kind, updated, listed = custom_types.kind_of(store, name), _within(filters, "updatedAt"), _listed(store, filters)
        link = next((one for one, (target, its_field) in kind.links.items() if (target, its_field) == (LEAD, "id")), None)
        wanted = set(listed) if listed is not None else None
        for key, row in store.table(name).items():
            if updated(row["updatedAt"]) and (wanted is None or (link is not None and row.get(link) in wanted)):
                yield [key if one == kind.id_field else row.get(one) for one in fields]


def _programs(filters: Mapping[str, Any]) -> list[int]:
    return [filters["programId"]] if "programId" in filters else list(filters.get("programIds") or ())


def _listed(store: Store, filters: Mapping[str, Any]) -> list[int] | None:
    """The people on the static or smart list that the filters name; None when they name none. ApiError 1013 for an unknown name."""
    if "smartListId" in filters:
        return smart_lists.members(store, filters["smartListId"])
    if "smartListName" in filters:
        found = store.table(SMART_LIST).find(("name",), (filters["smartListName"],))
        if not found:
            raise ApiError("1013", f"Smart list '{filters['smartListName']}' not found")
        return smart_lists.members(store, found[0])
    list_id = _list_id(store, filters)
    return None if list_id is None else lists.members(store, list_id)


def _list_id(store: Store, filters: Mapping[str, Any]) -> int | None:
    if "staticListId" in filters:
        lists.known(store, filters["staticListId"])
        return int(filters["staticListId"])
    if "staticListName" not in filters:
        return None
    found = store.table(STATIC_LIST).find(("name",), (filters["staticListName"],))
    if not found:
        raise ApiError("1013", f"List '{filters['staticListName']}' not found")
    return int(found[0])


def _range(value: Any) -> tuple[str, str]:
    """Start and end as stamps. ApiError 1003 for a range of more than 31 days."""
    if not isinstance(value, Mapping) or not isinstance(value.get("startAt"), str):
        raise ApiError("1003", "A range with startAt and endAt is expected")
    start = parse_datetime(value["startAt"])
    end = parse_datetime(value["endAt"]) if value.get("endAt") else start + timedelta(days=RANGE_DAYS_MAX)
    if end < start or end - start > timedelta(days=RANGE_DAYS_MAX):
        raise ApiError("1003", f"The range must not exceed {RANGE_DAYS_MAX} days")
    return second(int(start.timestamp())), second(int(end.timestamp()))


def _within(filters: Mapping[str, Any], name: str) -> Callable[[str], bool]:
    if name not in filters:
        return lambda _: True
    start, end = _range(filters[name])
    return lambda stamp: start <= stamp <= end


def _csv(rows: Sequence[Values], separator: str) -> bytes:
    """Blank cells read `null`."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
