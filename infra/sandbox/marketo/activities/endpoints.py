"""Endpoints under /rest/v1/activities: paging token, activities, lead changes, deleted leads, types (REST API, activities)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra.sandbox.marketo.activities.custom import activity_types
from infra.sandbox.marketo.activities.types import TYPES
from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.border.call import Answer, Call, parse_datetime
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.objects.custom_types import TYPE
from infra.sandbox.marketo.state import activity_log
from infra.sandbox.marketo.state.activity_log import Activity, Page
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.store import SERVICE, Store

LEAD_IDS_MAX = 30
LIST_PEOPLE_MAX = 10_000
TYPE_IDS_MAX = 10
_SIGNED = frozenset({activity_log.NEW_LEAD, activity_log.CHANGE_VALUE, activity_log.PUSH_LEAD})
"""Types whose rows name the API method, the user and the request (activity types of real instances)."""


@dataclass(frozen=True, slots=True)
class ActivityEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/v1/activities"
        return [
            ("GET", f"{base}/pagingtoken.json", self.paging_token),
            ("GET", f"{base}.json", self.activities),
            ("GET", f"{base}/leadchanges.json", self.lead_changes),
            ("GET", f"{base}/deletedleads.json", self.deleted_leads),
            ("GET", f"{base}/types.json", self.types),
        ]

    def paging_token(self, call: Call) -> Answer:
        since = parse_datetime(call.required("sinceDatetime"))
        self.instance.commit_late()
        return {"nextPageToken": self.instance.store.log.token_since(int(since.timestamp()))}

    def activities(self, call: Call) -> Answer:
        types = set(call.numbers("activityTypeIds"))
        if not types:
            raise ApiError("1002", "Missing value for required parameter 'activityTypeIds'")
        if len(types) > TYPE_IDS_MAX:
            raise ApiError("1003", f"Too many activityTypeIds: at most {TYPE_IDS_MAX}")
        leads = self._lead_ids(call)
        types.discard(activity_log.DELETE_LEAD)  # deletions have an endpoint of their own
        page = self._page(call, lambda row: row.type in types and (not leads or self._lead(row) in leads))
        return self._answer(call, page, [self.activity(row) for row in page.rows])

    def lead_changes(self, call: Call) -> Answer:
        call.required("fields")
        names = set(call.listed("fields"))
        for name in names:
            if name not in self.instance.store.fields:
                raise ApiError("1006", f"Field '{name}' not found")
        leads = self._lead_ids(call)

        def wanted(row: Activity) -> bool:
            of_type = row.type == activity_log.NEW_LEAD or (row.type == activity_log.CHANGE_VALUE and row.primary in names)
            return of_type and (not leads or self._lead(row) in leads)

        page = self._page(call, wanted)
        return self._answer(call, page, [self._change(row) for row in page.rows])

    def deleted_leads(self, call: Call) -> Answer:
        page = self._page(call, lambda row: row.type == activity_log.DELETE_LEAD)
        return self._answer(call, page, [{**self._head(row), **_primary(row), "attributes": []} for row in page.rows])

    def types(self, _: Call) -> Answer:
        store = self.instance.store
        return {"result": [*TYPES, *_object_types(store), *_service_types(store), *activity_types(store)]}

    def _lead_ids(self, call: Call) -> set[int]:
        leads = set(call.numbers("leadIds"))
        if len(leads) > LEAD_IDS_MAX:
            raise ApiError("1003", f"Too many leadIds: at most {LEAD_IDS_MAX}")
        for list_id in call.numbers("listId"):
            lists.known(self.instance.store, list_id)
            members = lists.members(self.instance.store, list_id)
            if len(members) >= LIST_PEOPLE_MAX:
                raise ApiError("1003", f"listId: lists of {LIST_PEOPLE_MAX} and more leads are not supported")
            leads = (leads & set(members) if leads else set(members)) or {0}
        return leads

    def _page(self, call: Call, wanted: Any) -> Page:
        self.instance.commit_late()
        batch, token, fault = call.batch_size(), call.required("nextPageToken"), call.fault
        if fault is not None and fault.type == "short_page":
            rows = int(fault.action.get("rows", 0))
            page = self.instance.store.log.page(token, wanted, max(rows, 1), call.now_ms // 1000)
            return page if rows else Page([], token, more=True)
        return self.instance.store.log.page(token, wanted, batch, call.now_ms // 1000)

    def _answer(self, call: Call, page: Page, rows: list[dict[str, Any]]) -> Answer:
        call.records = len(rows)
        answer: Answer = {"nextPageToken": page.token, "moreResult": page.more}
        if rows:
            answer["result"] = rows
        return answer

    def _lead(self, row: Activity) -> int:
        return self.instance.store.resolve(row.lead_id)

    def _head(self, row: Activity, zone: str = "Z") -> dict[str, Any]:
        """What every row begins with. Both ways of writing UTC occur: `Z`, and `+0000` among lead changes."""
        head: dict[str, Any] = {"id": row.id} if self.instance.store.settings.activity_ids else {}
        head |= {
            "marketoGUID": str(row.id),
            "leadId": self._lead(row),
            "activityDate": datetime.fromtimestamp(row.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S") + zone,
            "activityTypeId": row.type,
        }
        if row.origin.campaign is not None:
            head["campaignId"] = row.origin.campaign
        return head

    def activity(self, row: Activity) -> dict[str, Any]:
        """A row as this endpoint and bulk extract show it."""
        if row.type != activity_log.CHANGE_VALUE:
            return {**self._head(row), **_primary(row), "attributes": self._attributes(row)}
        field = self.instance.store.fields[row.primary or ""]
        values = [{"name": name, "value": value} for name, value in (("New Value", row.new), ("Old Value", row.old)) if value is not None]
        shown = {"primaryAttributeValueId": field.id, "primaryAttributeValue": field.display}
        return {**self._head(row), **shown, "attributes": values + self._attributes(row)}

    def _change(self, row: Activity) -> dict[str, Any]:
        if row.type == activity_log.NEW_LEAD:
            return {**self._head(row, "+0000"), **_primary(row), "fields": [], "attributes": self._attributes(row)}
        change = {"id": row.primary_id, "name": row.primary, "newValue": row.new, "oldValue": row.old}
        attributes = [*self._attributes(row), {"name": "Lead ID", "value": self._lead(row)}]
        return {**self._head(row, "+0000"), "fields": [change], "attributes": attributes}

    def _attributes(self, row: Activity) -> list[dict[str, Any]]:
        """Those that hold something: an empty attribute is left out of the row (REST API, activities: describe)."""
        origin = row.origin
        if row.type == activity_log.NEW_LEAD:
            day = datetime.fromtimestamp(row.at_s, UTC).astimezone(self.instance.store.zone).date().isoformat()
            shown: list[tuple[str, Any]] = [("Created Date", day), ("Source Type", origin.source)]
        elif row.type == activity_log.CHANGE_VALUE:
            shown = [("Reason", origin.reason), ("Source", origin.source)]
        else:
            shown = list(row.extra)
        if row.type in _SIGNED and self.instance.store.settings.deliver_attributes and origin.method is not None:
            shown += [("API Method Name", origin.method), ("Modifying User", origin.actor), ("Request Id", origin.request_id)]
        return [{"name": name, "value": value} for name, value in shown if value is not None and value != ""]


def _primary(row: Activity) -> dict[str, Any]:
    return {"primaryAttributeValueId": row.primary_id, "primaryAttributeValue": row.primary}


def _object_types(store: Store) -> list[dict[str, Any]]:
    """The "Add to ..." activities of approved custom objects."""
    return [
        {
            "id": row["activityType"],
            "name": f"Add to {row['displayName']}",
            "description": f"Add to {row['displayName']}",
            "primaryAttribute": {"name": row["displayName"], "dataType": "string"},
            "attributes": [{"name": "Source", "dataType": "string"}],
        }
        for row in store.table(TYPE).rows()
        if row.get("approved") is not None
    ]


def _service_types(store: Store) -> list[dict[str, Any]]:
    """The activities that tell the outcome of flow-step services."""
    attributes = [{"name": name, "dataType": "string"} for name in ("Success", "Reason", "Error Code")]
    return [
        {"id": row["activityType"], "name": row["name"], "description": row["name"], "attributes": attributes}
        for row in store.table(SERVICE).rows()
    ]
