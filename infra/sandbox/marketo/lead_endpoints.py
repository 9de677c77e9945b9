"""Endpoints under /rest/v1/lead(s): sync, get, delete, merge, partitions (REST API, leads)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo import people
from infra.sandbox.marketo.call import BATCH_MAX, Answer, Call
from infra.sandbox.marketo.errors import ApiError, RecordError
from infra.sandbox.marketo.in_flight import InFlight
from infra.sandbox.marketo.instance import Instance
from infra.sandbox.marketo.people import Action, SyncRequest
from infra.sandbox.marketo.store import Person, current, full_name

DEFAULT_FIELDS = ("id", "email", "updatedAt", "createdAt", "firstName", "lastName")
_MATCHES_MAX = 1000
_PARTITIONS = [{"id": 1, "name": "Default", "description": "Initial system lead partition"}]


@dataclass(frozen=True, slots=True)
class LeadEndpoints:
    instance: Instance
    in_flight: InFlight

    def sync(self, call: Call) -> Answer:
        body = call.json()
        request = self._sync_request(call, body)
        records = call.input(body)
        every, failure = _record_errors(call)
        results = []
        with self.instance.section() as section:
            for number, record in enumerate(records, start=1):
                try:
                    if failure is not None and number % every == 0:
                        raise failure
                    results.append(people.sync(section, request, record))
                except RecordError as error:
                    results.append(error.skipped())
        return {} if body.get("asyncProcessing") is True else {"result": results}

    def _sync_request(self, call: Call, body: Mapping[str, Any]) -> SyncRequest:
        try:
            action = Action(body.get("action") or "createOrUpdate")
        except ValueError as error:
            raise ApiError("1003", f"Invalid value for action: {body.get('action')}") from error
        lookup = body.get("lookupField") or "email"
        self._searchable(lookup)
        if lookup == "id" and action is not Action.UPDATE_ONLY:
            raise ApiError("1003", "lookupField 'id' is allowed only with action updateOnly")
        if body.get("partitionName") not in {None, "Default"}:
            raise ApiError("1010", f"Lead partition '{body.get('partitionName')}' not found")
        return SyncRequest(
            action=action,
            lookup=lookup,
            origin=call.origin("syncLead"),
            hidden=lambda lead_id: self.in_flight.hides(call.flight, lead_id),
            created=lambda lead_id: self.in_flight.created(call.flight, lead_id),
            extra=call.entry_extra(),
        )

    def get(self, call: Call) -> Answer:
        found = self.instance.store.find("id", call.path_args[0])
        fields = self._fields(call)
        if not found:
            raise ApiError("1004", f"Lead '{call.path_args[0]}' not found")
        call.records = 1
        return {"result": [self._show(found[0], fields)]}

    def query(self, call: Call) -> Answer:
        filter_type, values = call.required("filterType"), call.listed("filterValues")
        self._searchable(filter_type)
        fields = self._fields(call)
        if not values:
            raise ApiError("1002", "Missing value for required parameter 'filterValues'")
        if len(values) > BATCH_MAX:
            raise ApiError("1003", f"Too many filterValues: at most {BATCH_MAX}")
        found = sorted({lead_id for value in values for lead_id in self._find(filter_type, value)})
        if len(found) > _MATCHES_MAX:
            raise ApiError("1003", "Too many results match the filter")
        start, size = _offset(call.params.get("nextPageToken")), call.batch_size()
        page = found[start : start + size]
        call.records = len(page)
        answer: Answer = {"result": [self._show(lead_id, fields) for lead_id in page]}
        if start + size < len(found):
            answer["nextPageToken"] = f"LEADS{start + size:08d}==="
        return answer

    def delete(self, call: Call) -> Answer:
        wanted: list[Any] = call.numbers("id")
        if not wanted:
            wanted = [record.get("id") if isinstance(record, dict) else None for record in call.input(call.json())]
        if len(wanted) > BATCH_MAX:
            raise ApiError("1003", f"Input size {len(wanted)} exceeds the maximum of {BATCH_MAX}")
        call.records = len(wanted)
        results: list[dict[str, Any]] = []
        with self.instance.section() as section:
            for lead_id in wanted:
                try:
                    found = self.instance.store.find("id", lead_id)
                    people.delete(section, found[0] if found else 0, call.origin("deleteLead"), call.entry_extra())
                    results.append({"id": found[0], "status": "deleted"})
                except RecordError as error:
                    results.append({"id": lead_id, **error.skipped()})
        return {"result": results}

    def merge(self, call: Call) -> Answer:
        losers = call.numbers("leadIds") or call.numbers("leadId")
        call.records = len(losers) + 1
        with self.instance.section() as section:
            people.merge(section, int(call.path_args[0]), losers, call.origin("mergeLeads"), call.entry_extra())
        return {}

    def partitions(self, _: Call) -> Answer:
        return {"result": _PARTITIONS}

    def _searchable(self, name: Any) -> None:
        if name not in self.instance.store.searchable():
            code = "1011" if isinstance(name, str) and name in self.instance.store.fields else "1006"
            raise ApiError(code, f"Lookup field '{name}' is not supported" if code == "1011" else f"Lookup field '{name}' not found")

    def _find(self, filter_type: str, value: str) -> list[int]:
        if filter_type == "leadPartitionId":
            return [lead_id for lead_id, _ in self.instance.store.people()] if value == "1" else []
        return self.instance.store.find(filter_type, value)

    def _fields(self, call: Call) -> list[str]:
        names = call.listed("fields")
        for name in names:
            if name not in self.instance.store.fields:
                raise ApiError("1006", f"Field '{name}' not found")
        return names or list(DEFAULT_FIELDS)

    def _show(self, lead_id: int, fields: list[str]) -> dict[str, Any]:
        """A person as read: `id` always, null for what is blank."""
        person = self.instance.store.person(lead_id) or {}
        shown: dict[str, Any] = {"id": lead_id}
        for name in fields:
            shown[name] = lead_id if name == "id" else _value(lead_id, person, name)
        return shown


def _value(lead_id: int, person: Person, name: str) -> Any:
    if name in person:
        return person[name]
    match name:
        case "mktoName":
            return full_name(person) or None
        case "contactCompany" | "leadPerson":
            return str(lead_id)
        case "leadPartitionId":
            return "1"
        case "personType":
            return "contact"
        case "isLead":
            return True
        case _:
            return current(person, name)


def _record_errors(call: Call) -> tuple[int, RecordError | None]:
    """The scripted fault that skips every k-th record."""
    if call.fault is None or call.fault.type != "record_errors":
        return 1, None
    action = call.fault.action
    code = str(action.get("code", "1003"))
    return max(1, int(action.get("every", 1))), RecordError(code, str(action.get("message", "Scripted refusal")))


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    if not (token.startswith("LEADS") and token[5:13].isdigit()):
        raise ApiError("1003", "Invalid nextPageToken")
    return int(token[5:13])
