"""Folders, my tokens and static lists under /rest/asset/v1 (Asset API: folders, tokens, static lists)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.assets import asset_api, lists
from infra.sandbox.marketo.assets.asset_api import time_of
from infra.sandbox.marketo.border.call import Answer, Call
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import FOLDER, PROGRAM, STATIC_LIST, TOKEN, Store

TOKEN_TYPES = ("date", "number", "rich text", "score", "sfdc campaign", "text")
_AT = "2024-01-01T00:00:00Z"
ROOTS: dict[str, Row] = {
    "1": {"name": "Marketing Activities", "parent": None, "createdAt": _AT, "updatedAt": _AT},
    "2": {"name": "Database", "parent": None, "createdAt": _AT, "updatedAt": _AT},
    "3": {"name": "Design Studio", "parent": None, "createdAt": _AT, "updatedAt": _AT},
    "15": {"name": "Marketing Programs", "parent": [1, "Folder"], "createdAt": _AT, "updatedAt": _AT},
}
"""Folders of a fresh instance."""
_FIRST_ID = 101


@dataclass(frozen=True, slots=True)
class FolderEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/asset/v1"
        return [
            ("GET", f"{base}/folders.json", self.browse),
            ("POST", f"{base}/folders.json", self.create),
            ("GET", f"{base}/folder/byName.json", self.by_name),
            ("GET", f"{base}/folder/{{id}}.json", self.get),
            ("POST", f"{base}/folder/{{id}}.json", self.update),
            ("POST", f"{base}/folder/{{id}}/delete.json", self.delete),
            ("GET", f"{base}/folder/{{id}}/content.json", self.content),
            ("GET", f"{base}/folder/{{id}}/tokens.json", self.tokens),
            ("POST", f"{base}/folder/{{id}}/tokens.json", self.set_token),
            ("POST", f"{base}/folder/{{id}}/tokens/delete.json", self.delete_token),
            ("GET", f"{base}/staticLists.json", self.browse_lists),
            ("POST", f"{base}/staticLists.json", self.create_list),
            ("GET", f"{base}/staticList/byName.json", self.list_by_name),
            ("GET", f"{base}/staticList/{{id}}.json", self.get_list),
            ("POST", f"{base}/staticList/{{id}}.json", self.update_list),
            ("POST", f"{base}/staticList/{{id}}/delete.json", self.delete_list),
        ]

    def browse(self, call: Call) -> Answer:
        rows = folders(self.instance.store)
        return asset_api.page(call, [_folder(rows, key) for key in rows])

    def by_name(self, call: Call) -> Answer:
        rows, name = folders(self.instance.store), call.required("name")
        return asset_api.answer([_folder(rows, key) for key, row in rows.items() if row["name"] == name])

    def get(self, call: Call) -> Answer:
        rows, key = folders(self.instance.store), call.path_args[0]
        if call.params.get("type", "Folder") == "Program":
            row = self.instance.store.table(PROGRAM).get(key)
            return asset_api.answer([_program_as_folder(key, row)] if row is not None else [])
        return asset_api.answer([_folder(rows, key)] if key in rows else [])

    def create(self, call: Call) -> Answer:
        parent, name, rows = asset_api.folder_of(call, "parent"), call.required("name"), folders(self.instance.store)
        if str(parent[0]) not in (rows if parent[1] == "Folder" else self.instance.store.table(PROGRAM)):
            raise ApiError("710", "Parent folder not found")
        if any(row["name"] == name and row["parent"] == list(parent) for row in rows.values()):
            raise ApiError("709", "Folder with the same name already exists")
        after = {"name": name, "parent": list(parent), "description": call.params.get("description")}
        with self.instance.section() as section:
            key = str(max(section.store.table(FOLDER).next_id, _FIRST_ID))
            section.add("create", FOLDER, key, call.origin("createFolder"), before=None, after=after)
        return asset_api.answer([_folder(folders(self.instance.store), key)])

    def update(self, call: Call) -> Answer:
        key, row = self._own(call)
        after = {name: call.params[name] for name in ("name", "description") if call.params.get(name)}
        with self.instance.section() as section:
            section.add("update", FOLDER, key, call.origin("updateFolder"), before={name: row.get(name) for name in after}, after=after)
        return asset_api.answer([_folder(folders(self.instance.store), key)])

    def delete(self, call: Call) -> Answer:
        key, row = self._own(call)
        if _children(self.instance.store, int(key), "Folder"):
            raise ApiError("709", "Folder is not empty")
        with self.instance.section() as section:
            section.add("delete", FOLDER, key, call.origin("deleteFolder"), before=row, after=None)
        return asset_api.answer([{"id": int(key)}])

    def content(self, call: Call) -> Answer:
        return asset_api.page(call, _children(self.instance.store, int(call.path_args[0]), call.params.get("type", "Folder")))

    def tokens(self, call: Call) -> Answer:
        folder = self._place(call)
        table = self.instance.store.table(TOKEN)
        rows = [table.get(key) or {} for key in table.find(("folder",), (folder,))]
        if not rows:
            return asset_api.answer([])
        shown = [{"name": row["name"], "type": row["type"], "value": row["value"], "computedUrl": ""} for row in rows]
        return asset_api.answer([{"folder": {"type": _kind(call), "value": int(call.path_args[0])}, "tokens": shown}])

    def set_token(self, call: Call) -> Answer:
        folder, kind, name = self._place(call), call.required("type").lower(), call.required("name")
        if kind not in TOKEN_TYPES:
            raise ApiError("1003", f"Invalid value for type: {kind}")
        after = {"folder": folder, "name": name, "type": kind, "value": call.required("value")}
        with self.instance.section() as section:
            table = section.store.table(TOKEN)
            found, origin = table.find(("folder", "name", "type"), (folder, name, kind)), call.origin("createToken")
            if found:
                before = {"value": (table.get(found[0]) or {}).get("value")}
                section.add("update", TOKEN, found[0], origin, before=before, after={"value": after["value"]})
            else:
                section.add("create", TOKEN, str(table.next_id), origin, before=None, after=after)
        return self.tokens(call)

    def delete_token(self, call: Call) -> Answer:
        folder = self._place(call)
        table = self.instance.store.table(TOKEN)
        found = table.find(("folder", "name", "type"), (folder, call.required("name"), call.required("type").lower()))
        if not found:
            raise ApiError("702", "Token not found")
        with self.instance.section() as section:
            section.add("delete", TOKEN, found[0], call.origin("deleteToken"), before=table.get(found[0]), after=None)
        return asset_api.answer([{"id": int(call.path_args[0])}])

    def browse_lists(self, call: Call) -> Answer:
        rows = self.instance.store.table(STATIC_LIST).items()
        folder = asset_api.folder_of(call) if call.params.get("folder") else None
        found = [
            _list(key, row)
            for key, row in rows
            if asset_api.updated_within(call, row["updatedAt"]) and (folder is None or row.get("folder") == list(folder))
        ]
        return asset_api.page(call, found)

    def get_list(self, call: Call) -> Answer:
        row = self.instance.store.table(STATIC_LIST).get(call.path_args[0])
        return asset_api.answer([_list(call.path_args[0], row)] if row is not None else [])

    def list_by_name(self, call: Call) -> Answer:
        table = self.instance.store.table(STATIC_LIST)
        return asset_api.answer([_list(key, table.get(key) or {}) for key in table.find(("name",), (call.required("name"),))])

    def create_list(self, call: Call) -> Answer:
        folder, name = list(asset_api.folder_of(call)), call.required("name")
        more = {"folder": folder, "description": call.params.get("description")}
        if folder[1] == "Program":
            more["programName"] = (self.instance.store.table(PROGRAM).get(str(folder[0])) or {}).get("name")
        with self.instance.section() as section:
            key = lists.create(section, name, call.origin("createList"), **more)
        return asset_api.answer([_list(str(key), lists.known(self.instance.store, key))])

    def update_list(self, call: Call) -> Answer:
        key = call.path_args[0]
        row = lists.known(self.instance.store, key)
        after = {name: call.params[name] for name in ("name", "description") if call.params.get(name)}
        with self.instance.section() as section:
            before = {name: row.get(name) for name in after}
            section.add("update", STATIC_LIST, key, call.origin("updateList"), before=before, after=after)
        return asset_api.answer([_list(key, lists.known(self.instance.store, key))])

    def delete_list(self, call: Call) -> Answer:
        number = int(call.path_args[0])
        with self.instance.section() as section:
            lists.delete(section, number, call.origin("deleteList"))
        return asset_api.answer([{"id": number}])

    def _own(self, call: Call) -> tuple[str, Row]:
        key = call.path_args[0]
        row = self.instance.store.table(FOLDER).get(key)
        if row is None:
            raise ApiError("709" if key in ROOTS else "702", f"Folder '{key}' " + ("is a system folder" if key in ROOTS else "not found"))
        return key, row

    def _place(self, call: Call) -> str:
        kind, key = _kind(call), call.path_args[0]
        if key not in (self.instance.store.table(PROGRAM) if kind == "Program" else folders(self.instance.store)):
            raise ApiError("702", f"{kind} '{key}' not found")
        return f"{kind}/{key}"


def folders(store: Store) -> dict[str, Row]:
    return {**ROOTS, **dict(store.table(FOLDER).items())}


def my_tokens(store: Store, program_id: int) -> dict[str, str]:
    """Values of a program's own tokens by name."""
    table = store.table(TOKEN)
    rows = (table.get(key) or {} for key in table.find(("folder",), (f"Program/{program_id}",)))
    return {row["name"]: row["value"] for row in rows}


def _kind(call: Call) -> str:
    kind = call.params.get("folderType") or "Folder"
    if kind not in {"Folder", "Program"}:
        raise ApiError("1003", f"Invalid value for folderType: {kind}")
    return kind


def _children(store: Store, number: int, kind: str) -> list[dict[str, Any]]:
    parent = [number, kind]
    found = [{"id": int(key), "type": "Folder"} for key, row in folders(store).items() if row["parent"] == parent]
    sources: list[tuple[str, str, Callable[[Row], Any]]] = [
        (PROGRAM, "Program", lambda row: row.get("folder")),
        (STATIC_LIST, "Static List", lambda row: row.get("folder")),
    ]
    for table, shown, place in sources:
        found += [{"id": int(key), "type": shown} for key, row in store.table(table).items() if place(row) == parent]
    return found


def _folder(rows: dict[str, Row], key: str) -> dict[str, Any]:
    row = rows[key]
    path, parent = [row["name"]], row["parent"]
    while parent is not None and str(parent[0]) in rows:
        path.append(rows[str(parent[0])]["name"])
        parent = rows[str(parent[0])]["parent"]
    shown = {
        "name": row["name"],
        "description": row.get("description"),
        "createdAt": time_of(row["createdAt"]),
        "updatedAt": time_of(row["updatedAt"]),
        "url": None,
        "folderId": {"id": int(key), "type": "Folder"},
        "folderType": "Zone" if row["parent"] is None else "Marketing Folder",
        "path": "/" + "/".join(reversed(path)),
        "isArchive": False,
        "isSystem": key in ROOTS,
        "accessZoneId": 1,
        "workspace": "Default",
        "id": int(key),
    }
    if row["parent"] is not None:
        shown["parent"] = {"id": row["parent"][0], "type": row["parent"][1]}
    return shown


def _program_as_folder(key: str, row: Row) -> dict[str, Any]:
    shown = {"name": row["name"], "description": row.get("description"), "folderId": {"id": int(key), "type": "Program"}}
    parent = {"id": row["folder"][0], "type": row["folder"][1]}
    return {**shown, "folderType": "Marketing Program", "parent": parent, "path": f"/{row['name']}", "workspace": "Default", "id": int(key)}


def _list(key: str, row: Row) -> dict[str, Any]:
    number, kind = row.get("folder") or [2, "Folder"]
    shown = {"id": int(key), "name": row["name"], "description": row.get("description"), "workspace": "Default"}
    shown |= {"createdAt": time_of(row["createdAt"]), "updatedAt": time_of(row["updatedAt"])}
    return {**shown, "folder": {"id": number, "type": kind}, "computedUrl": f"https://app-sandbox.marketo.com/#ST{key}A1"}
