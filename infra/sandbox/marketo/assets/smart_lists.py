"""Smart lists: people whose field has one of some values; made by hand, read, cloned and deleted by the API (Asset API, smart lists)."""

from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.assets import asset_api
from infra.sandbox.marketo.assets.asset_api import time_of
from infra.sandbox.marketo.border.call import Answer, Call
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import SMART_LIST, Store, current

FIRST_ID = 5001


@dataclass(frozen=True, slots=True)
class SmartListEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/asset/v1/smartList"
        return [
            ("GET", f"{base}s.json", self.browse),
            ("GET", f"{base}/byName.json", self.by_name),
            ("GET", f"{base}/{{id}}.json", self.get),
            ("POST", f"{base}/{{id}}/clone.json", self.clone),
            ("POST", f"{base}/{{id}}/delete.json", self.delete),
        ]

    def browse(self, call: Call) -> Answer:
        folder = asset_api.folder_of(call) if call.params.get("folder") else None
        rows = self.instance.store.table(SMART_LIST).items()
        found = [
            _shown(key, row)
            for key, row in rows
            if asset_api.updated_within(call, row["updatedAt"]) and (folder is None or row["folder"] == list(folder))
        ]
        return asset_api.page(call, found)

    def by_name(self, call: Call) -> Answer:
        table = self.instance.store.table(SMART_LIST)
        return asset_api.answer([_shown(key, table.get(key) or {}) for key in table.find(("name",), (call.required("name"),))])

    def get(self, call: Call) -> Answer:
        row = self.instance.store.table(SMART_LIST).get(call.path_args[0])
        rules = call.params.get("includeRules", "").lower() == "true"
        return asset_api.answer([_shown(call.path_args[0], row, rules=rules)] if row is not None else [])

    def clone(self, call: Call) -> Answer:
        row, name, folder = known(self.instance.store, call.path_args[0]), call.required("name"), list(asset_api.folder_of(call))
        if self.instance.store.table(SMART_LIST).find(("name",), (name,)):
            raise ApiError("709", "Smart list with the same name already exists")
        after = {"name": name, "folder": folder, "field": row["field"], "values": row["values"]}
        with self.instance.section() as section:
            key = str(max(section.store.table(SMART_LIST).next_id, FIRST_ID))
            section.add("create", SMART_LIST, key, call.origin("cloneSmartList"), before=None, after=after)
        return asset_api.answer([_shown(key, known(self.instance.store, key))])

    def delete(self, call: Call) -> Answer:
        key = call.path_args[0]
        row = known(self.instance.store, key)
        with self.instance.section() as section:
            section.add("delete", SMART_LIST, key, call.origin("deleteSmartList"), before=row, after=None)
        return asset_api.answer([{"id": int(key)}])


def known(store: Store, key: int | str) -> Row:
    """ApiError 702 for a list that there is not."""
    row = store.table(SMART_LIST).get(str(key))
    if row is None:
        raise ApiError("702", f"Smart list '{key}' not found")
    return row


def members(store: Store, key: int | str) -> list[int]:
    """The people who are on it now."""
    row = known(store, key)
    wanted = {str(value).casefold() for value in row["values"]}
    return [lead_id for lead_id, person in store.people() if str(current(person, row["field"])).casefold() in wanted]


def _shown(key: str, row: Row, *, rules: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": int(key), "name": row["name"]}
    shown |= {"createdAt": time_of(row["createdAt"]), "updatedAt": time_of(row["updatedAt"])}
    shown |= {"url": f"https://app-sandbox.marketo.com/#SL{key}A1", "folder": {"id": row["folder"][0], "type": row["folder"][1]}}
    shown["workspace"] = "Default"
    if rules:
        one = {"id": 1, "name": row["field"], "ruleTypeId": 2, "ruleType": "Lead Attribute", "operator": "is", "values": row["values"]}
        shown["rules"] = {"filterMatchType": "all", "triggers": [], "filters": [one]}
    return shown
