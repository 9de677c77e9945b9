"""Endpoints of static lists under /rest/v1, and on which of them a person is (REST API, static lists; leads)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.assets.memberships import memberships
from infra.sandbox.marketo.border.call import BATCH_MAX, Answer, Call, offset, paged
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import LIST_MEMBER, STATIC_LIST


@dataclass(frozen=True, slots=True)
class ListEndpoints:
    instance: Instance
    leads: LeadEndpoints

    def routes(self) -> Routes:
        table: Routes = [("GET", "/rest/v1/lists.json", self.query), ("GET", "/rest/v1/lists/{id}.json", self.get)]
        for base in ("/rest/v1/lists/{id}/leads", "/rest/v1/list/{id}/leads"):
            table += [
                ("GET", f"{base}.json", self.members),
                ("POST", f"{base}.json", self.add),
                ("DELETE", f"{base}.json", self.remove),
                ("GET", f"{base}/ismember.json", self.is_member),
            ]
        of_person = memberships(self.instance, LIST_MEMBER, "listId", _membership)
        return [*table, ("GET", "/rest/v1/leads/{id}/listMembership.json", of_person)]

    def query(self, call: Call) -> Answer:
        ids, names = call.numbers("id"), call.listed("name")
        rows = [
            _shown(key, row)
            for key, row in self.instance.store.table(STATIC_LIST).items()
            if (not ids or int(key) in ids)
            and (not names or row["name"] in names)
            and call.params.get("programName") in {None, row.get("programName")}
        ]
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        return paged(rows[start : start + size], start, size, len(rows))

    def get(self, call: Call) -> Answer:
        return {"result": [_shown(call.path_args[0], lists.known(self.instance.store, call.path_args[0]))]}

    def members(self, call: Call) -> Answer:
        list_id = int(call.path_args[0])
        lists.known(self.instance.store, list_id)
        return self.leads.page(call, lists.members(self.instance.store, list_id))

    def add(self, call: Call) -> Answer:
        def one(section: Section, list_id: int, lead_id: Any) -> str:
            return "added" if lists.add(section, list_id, lead_id, call.origin("addToList")) else "memberof"

        return self._each(call, one)

    def remove(self, call: Call) -> Answer:
        def one(section: Section, list_id: int, lead_id: Any) -> str:
            lists.remove(section, list_id, lead_id, call.origin("removeFromList"))
            return "removed"

        return self._each(call, one)

    def is_member(self, call: Call) -> Answer:
        def one(section: Section, list_id: int, lead_id: Any) -> str:
            if not section.store.find("id", lead_id):
                raise RecordError("1004", "Lead not found")
            return "memberof" if lists.is_member(section.store, list_id, lead_id) else "notmemberof"

        return self._each(call, one)

    def _each(self, call: Call, act: Callable[[Section, int, Any], str]) -> Answer:
        list_id = int(call.path_args[0])
        lists.known(self.instance.store, list_id)
        wanted: list[Any] = call.numbers("id")
        if not wanted:
            wanted = [record.get("id") if isinstance(record, dict) else None for record in call.input(call.json())]
        if len(wanted) > BATCH_MAX:
            raise ApiError("1003", f"Input size {len(wanted)} exceeds the maximum of {BATCH_MAX}")
        call.records = len(wanted)
        failure, results = call.record_errors(), []
        with self.instance.section() as section:
            for seq, lead_id in enumerate(wanted):
                try:
                    failure(seq)
                    results.append({"id": lead_id, "status": act(section, list_id, lead_id)})
                except RecordError as error:
                    results.append({"id": lead_id, **error.skipped()})
        return {"result": results}


def _membership(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("listId", "createdAt", "updatedAt")}


def _shown(key: str, row: Row) -> dict[str, Any]:
    words = {name: row[name] for name in ("description", "programName") if row.get(name)}
    shown = {"id": int(key), "name": row["name"], **words, "workspaceName": "Default"}
    return {**shown, "createdAt": row["createdAt"], "updatedAt": row["updatedAt"]}
