"""Endpoints under /rest/v1/lead(s): sync, get, delete, merge, partitions (REST API, leads)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.border.call import BATCH_MAX, Answer, Call, offset, paged
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.people.people import Action, SyncRequest
from infra.sandbox.marketo.state.fields import OWNER_FIELDS
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.settings import DEFAULT_PARTITION
from infra.sandbox.marketo.state.store import COOKIE, Person, current, full_name

DEFAULT_FIELDS = ("id", "email", "updatedAt", "createdAt", "firstName", "lastName")
_MATCHES_MAX = 1000


@dataclass(frozen=True, slots=True)
class LeadEndpoints:
    instance: Instance
    in_flight: InFlight

    def routes(self) -> Routes:
        base = "/rest/v1/leads"
        return [
            ("POST", f"{base}.json", self.sync),
            ("GET", f"{base}.json", self.query),
            ("DELETE", f"{base}.json", self.delete),
            ("POST", f"{base}/delete.json", self.delete),
            ("GET", "/rest/v1/lead/{id}.json", self.get),
            ("POST", f"{base}/{{id}}/merge.json", self.merge),
            ("POST", f"{base}/{{id}}/associate.json", self.associate),
            ("GET", f"{base}/partitions.json", self.partitions),
            ("POST", f"{base}/partitions.json", self.move),
        ]

    def sync(self, call: Call) -> Answer:
        body = call.json()
        request = self.sync_request(call, body)
        results = self.each(call, call.input(body), lambda section, record: people.sync(section, request, record))
        return {} if body.get("asyncProcessing") is True else {"result": results}

    def each(self, call: Call, records: list[Any], act: Callable[[Section, Any], dict[str, Any]]) -> list[dict[str, Any]]:
        """The results of a batch in input order; a refused record does not stop the others."""
        failure, results = call.record_errors(), []
        with self.instance.section() as section:
            for seq, record in enumerate(records):
                try:
                    failure(seq)
                    results.append(act(section, record))
                except RecordError as error:
                    results.append(error.skipped())
        return results

    def sync_request(self, call: Call, body: Mapping[str, Any], method: str = "syncLead") -> SyncRequest:
        """What a call asks to be done with each of its people. ApiError 1003 for what makes no sense."""
        try:
            action = Action(body.get("action") or "createOrUpdate")
        except ValueError as error:
            raise ApiError("1003", f"Invalid value for action: {body.get('action')}") from error
        lookup = body.get("lookupField") or "email"
        self._searchable(lookup)
        if lookup == "id" and action is not Action.UPDATE_ONLY:
            raise ApiError("1003", "lookupField 'id' is allowed only with action updateOnly")
        partition = self._partition(body.get("partitionName") or DEFAULT_PARTITION)
        if action is Action.UPDATE_ONLY or not body.get("partitionName"):
            partition = None
        return SyncRequest(
            action=action,
            lookup=lookup,
            origin=call.origin(method),
            hidden=lambda lead_id: self.in_flight.hides(call.flight, lead_id),
            created=lambda lead_id: self.in_flight.created(call.flight, lead_id),
            extra=call.entry_extra(),
            partition=partition,
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
        self._fields(call)
        if not values:
            raise ApiError("1002", "Missing value for required parameter 'filterValues'")
        if len(values) > BATCH_MAX:
            raise ApiError("1003", f"Too many filterValues: at most {BATCH_MAX}")
        found = sorted({lead_id for value in values for lead_id in self._find(filter_type, value)})
        if len(found) > _MATCHES_MAX:
            raise ApiError("1003", "Too many results match the filter")
        return self.page(call, found)

    def page(self, call: Call, found: list[int]) -> Answer:
        """One page of these people, with the fields that the call asks for."""
        fields = self._fields(call)
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        page = found[start : start + size]
        call.records = len(page)
        answer = paged([self._show(lead_id, fields) for lead_id in page], start, size, len(found))
        if not self.instance.store.settings.people_pages_say_more:
            answer.pop("moreResult", None)
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

    def associate(self, call: Call) -> Answer:
        """From now on the cookie is this person's: people are found by it (associate lead)."""
        lead_id, cookie = call.path_args[0], call.required("cookie")
        if not self.instance.store.find("id", lead_id):
            raise ApiError("1004", f"Lead '{lead_id}' not found")
        with self.instance.section() as section:
            table, origin = section.store.table(COOKIE), call.origin("associateLead")
            after = {"cookie": cookie, "leadId": int(lead_id)}
            for key in table.find(("cookie",), (cookie,)):
                section.add("delete", COOKIE, key, origin, before=table.get(key), after=None)
            section.add("create", COOKIE, str(table.next_id), origin, before=None, after=after)
        return {}

    def partitions(self, _: Call) -> Answer:
        rows = self.instance.store.settings.partitions
        return {"result": [{"id": number, "name": name, "description": name} for name, number in rows.items()]}

    def move(self, call: Call) -> Answer:
        """Moves people to other partitions."""
        origin = call.origin("updateLeadPartition")

        def one(section: Section, record: Any) -> dict[str, Any]:
            if not isinstance(record, Mapping) or not record.get("id") or not record.get("partitionName"):
                raise RecordError("1002", "Missing value for required parameter 'id' or 'partitionName'")
            number = section.store.settings.partitions.get(str(record["partitionName"]))
            if number is None:
                raise RecordError("1010", f"Lead partition '{record['partitionName']}' not found")
            return {"id": record["id"], "status": people.move(section, record["id"], number, origin)}

        return {"result": self.each(call, call.input(call.json()), one)}

    def _partition(self, name: Any) -> int | None:
        number = self.instance.store.settings.partitions.get(name) if isinstance(name, str) else None
        if number is None:
            raise ApiError("1010", f"Lead partition '{name}' not found")
        return number

    def _searchable(self, name: Any) -> None:
        if name not in self.instance.store.searchable():
            code = "1011" if isinstance(name, str) and name in self.instance.store.fields else "1006"
            raise ApiError(code, f"Lookup field '{name}' is not supported" if code == "1011" else f"Lookup field '{name}' not found")

    def _find(self, filter_type: str, value: str) -> list[int]:
        if filter_type == "leadPartitionId":
            people_there = self.instance.store.people()
            return [lead_id for lead_id, person in people_there if person.get("leadPartitionId", "1") == value]
        found = self.instance.store.find(filter_type, value)
        if filter_type == "cookies":
            table = self.instance.store.table(COOKIE)
            rows = (table.get(key) or {} for key in table.find(("cookie",), (value,)))
            found += [row["leadId"] for row in rows if self.instance.store.person(row["leadId"]) is not None]
        return found

    def _fields(self, call: Call) -> list[str]:
        names = call.listed("fields")
        for name in names:
            if name not in self.instance.store.fields:
                raise ApiError("1006", f"Field '{name}' not found")
        return names or list(DEFAULT_FIELDS)

    def _show(self, lead_id: int, fields: list[str]) -> dict[str, Any]:
        """A person as read: `id` always, null for what is blank."""
        return {"id": lead_id, **self.shown(lead_id, self.instance.store.person(lead_id) or {}, fields)}

    def shown(self, lead_id: int, person: Person, fields: list[str]) -> dict[str, Any]:
        """These fields of a person; those of a linked company come from there."""
        store = self.instance.store
        company = store.company(person)
        shown: dict[str, Any] = {}
        for name in fields:
            if name == "id":
                shown[name] = lead_id
            elif company is not None and store.fields[name].company:
                shown[name] = company.get(name)
            elif name in OWNER_FIELDS:
                shown[name] = store.owner(person).get(OWNER_FIELDS[name])
            else:
                shown[name] = value_of(lead_id, person, name)
        return shown


def value_of(lead_id: int, person: Person, name: str) -> Any:
    """A field of a person as read, also those that are computed."""
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
