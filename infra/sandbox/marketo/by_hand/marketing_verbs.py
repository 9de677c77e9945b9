"""Control verbs for what marketers and administrators set up: programs, channels, members, lists, companies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.sandbox.kernel.system import Verb, VerbRefusedError
from infra.sandbox.marketo.assets import lists, smart_lists
from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.by_hand.bodies import by_hand, member, taking_object
from infra.sandbox.marketo.objects import objects
from infra.sandbox.marketo.programs import members, programs
from infra.sandbox.marketo.state.fields import stored
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.kinds import Kind, standard_kinds
from infra.sandbox.marketo.state.store import PROGRAM, SMART_LIST


@dataclass(frozen=True, slots=True)
class MarketingVerbs:
    instance: Instance

    def table(self) -> Mapping[str, Verb]:
        return {
            "list/create": taking_object(self.create_list),
            "smart_list/create": taking_object(self.create_smart_list),
            "list/add": taking_object(self.add_to_list),
            "list/remove": taking_object(self.remove_from_list),
            "channel": taking_object(self.channel),
            "program/create": taking_object(self.create_program),
            "program/cost": taking_object(self.add_cost),
            "program/status": taking_object(self.set_status),
            "program/member": taking_object(self.edit_member),
            "program/remove": taking_object(self.remove_member),
            "record/edit": taking_object(self.edit_record),
            "record/delete": taking_object(self.delete_record),
        }

    def create_list(self, body: Mapping[str, Any]) -> Any:
        """{"name", "user"?} -> {"id"}"""
        with self.instance.section() as section:
            return {"id": lists.create(section, member(body, "name", str), by_hand(body, "Lists"))}

    def create_smart_list(self, body: Mapping[str, Any]) -> Any:
        """{"name", "field", "values": [...], "folder"? (15), "user"?} -> {"id"}: the people whose field has one of the values."""
        field, table = member(body, "field", str), self.instance.store.table(SMART_LIST)
        if field not in self.instance.store.fields:
            raise VerbRefusedError(f"no field {field!r}")
        after = {"name": member(body, "name", str), "field": field, "values": member(body, "values", list)}
        if table.find(("name",), (after["name"],)):
            raise VerbRefusedError(f"there is a smart list {after['name']!r}")
        with self.instance.section() as section:
            key = str(max(table.next_id, smart_lists.FIRST_ID))
            folder = {"folder": [body.get("folder", 15), "Folder"]}
            section.add("create", SMART_LIST, key, by_hand(body, "Lists"), before=None, after=after | folder)
        return {"id": int(key)}

    def add_to_list(self, body: Mapping[str, Any]) -> Any:
        """{"list", "ids": [...], "user"?} -> {"added": N}"""
        list_id, origin = member(body, "list", int), by_hand(body, "Manual add to list")
        lists.known(self.instance.store, list_id)
        with self.instance.section() as section:
            return {"added": sum(lists.add(section, list_id, lead_id, origin) for lead_id in member(body, "ids", list))}

    def remove_from_list(self, body: Mapping[str, Any]) -> Any:
        """{"list", "ids": [...], "user"?} -> {"removed": N}"""
        list_id, origin = member(body, "list", int), by_hand(body, "Manual remove from list")
        with self.instance.section() as section:
            for lead_id in member(body, "ids", list):
                lists.remove(section, list_id, lead_id, origin)
        return {"removed": len(body["ids"])}

    def channel(self, body: Mapping[str, Any]) -> Any:
        """{"name", "type": "program" / "event" / "nurture" / "email", "statuses": [{"name", "step", "success"?}, ...]}: adds a channel or
        changes the statuses of one; members keep what they have."""
        name, kind = member(body, "name", str), body.get("type", "program")
        if kind not in {"program", "event", "nurture", "email"}:
            raise VerbRefusedError("type: program, event, nurture or email expected")
        known = programs.channels(self.instance.store)
        statuses = [{"name": programs.NOT_IN_PROGRAM, "description": None, "hidden": False, "step": 0, "success": False}]
        for one in member(body, "statuses", list):
            if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or not isinstance(one.get("step"), int):
                raise VerbRefusedError("statuses: objects with name and step expected")
            shown = {"name": one["name"], "description": None, "hidden": False, "step": one["step"], "success": bool(one.get("success"))}
            statuses.append(shown)
        number = known[name]["id"] if name in known else max(row["id"] for row in known.values()) + 1
        after = {"id": number, "name": name, "applicableProgramType": kind, "progressionStatuses": statuses}
        with self.instance.section() as section:
            row = section.store.table("Channel").get(name)
            op, before = ("create", None) if row is None else ("update", {one: row.get(one) for one in after})
            section.add(op, "Channel", name, by_hand(body, "Admin"), before=before, after=after)
        return after

    def create_program(self, body: Mapping[str, Any]) -> Any:
        """{"name", "type"? ("Default"), "channel"? ("Online Advertising"), "folder"? (15), "user"?} -> {"id"}"""
        made = {
            "name": member(body, "name", str),
            "type": body.get("type", "Default"),
            "channel": body.get("channel", "Online Advertising"),
        }
        if made["type"] not in programs.KINDS:
            raise VerbRefusedError(f"type: one of {', '.join(programs.KINDS)} expected")
        with self.instance.section() as section:
            made |= {"folder": [body.get("folder", 15), "Folder"], "description": body.get("description", "")}
            return {"id": int(programs.create(section, made, by_hand(body, "Marketing activities")))}

    def set_status(self, body: Mapping[str, Any]) -> Any:
        """{"program", "ids": [...], "status", "user"?, "campaign"?} -> {"created", "updated"}: forward only, as everywhere."""
        program_id, status, origin = member(body, "program", int), member(body, "status", str), by_hand(body, "Manual status change")
        with self.instance.section() as section:
            done = [members.set_status(section, program_id, lead_id, status, origin) for lead_id in member(body, "ids", list)]
        return {"created": done.count("created"), "updated": done.count("updated")}

    def edit_member(self, body: Mapping[str, Any]) -> Any:
        """{"program", "id", "fields", "user"?} -> {"changed"}: a member's own fields."""
        values, origin = member(body, "fields", dict), by_hand(body, "Manual person edit")
        with self.instance.section() as section:
            return {"changed": members.set_data(section, member(body, "program", int), member(body, "id", int), values, origin)}

    def remove_member(self, body: Mapping[str, Any]) -> Any:
        """{"program", "ids": [...], "user"?} -> {"removed"}"""
        with self.instance.section() as section:
            for lead_id in member(body, "ids", list):
                members.remove(section, member(body, "program", int), lead_id, by_hand(body, "Manual remove"))
        return {"removed": len(body["ids"])}

    def add_cost(self, body: Mapping[str, Any]) -> Any:
        """{"program", "startDate", "cost", "note"?, "user"?} -> {"costs": N}: one more period cost of a program."""
        key, cost = str(member(body, "program", int)), member(body, "cost", int)
        row = programs.known(self.instance.store, key)
        made = {"startDate": member(body, "startDate", str), "cost": cost, "note": body.get("note")}
        costs = [*(row.get("costs") or []), made]
        with self.instance.section() as section:
            before = {"costs": row.get("costs")}
            section.add("update", PROGRAM, key, by_hand(body, "Setup"), before=before, after={"costs": costs})
        return {"costs": len(costs)}

    def edit_record(self, body: Mapping[str, Any]) -> Any:
        """{"object": "Company" / "SalesPerson" / "Opportunity", "id", "fields", "user"?} -> {"changed"}"""
        store, (kind, key) = self.instance.store, self._record(body)
        values = {}
        for field, value in member(body, "fields", dict).items():
            if field not in kind.fields or kind.fields[field].read_only or field in kind.dedupe:
                raise VerbRefusedError(f"no field {field!r} to change")
            values[field] = stored(kind.fields[field], value, store.zone)
        with self.instance.section() as section:
            return {"changed": objects.change(section, kind, key, values, by_hand(body, "Lead update"))}

    def delete_record(self, body: Mapping[str, Any]) -> Any:
        """{"object": "Company" / "SalesPerson" / "Opportunity", "id", "user"?} -> {"deleted"}"""
        kind, key = self._record(body)
        with self.instance.section() as section:
            try:
                objects.delete(section, kind, key, by_hand(body, "Record delete"))
            except RecordError as error:
                raise VerbRefusedError(str(error)) from error
        return {"deleted": key}

    def _record(self, body: Mapping[str, Any]) -> tuple[Kind, str]:
        """Which record is meant."""
        store, name = self.instance.store, member(body, "object", str)
        if name not in standard_kinds():
            raise VerbRefusedError(f"object: one of {', '.join(standard_kinds())} expected")
        key, kind = str(body.get("id")), store.kind(name)
        if key not in store.table(kind.name):
            raise VerbRefusedError(f"no {kind.name} {key!r}")
        return kind, key
