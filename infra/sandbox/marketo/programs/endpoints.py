"""Programs, channels, tags and tokens under /rest/asset/v1 (Asset API: programs, channels, tokens)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.assets import asset_api
from infra.sandbox.marketo.assets.asset_api import time_of
from infra.sandbox.marketo.border.call import Answer, Call, parse_datetime
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.programs import programs
from infra.sandbox.marketo.state.fields import Field, stored
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import PROGRAM, PROGRAM_MEMBER, Store

_TYPES = {
    "program": ("Default", "PG", "A"),
    "default": ("Default", "PG", "A"),
    "event": ("Event", "ME", "A"),
    "webinar": ("Event with Webinar", "ME", "A"),
    "event with webinar": ("Event with Webinar", "ME", "A"),
    "nurture": ("Engagement", "NP", "A"),
    "engagement": ("Engagement", "NP", "A"),
    "email": ("Email", "EBP", "A"),
}
TAG_TYPES: Mapping[str, tuple[str, ...]] = {
    "Business Unit": ("EMEA", "NA", "APAC"),
    "Program Owner": ("Ann", "Bob"),
    "Region": ("North", "South", "East", "West"),
}
_COST = Field(id=0, name="cost", display="cost", type="integer")
_DAY = Field(id=0, name="startDate", display="startDate", type="date")


@dataclass(frozen=True, slots=True)
class ProgramEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/asset/v1"
        return [
            ("GET", f"{base}/programs.json", self.browse),
            ("POST", f"{base}/programs.json", self.create),
            ("GET", f"{base}/program/byName.json", self.by_name),
            ("GET", f"{base}/program/byTag.json", self.by_tag),
            ("GET", f"{base}/program/{{id}}.json", self.get),
            ("POST", f"{base}/program/{{id}}.json", self.update),
            ("POST", f"{base}/program/{{id}}/delete.json", self.delete),
            ("POST", f"{base}/program/{{id}}/tag/{{name}}.json", self.set_tag),
            ("POST", f"{base}/program/{{id}}/tag/{{name}}/delete.json", self.delete_tag),
            ("GET", f"{base}/channels.json", self.channels),
            ("GET", f"{base}/channel/byName.json", self.channel_by_name),
            ("GET", f"{base}/tagTypes.json", self.tag_types),
            ("GET", f"{base}/tagType/byName.json", self.tag_by_name),
        ]

    def browse(self, call: Call) -> Answer:
        """Without tags and costs; an update's time decides within the two bounds."""
        rows = self.instance.store.table(PROGRAM).items()
        wanted, values = call.params.get("filterType"), set(call.listed("filterValues"))
        status = call.params.get("status")
        found = [
            program_shown(key, row, tags=False, costs=False)
            for key, row in rows
            if asset_api.updated_within(call, row["updatedAt"])
            and (not status or row.get("status", "") == status)
            and _passes(wanted, values, key, row)
        ]
        return asset_api.page(call, found)

    def get(self, call: Call) -> Answer:
        row = self.instance.store.table(PROGRAM).get(call.path_args[0])
        return asset_api.answer([program_shown(call.path_args[0], row)] if row is not None else [])

    def by_name(self, call: Call) -> Answer:
        table, name = self.instance.store.table(PROGRAM), call.required("name")
        if "," in name:
            return asset_api.answer([])  # names with commas can't be searched
        tags, costs = (call.params.get(one, "").lower() == "true" for one in ("includeTags", "includeCosts"))
        found = table.find(("name",), (name,))
        return asset_api.answer([program_shown(key, table.get(key) or {}, tags=tags, costs=costs) for key in found])

    def by_tag(self, call: Call) -> Answer:
        pair = {"tagType": call.required("tagType"), "tagValue": call.required("tagValue")}
        rows = self.instance.store.table(PROGRAM).items()
        return asset_api.page(call, [program_shown(key, row) for key, row in rows if pair in (row.get("tags") or [])])

    def create(self, call: Call) -> Answer:
        folder, kind = asset_api.folder_of(call), _TYPES.get(call.required("type").lower())
        if kind is None:
            raise ApiError("1003", f"Invalid value for type: {call.params['type']}")
        with self.instance.section() as section:
            made = {"name": call.required("name"), "type": kind[0], "channel": call.required("channel"), "folder": list(folder)}
            made |= {"description": call.params.get("description", "")} | _dates(call) | _tags_and_costs(call, section.store, {})
            key = programs.create(section, made, call.origin("createProgram"))
        return asset_api.answer([program_shown(key, self.instance.store.table(PROGRAM).get(key) or {})])

    def update(self, call: Call) -> Answer:
        """Only words, dates, tags and costs: channel and type stay as they are."""
        key = call.path_args[0]
        row = self._known(key)
        table = self.instance.store.table(PROGRAM)
        after: Row = {name: call.params[name] for name in ("name", "description") if call.params.get(name)}
        if "name" in after and any(found != key for found in table.find(("name",), (after["name"],))):
            raise ApiError("709", "Program name already exists")
        after |= _dates(call) | _tags_and_costs(call, self.instance.store, row)
        after = {name: value for name, value in after.items() if row.get(name) != value}
        with self.instance.section() as section:
            if after:
                before = {name: row.get(name) for name in after}
                section.add("update", PROGRAM, key, call.origin("updateProgram"), before=before, after=after)
        return asset_api.answer([program_shown(key, self._known(key))])

    def delete(self, call: Call) -> Answer:
        key = call.path_args[0]
        row, origin = self._known(key), call.origin("deleteProgram")
        with self.instance.section() as section:
            members = section.store.table(PROGRAM_MEMBER)
            for member in members.find(("programId",), (key,)):
                section.add("delete", PROGRAM_MEMBER, member, origin, before=members.get(member), after=None)
            section.add("delete", PROGRAM, key, origin, before=row, after=None)
        return asset_api.answer([{"id": int(key)}])

    def set_tag(self, call: Call) -> Answer:
        key, tag_type = call.path_args
        value = call.required("tagValue")
        _check_tag(tag_type, value)
        return self._tagged(call, key, [{"tagType": tag_type, "tagValue": value}])

    def delete_tag(self, call: Call) -> Answer:
        return self._tagged(call, call.path_args[0], [])

    def _tagged(self, call: Call, key: str, new: list[dict[str, Any]]) -> Answer:
        old = self._known(key).get("tags")
        tags = [tag for tag in old or [] if tag["tagType"] != call.path_args[1]] + new
        with self.instance.section() as section:
            section.add("update", PROGRAM, key, call.origin("updateProgram"), before={"tags": old}, after={"tags": tags})
        return asset_api.answer([{"id": int(key)}])

    def channels(self, call: Call) -> Answer:
        return asset_api.page(call, [_channel(row) for row in programs.channels(self.instance.store).values()])

    def channel_by_name(self, call: Call) -> Answer:
        row = programs.channels(self.instance.store).get(call.required("name"))
        return asset_api.answer([_channel(row)] if row is not None else [])

    def tag_types(self, call: Call) -> Answer:
        return asset_api.page(call, [_tag(name) for name in TAG_TYPES])

    def tag_by_name(self, call: Call) -> Answer:
        name = call.required("name")
        return asset_api.answer([_tag(name)] if name in TAG_TYPES else [])

    def _known(self, key: str) -> Row:
        row = self.instance.store.table(PROGRAM).get(key)
        if row is None:
            raise ApiError("702", f"Program with id '{key}' not found")
        return row


def _passes(by: str | None, values: set[str], key: str, row: Row) -> bool:
    match by:
        case None | "":
            return True
        case "id" | "programId":
            return key in values
        case "folderId":
            return str(row["folder"][0]) in values
        case "workspace":
            return "Default" in values
        case _:
            raise ApiError("1011", f"Filter type '{by}' is not supported")


def _dates(call: Call) -> Row:
    found: Row = {}
    for name in ("startDate", "endDate"):
        if text := call.params.get(name):
            parse_datetime(text)
            found[name] = text
    return found


def _tags_and_costs(call: Call, store: Store, row: Row) -> Row:
    found: Row = {}
    if (tags := asset_api.listed(call, "tags")) is not None:
        for tag in tags:
            _check_tag(str(tag.get("tagType")), str(tag.get("tagValue")))
        found["tags"] = tags
    costs = asset_api.listed(call, "costs")
    replace = call.params.get("costsDestructiveUpdate", "").lower() == "true"
    if costs is not None or replace:
        try:
            made = [
                {
                    "startDate": stored(_DAY, one.get("startDate"), store.zone),
                    "cost": stored(_COST, one.get("cost"), store.zone),
                    "note": one.get("note"),
                }
                for one in costs or []
            ]
        except RecordError as error:
            raise ApiError(error.code, error.message) from error
        found["costs"] = made if replace else [*(row.get("costs") or []), *made]
    return found


def _check_tag(tag_type: str, value: str) -> None:
    if value not in TAG_TYPES.get(tag_type, ()):
        raise ApiError("709", f"Invalid tag '{tag_type}': '{value}'")


def program_shown(key: str, row: Row, *, tags: bool = True, costs: bool = True) -> dict[str, Any]:
    number, kind = row["folder"]
    _, prefix, suffix = next(one for one in _TYPES.values() if one[0] == row["type"])
    shown = {
        "id": int(key),
        "name": row["name"],
        "description": row.get("description", ""),
        "createdAt": time_of(row["createdAt"]),
        "updatedAt": time_of(row["updatedAt"]),
        "url": f"https://app-sandbox.marketo.com/#{prefix}{key}{suffix}1",
        "type": row["type"],
        "channel": row["channel"],
        "folder": {"type": kind, "value": number, "folderName": row.get("folderName", "Marketing Programs")},
        "status": row.get("status", ""),
        "workspace": "Default",
    }
    shown |= {name: row[name] for name in ("startDate", "endDate") if row.get(name)}
    if tags:
        shown["tags"] = row.get("tags") or []
    if costs:
        shown["costs"] = [{name: value for name, value in cost.items() if value is not None} for cost in row.get("costs") or []]
    return {**shown, "headStart": False}


def _channel(row: Row) -> dict[str, Any]:
    return {**row, "createdAt": time_of(row["createdAt"]), "updatedAt": time_of(row["updatedAt"])}


def _tag(name: str) -> dict[str, Any]:
    return {
        "tagType": name,
        "applicableProgramTypes": "program,event,nurture,email",
        "required": False,
        "allowableValues": list(TAG_TYPES[name]),
    }
