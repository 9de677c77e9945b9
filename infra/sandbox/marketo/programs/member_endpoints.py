"""Endpoints of program members under /rest/v1 (REST API, program members)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from infra.sandbox.marketo.assets.memberships import memberships
from infra.sandbox.marketo.border.call import BATCH_MAX, Answer, Call, offset, paged, parse_datetime
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.people.schema_endpoints import each_field
from infra.sandbox.marketo.programs import members, programs
from infra.sandbox.marketo.programs.member_fields import create_member_field, update_member_field
from infra.sandbox.marketo.state.fields import Field, schema_shown
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import PROGRAM_MEMBER

_RANGE_DAYS_MAX = 7
_MEMBERS_MAX = 100_000
_DEFAULT_FIELDS = ("leadId", "programId", "reachedSuccess", "acquiredBy", "membershipDate")


@dataclass(frozen=True, slots=True)
class MemberEndpoints:
    instance: Instance
    leads: LeadEndpoints

    def routes(self) -> Routes:
        base = "/rest/v1/programs"
        return [
            ("GET", f"{base}/members/describe.json", self.describe),
            ("GET", "/rest/v1/program/members/describe.json", self.describe),
            ("GET", f"{base}/members/schema/fields.json", self.fields),
            ("POST", f"{base}/members/schema/fields.json", self.create_fields),
            ("GET", f"{base}/members/schema/fields/{{name}}.json", self.field),
            ("POST", f"{base}/members/schema/fields/{{name}}.json", self.update_field),
            ("POST", f"{base}/{{id}}/members/status.json", self.status),
            ("POST", f"{base}/{{id}}/members/delete.json", self.delete),
            ("POST", f"{base}/{{id}}/members.json", self.data),
            ("GET", f"{base}/{{id}}/members.json", self.query),
            ("GET", "/rest/v1/leads/programs/{id}.json", self.people),
            ("POST", "/rest/v1/leads/programs/{id}/status.json", self.old_status),
            ("GET", "/rest/v1/leads/{id}/programMembership.json", memberships(self.instance, PROGRAM_MEMBER, "programId", _membership)),
        ]

    def describe(self, _: Call) -> Answer:
        fields = members.member_fields(self.instance.store)
        customs = [name for name, one in fields.items() if one.custom and one.type in {"string", "email", "integer"}]
        shown = {
            "name": "API Program Membership",
            "description": "Map for API program membership fields",
            "createdAt": "2024-01-01T00:00:00Z",
            "updatedAt": "2024-01-01T00:00:00Z",
            "dedupeFields": ["leadId", "programId"],
            "searchableFields": [[name] for name in ("leadId", "reachedSuccess", "statusName", *customs)],
            "fields": [_described(one) for one in fields.values()],
        }
        return {"result": [shown]}

    def fields(self, call: Call) -> Answer:
        every = [schema_shown(one) for one in members.member_fields(self.instance.store).values()]
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        return paged(every[start : start + size], start, size, len(every))

    def field(self, call: Call) -> Answer:
        found = members.member_fields(self.instance.store).get(call.path_args[0])
        if found is None:
            raise ApiError("1006", f"Field '{call.path_args[0]}' not found")
        return {"result": [schema_shown(found)]}

    def create_fields(self, call: Call) -> Answer:
        origin = call.origin("createProgramMemberField")
        return each_field(self.instance, call, lambda section, record: create_member_field(section, record, origin))

    def update_field(self, call: Call) -> Answer:
        name, origin = call.path_args[0], call.origin("updateProgramMemberField")
        return each_field(self.instance, call, lambda section, record: update_member_field(section, name, record, origin))

    def status(self, call: Call) -> Answer:
        """One status for all records of the call; who is no member becomes one."""
        program_id, body = self._program(call), call.json()
        status = body.get("statusName")
        if not isinstance(status, str) or not status:
            raise ApiError("1002", "Missing value for required parameter 'statusName'")
        origin = call.origin("syncProgramMemberStatus")
        return self._each(call, body, "leadId", lambda section, lead, _: members.set_status(section, program_id, lead, status, origin))

    def old_status(self, call: Call) -> Answer:
        """The superseded endpoint: existing members only, people named by `id`."""
        program_id, body = self._program(call), call.json()
        status, origin = str(body.get("status") or ""), call.origin("changeLeadProgramStatus")

        def one(section: Section, lead: Any, _: Mapping[str, Any]) -> str:
            return members.set_status(section, program_id, lead, status, origin, only_members=True)

        return self._each(call, body, "id", one)

    def data(self, call: Call) -> Answer:
        program_id, origin = self._program(call), call.origin("syncProgramMemberData")

        def one(section: Section, lead: Any, record: Mapping[str, Any]) -> str:
            values = {name: value for name, value in record.items() if name != "leadId"}
            members.set_data(section, program_id, lead, values, origin)
            return "updated"

        return self._each(call, call.json(), "leadId", one)

    def delete(self, call: Call) -> Answer:
        program_id, origin = self._program(call), call.origin("deleteProgramMember")

        def one(section: Section, lead: Any, _: Mapping[str, Any]) -> str:
            members.remove(section, program_id, lead, origin)
            return "deleted"

        return self._each(call, call.json(), "leadId", one)

    def query(self, call: Call) -> Answer:
        program_id, by = self._program(call), call.required("filterType")
        fields = members.member_fields(self.instance.store)
        names = call.listed("fields") or list(_DEFAULT_FIELDS)
        for name in names:
            if name not in fields:
                raise ApiError("1006", f"Field '{name}' not found")
        rows = self._matching(call, program_id, by)
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        page = [{"seq": seq, **_member(row, names, self._name(program_id))} for seq, row in enumerate(rows[start : start + size])]
        call.records = len(page)
        return {"moreResult": False, **paged(page, start, size, len(rows))}

    def people(self, call: Call) -> Answer:
        """The superseded list of members, as people with their `membership`."""
        program_id = self._program(call)
        table = self.instance.store.table(PROGRAM_MEMBER)
        rows = {int(row["leadId"]): row for key in table.find(("programId",), (program_id,)) if (row := table.get(key)) is not None}
        answer = self.leads.page(call, sorted(rows))
        for person in answer["result"]:
            row = rows[person["id"]]
            status = {"progressionStatus": row["statusName"], "progressionStatusType": row["statusName"]}
            person["membership"] = {"id": program_id, **status, **members.membership(row)}
        return answer

    def _matching(self, call: Call, program_id: int, by: str) -> list[Row]:
        table, values = self.instance.store.table(PROGRAM_MEMBER), call.listed("filterValues")
        if by == "leadId":
            if not values or len(values) > BATCH_MAX:
                raise ApiError("1002" if not values else "1003", f"filterValues: one to {BATCH_MAX} are expected")
            keys = [key for value in values for key in table.find(("programId", "leadId"), (program_id, value))]
            return [row for key in keys if (row := table.get(key)) is not None]
        keys = table.find(("programId",), (program_id,))
        if len(keys) > _MEMBERS_MAX:
            raise ApiError("1003", f"Program has more than {_MEMBERS_MAX} members: filter by leadId")
        rows = [row for key in keys if (row := table.get(key)) is not None]
        if by == "updatedAt":
            start, end = parse_datetime(call.required("startAt")), parse_datetime(call.required("endAt"))
            if end - start > timedelta(days=_RANGE_DAYS_MAX):
                raise ApiError("1003", f"The range must not exceed {_RANGE_DAYS_MAX} days")
            return [row for row in rows if start <= parse_datetime(row["updatedAt"]) <= end]
        fields = members.member_fields(self.instance.store)
        if by not in {"reachedSuccess", "statusName"} and not (by in fields and fields[by].custom):
            raise ApiError("1011", f"Filter type '{by}' is not supported")
        if not values:
            raise ApiError("1002", "Missing value for required parameter 'filterValues'")
        wanted = {value.casefold() for value in values}
        return [row for row in rows if str(row.get(by)).casefold() in wanted]

    def _each(self, call: Call, body: Mapping[str, Any], id_name: str, act: Callable[[Section, Any, Mapping[str, Any]], str]) -> Answer:
        records, failure, results = call.input(body), call.record_errors(), []
        with self.instance.section() as section:
            for seq, record in enumerate(records):
                lead = record.get(id_name) if isinstance(record, Mapping) else None
                head = {"seq": seq, id_name: lead}
                try:
                    failure(seq)
                    results.append({**head, "status": act(section, _named(lead, id_name), record)})
                except RecordError as error:
                    results.append({**head, **error.skipped()})
        return {"result": results}

    def _program(self, call: Call) -> int:
        programs.known(self.instance.store, call.path_args[0])
        return int(call.path_args[0])

    def _name(self, program_id: int) -> str:
        return str(programs.known(self.instance.store, program_id)["name"])


def _named(lead: Any, id_name: str) -> Any:
    if lead is None:
        raise RecordError("1002", f"Missing value for required parameter '{id_name}'")
    return lead


def _membership(row: Row) -> dict[str, Any]:
    return {"id": row["programId"], "progressionStatus": row["statusName"], **members.membership(row)}


def _member(row: Row, names: list[str], program: str) -> dict[str, Any]:
    shown = {name: program if name == "program" else row.get(name) for name in names}
    return {"leadId": row["leadId"], "programId": row["programId"], **shown}


def _described(one: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": one.name, "displayName": one.display, "dataType": one.type}
    if one.type == "string":
        shown["length"] = one.length or 255
    return {**shown, "updateable": not one.read_only, "crmManaged": False}
