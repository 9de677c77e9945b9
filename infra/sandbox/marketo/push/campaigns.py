"""Trigger campaigns: what sets them off, and Request Campaign (REST API, campaigns)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.marketo.assets import lists, smart_lists
from infra.sandbox.marketo.border.call import Answer, Call, offset, paged, parse_datetime
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.state.activity_log import REQUEST_CAMPAIGN
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row, second
from infra.sandbox.marketo.state.store import CAMPAIGN, LEAD, LIST_MEMBER, PROGRAM_MEMBER, SCHEDULED, Store

ON = ("request", "batch", "person_created", "value_changed", "added_to_list", "program_status")
REQUESTED = "CampaignRequest"
LEADS_MAX = 100
BATCH_LEAST_MS = 300_000
"""A batch campaign that the API schedules never runs earlier than so much later."""
_SCHEDULE_MAX = timedelta(days=2 * 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One campaign for one person."""

    campaign_id: int
    campaign: Row
    lead_id: int
    trigger: str
    tokens: Mapping[str, str]


def runs(store: Store, entries: Sequence[Entry]) -> Iterator[Run]:
    """Which active campaigns these changes set off; a campaign's own changes do not set it off again."""
    if CAMPAIGN not in store.tables or not len(store.tables[CAMPAIGN]):
        return
    for entry in entries:
        for trigger, key, lead_ids in _happened(entry):
            for number, row in store.tables[CAMPAIGN].items():
                own = (entry.extra or {}).get("campaign") == int(number)
                if not row.get("active", True) or own or row["on"] != trigger or row.get("key") not in {None, key}:
                    continue
                if trigger == "request" and int(number) != key:
                    continue
                tokens = (entry.after or {}).get("tokens", {}) if trigger == "request" else {}
                for lead_id in lead_ids:
                    yield Run(campaign_id=int(number), campaign=row, lead_id=lead_id, trigger=trigger, tokens=tokens)


def _happened(entry: Entry) -> Iterator[tuple[str, Any, list[int]]]:
    after = entry.after or {}
    match entry.object, entry.op:
        case "Lead", "create":
            yield "person_created", None, [int(entry.id)]
        case "Lead", "update":
            for name in after:
                yield "value_changed", name, [int(entry.id)]
        case "ListMember", "create":
            yield "added_to_list", after["listId"], [after["leadId"]]
        case "ProgramMember", "create" if "statusName" in after:
            yield "program_status", after["programId"], [after["leadId"]]
        case "CampaignRequest", _:
            yield "request", int(entry.id), list(after["leads"])


@dataclass(frozen=True, slots=True)
class CampaignEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        return [
            ("GET", "/rest/v1/campaigns.json", self.query),
            ("GET", "/rest/v1/campaigns/{id}.json", self.get),
            ("POST", "/rest/v1/campaigns/{id}/trigger.json", self.request),
            ("POST", "/rest/v1/campaigns/{id}/schedule.json", self.schedule),
            ("GET", "/rest/v1/leads/{id}/smartCampaignMembership.json", self.of_person),
        ]

    def query(self, call: Call) -> Answer:
        ids, names = call.numbers("id"), call.listed("name")
        rows = [
            _shown(key, row)
            for key, row in self.instance.store.table(CAMPAIGN).items()
            if (not ids or int(key) in ids) and (not names or row["name"] in names)
        ]
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        return paged(rows[start : start + size], start, size, len(rows))

    def get(self, call: Call) -> Answer:
        return {"result": [_shown(call.path_args[0], self._known(call.path_args[0]))]}

    def request(self, call: Call) -> Answer:
        """Runs the campaign for up to 100 people; tokens go with it."""
        key, given = call.path_args[0], call.json().get("input")
        row = self._known(key)
        if row["on"] != "request" or not row.get("active", True):
            raise ApiError("1003", f"Campaign '{key}' can not be requested")
        if not isinstance(given, Mapping):
            raise ApiError("1002", "Missing value for required parameter 'input'")
        leads = given.get("leads")
        if not isinstance(leads, list) or not leads:
            raise ApiError("1002", "Missing value for required parameter 'leads'")
        if len(leads) > LEADS_MAX:
            raise ApiError("1003", f"At most {LEADS_MAX} leads are allowed")
        ids = [one.get("id") if isinstance(one, Mapping) else None for one in leads]
        for lead_id in ids:
            if not self.instance.store.find("id", lead_id):
                raise ApiError("1004", f"Lead '{lead_id}' not found")
        call.records = len(ids)
        tokens = {str(one.get("name")): str(one.get("value")) for one in given.get("tokens") or []}
        activities = [[lead_id, REQUEST_CAMPAIGN, int(key), row["name"], [["Source", "Web service API"]]] for lead_id in ids]
        with self.instance.section() as section:
            after = {"leads": ids, "tokens": tokens}
            section.add("_request", REQUESTED, key, call.origin("requestCampaign"), before=None, after=after, activities=activities)
        return {"result": [{"id": int(key)}]}

    def schedule(self, call: Call) -> Answer:
        """Has a batch campaign run, five minutes from now at the earliest; its tokens count for that run."""
        key, given = call.path_args[0], (call.json().get("input") if call.body else None) or {}
        if self._known(key)["on"] != "batch":
            raise ApiError("1003", f"Campaign '{key}' is not a batch campaign")
        if not isinstance(given, Mapping):
            raise ApiError("1001", "Invalid value for 'input'")
        if given.get("cloneToProgramName"):
            raise ApiError("1003", "cloneToProgramName is not in the sandbox: use Clone Program")
        at_ms = call.now_ms + BATCH_LEAST_MS
        if given.get("runAt"):
            wanted = parse_datetime(str(given["runAt"]))
            if wanted > datetime.fromtimestamp(call.now_ms / 1000, UTC) + _SCHEDULE_MAX:
                raise ApiError("1042", "Invalid runAt date")
            at_ms = max(at_ms, int(wanted.timestamp() * 1000))
        tokens = {str(one.get("name")).strip("{}"): str(one.get("value")) for one in given.get("tokens") or [] if isinstance(one, Mapping)}
        with self.instance.section() as section:
            after = {"campaign": int(key), "atMs": at_ms, "tokens": tokens}
            run = str(section.store.table(SCHEDULED).next_id)
            section.add("create", SCHEDULED, run, call.origin("scheduleCampaign"), before=None, after=after)
        return {"result": [{"id": int(key)}]}

    def of_person(self, call: Call) -> Answer:
        """The campaigns that ran for a person, as far as its activities tell."""
        store = self.instance.store
        lead_id = int(call.path_args[0])
        if not store.find("id", lead_id):
            raise ApiError("1004", f"Lead '{lead_id}' not found")
        times: dict[int, list[int]] = {}
        for row in store.log.rows:
            number = row.primary_id if row.type == REQUEST_CAMPAIGN else row.origin.campaign
            if number is not None and store.resolve(row.lead_id) == lead_id:
                times.setdefault(number, []).append(row.at_s)
        shown = [
            {"smartCampaignId": number, "createdAt": second(min(found)), "updatedAt": second(max(found))}
            for number, found in sorted(times.items())
        ]
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        return {"moreResult": False, **paged(shown[start : start + size], start, size, len(shown))}

    def _known(self, key: str) -> Row:
        row = self.instance.store.table(CAMPAIGN).get(key)
        if row is None:
            raise ApiError("1013", f"Campaign '{key}' not found")
        return row


def batch(store: Store, row: Row) -> Iterator[Run]:
    """The runs of a scheduled campaign: everybody who is on its list at that time."""
    key = str(row["campaign"])
    campaign = store.table(CAMPAIGN).get(key)
    if campaign is None:
        return
    people = smart_lists.members(store, campaign["smart_list"]) if campaign.get("smart_list") else []
    if campaign.get("key") is not None:
        people = lists.members(store, int(campaign["key"]))
    for lead_id in people:
        yield Run(campaign_id=int(key), campaign=campaign, lead_id=lead_id, trigger="batch", tokens=row.get("tokens") or {})


def _shown(key: str, row: Row) -> dict[str, Any]:
    kind = "batch" if row["on"] == "batch" else "trigger"
    shown = {"id": int(key), "name": row["name"], "type": kind, "programId": row.get("program"), "workspaceName": "Default"}
    return {**shown, "active": row.get("active", True), "createdAt": row["createdAt"], "updatedAt": row["updatedAt"]}


WATCHED = frozenset({LEAD, LIST_MEMBER, PROGRAM_MEMBER, REQUESTED, SCHEDULED})
