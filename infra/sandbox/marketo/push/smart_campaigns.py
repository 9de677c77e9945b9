"""Smart campaigns as assets: read, made, changed, cloned, switched on and off; what they do is set up by hand (Asset API)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.assets import asset_api
from infra.sandbox.marketo.assets.asset_api import time_of
from infra.sandbox.marketo.border.call import Answer, Call
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import CAMPAIGN

FIRST_ID = 1001


@dataclass(frozen=True, slots=True)
class SmartCampaignEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/asset/v1/smartCampaign"
        return [
            ("GET", f"{base}s.json", self.browse),
            ("POST", f"{base}s.json", self.create),
            ("GET", f"{base}/byName.json", self.by_name),
            ("GET", f"{base}/{{id}}.json", self.get),
            ("POST", f"{base}/{{id}}.json", self.update),
            ("POST", f"{base}/{{id}}/clone.json", self.clone),
            ("POST", f"{base}/{{id}}/delete.json", self.delete),
            ("POST", f"{base}/{{id}}/activate.json", self._switch(active=True)),
            ("POST", f"{base}/{{id}}/deactivate.json", self._switch(active=False)),
        ]

    def browse(self, call: Call) -> Answer:
        folder = asset_api.folder_of(call) if call.params.get("folder") else None
        active = call.params.get("isActive", "").lower() == "true"
        rows = self.instance.store.table(CAMPAIGN).items()
        found = [
            one
            for key, row in rows
            if asset_api.updated_within(call, row["updatedAt"]) and (folder is None or row.get("folder") == list(folder))
            for one in [_shown(key, row)]
            if not active or one["isActive"]
        ]
        return asset_api.page(call, found)

    def by_name(self, call: Call) -> Answer:
        table = self.instance.store.table(CAMPAIGN)
        return asset_api.answer([_shown(key, table.get(key) or {}) for key in table.find(("name",), (call.required("name"),))])

    def get(self, call: Call) -> Answer:
        row = self.instance.store.table(CAMPAIGN).get(call.path_args[0])
        return asset_api.answer([_shown(call.path_args[0], row)] if row is not None else [])

    def create(self, call: Call) -> Answer:
        """An empty batch campaign."""
        return self._made(call, {"on": "batch", "active": False, "steps": []}, "createSmartCampaign")

    def clone(self, call: Call) -> Answer:
        row = self._known(call)
        kept = {name: value for name, value in row.items() if name not in {"createdAt", "updatedAt", "name", "folder"}}
        return self._made(call, {**kept, "active": False}, "cloneSmartCampaign")

    def update(self, call: Call) -> Answer:
        row, after = self._known(call), {name: call.params[name] for name in ("name", "description") if call.params.get(name)}
        self._change(call, row, after, "updateSmartCampaign")
        return self.get(call)

    def delete(self, call: Call) -> Answer:
        key, row = call.path_args[0], self._known(call)
        with self.instance.section() as section:
            section.add("delete", CAMPAIGN, key, call.origin("deleteSmartCampaign"), before=row, after=None)
        return asset_api.answer([{"id": int(key)}])

    def _switch(self, *, active: bool) -> Callable[[Call], Answer]:
        def switch(call: Call) -> Answer:
            row = self._known(call)
            if row["on"] == "batch":
                raise ApiError("709", "Only trigger campaigns can be activated")
            self._change(call, row, {"active": active}, "activateSmartCampaign" if active else "deactivateSmartCampaign")
            return asset_api.answer([{"id": int(call.path_args[0])}])

        return switch

    def _made(self, call: Call, row: Row, method: str) -> Answer:
        folder, name = list(asset_api.folder_of(call)), call.required("name")
        table = self.instance.store.table(CAMPAIGN)
        if table.find(("name",), (name,)):
            raise ApiError("709", "Smart campaign with the same name already exists")
        after = {**row, "name": name, "folder": folder, "description": call.params.get("description", "")}
        if folder[1] == "Program":
            after["program"] = folder[0]
        with self.instance.section() as section:
            key = str(max(table.next_id, FIRST_ID))
            section.add("create", CAMPAIGN, key, call.origin(method), before=None, after=after)
        return asset_api.answer([_shown(key, table.get(key) or {})])

    def _change(self, call: Call, row: Row, after: Row, method: str) -> None:
        changed = {name: value for name, value in after.items() if row.get(name) != value}
        if changed:
            before = {name: row.get(name) for name in changed}
            with self.instance.section() as section:
                section.add("update", CAMPAIGN, call.path_args[0], call.origin(method), before=before, after=changed)

    def _known(self, call: Call) -> Row:
        row = self.instance.store.table(CAMPAIGN).get(call.path_args[0])
        if row is None:
            raise ApiError("702", f"Smart campaign '{call.path_args[0]}' not found")
        return row


def _shown(key: str, row: Row) -> dict[str, Any]:
    batch, active = row["on"] == "batch", bool(row.get("active", True))
    shown = {"id": int(key), "name": row["name"], "description": row.get("description") or ""}
    shown |= {"createdAt": time_of(row["createdAt"]), "updatedAt": time_of(row["updatedAt"])}
    number, kind = row.get("folder") or ([row["program"], "Program"] if row.get("program") else [15, "Folder"])
    shown |= {"folder": {"id": number, "type": kind}, "status": ("Never Run" if batch else "Active" if active else "Inactive")}
    shown |= {"type": "batch" if batch else "trigger", "isSystem": False, "isActive": active and not batch}
    shown |= {"isRequestable": row["on"] == "request" and active, "isCommunicationLimitEnabled": False}
    shown |= {"recurrence": {"weekdayOnly": False}, "qualificationRuleType": "any", "workspace": "Default"}
    return {**shown, "smartListId": int(key), "flowId": int(key), "computedUrl": f"https://app-sandbox.marketo.com/#SC{key}A1"}
