"""Push Lead: people upserted into a program (REST API, leads)."""

from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.border.call import Answer, Call
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.programs import members, programs
from infra.sandbox.marketo.state.activity_log import PUSH_LEAD
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.store import PROGRAM

PUSH = "PushLead"


@dataclass(frozen=True, slots=True)
class LeadPushEndpoint:
    instance: Instance
    leads: LeadEndpoints

    def routes(self) -> Routes:
        return [("POST", "/rest/v1/leads/push.json", self.push)]

    def push(self, call: Call) -> Answer:
        """Upserts, puts everyone into a program, and leaves an activity with the caller's own source and reason (push lead)."""
        body = call.json()
        name, status = body.get("programName"), body.get("programStatus")
        if not isinstance(name, str) or not name:
            raise ApiError("1002", "Missing value for required parameter 'programName'")
        store = self.instance.store
        found = store.table(PROGRAM).find(("name",), (name,))
        if not found:
            raise ApiError("1013", f"Program '{name}' not found")
        program_id = int(found[0])
        request = self.leads.sync_request(call, {**body, "action": "createOrUpdate"}, "pushLead")
        steps = programs.channels(store)[programs.known(store, program_id)["channel"]]["progressionStatuses"]
        wanted = status or next(one["name"] for one in steps if one["step"])
        shown = [["Source", body.get("source")], ["Reason", body.get("reason")]]

        def one(section: Section, record: Any) -> dict[str, Any]:
            made = people.sync(section, request, record)
            try:
                members.set_status(section, program_id, made["id"], wanted, request.origin)
            except RecordError as error:
                if error.code != "1037":
                    raise
            row = [made["id"], PUSH_LEAD, program_id, name, shown]
            section.add("_push", PUSH, "", request.origin, before=None, after=None, activities=[row])
            return made

        return {"result": self.leads.each(call, call.input(body), one)}
