"""Control verbs: what a person does at Marketo's user interface, and what an administrator sets up."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.kernel.system import Verb, VerbRefusedError
from infra.sandbox.marketo.border import permissions
from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.border.limits import LIMITS, Limits
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.by_hand.bodies import by_hand, member, taking_object
from infra.sandbox.marketo.by_hand.marketing_verbs import MarketingVerbs
from infra.sandbox.marketo.by_hand.push_verbs import PushVerbs
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.people.custom_fields import create_by_hand
from infra.sandbox.marketo.state.fields import Value
from infra.sandbox.marketo.state.instance import OPERATOR, Instance
from infra.sandbox.marketo.state.kinds import COMPANY, OPPORTUNITY
from infra.sandbox.marketo.state.normalisers import Normaliser
from infra.sandbox.marketo.state.settings import Settings
from infra.sandbox.marketo.state.store import LEAD

OPTIONS = (
    *("native_sync", "corona", "object_schema_api", "activity_ids", "partitions", "bulk"),
    *("people_pages_say_more", "score_changes", "equal_status", "merged_scores", "company_fields_by_lead", "unknown_companies"),
    "bulk_deletions",
)
_LOAD_CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True)
class Verbs:
    instance: Instance
    limits: Limits
    push: PushVerbs

    def table(self) -> Mapping[str, Verb]:
        return {
            "person/create": taking_object(self.create),
            "person/edit": taking_object(self.edit),
            "person/delete": taking_object(self.delete),
            "person/merge": taking_object(self.merge),
            "corrupt": taking_object(self.corrupt),
            "field/create": taking_object(self.create_field),
            "field/block": taking_object(self.block),
            "normaliser": taking_object(self.normalise),
            "permissions": taking_object(self.permit),
            "activity_attributes": taking_object(self.deliver_attributes),
            "limits": taking_object(self.set_limits),
            "options": taking_object(self.set_options),
            "load": self.load,
            **MarketingVerbs(self.instance).table(),
            **self.push.table(),
        }

    def create(self, body: Mapping[str, Any]) -> Any:
        """{"fields": {...}, "user"?} -> {"id"}"""
        with self.instance.section() as section:
            values = people.checked(section.store, member(body, "fields", dict))
            return {"id": people.create(section, values, by_hand(body, "New lead"))}

    def edit(self, body: Mapping[str, Any]) -> Any:
        """{"id", "fields": {...}, "user"?, "campaign"?} -> {"id", "changed"}. With a campaign id it is a flow step's doing."""
        lead_id = self._known(member(body, "id", int))
        with self.instance.section() as section:
            values = people.checked(section.store, member(body, "fields", dict))
            return {"id": lead_id, "changed": people.change(section, lead_id, values, by_hand(body, "Lead update"))}

    def delete(self, body: Mapping[str, Any]) -> Any:
        """{"ids": [...], "user"?} -> {"deleted": N}"""
        ids = [self._known(lead_id) for lead_id in member(body, "ids", list)]
        with self.instance.section() as section:
            for lead_id in dict.fromkeys(ids):
                people.delete(section, lead_id, by_hand(body, "Lead delete"))
        return {"deleted": len(set(ids))}

    def merge(self, body: Mapping[str, Any]) -> Any:
        """{"winner", "losers": [...], "user"?} -> {"id"}"""
        with self.instance.section() as section:
            people.merge(section, member(body, "winner", int), member(body, "losers", list), by_hand(body, "Merge leads"))
        return {"id": body["winner"]}

    def corrupt(self, body: Mapping[str, Any]) -> Any:
        """{"object"? ("Lead"), "records": [{"id", "fields"}, ...]} -> {"corrupted"}: other values than were saved, as after a damaged
        disk. No stamp, no activity, no trigger: only the history says so (`corrupt`)."""
        store, now_ms, kind = self.instance.store, self.instance.clock.now_ms(), body.get("object", LEAD)
        entries = []
        for record in member(body, "records", list):
            row = store.person(self._known(int(record["id"]))) if kind == LEAD else store.table(kind).get(str(record["id"]))
            if row is None:
                raise VerbRefusedError(f"no {kind} {record['id']}")
            fields = dict(record["fields"])
            before = {name: row.get(name) for name in fields}
            entries.append(Entry(now_ms, "sandbox", "corrupt", kind, str(record["id"]), before, fields, extra={}))
        self.instance.journal.append(entries)
        for entry in entries:
            store.apply(entry)
        return {"corrupted": len(entries)}

    def create_field(self, body: Mapping[str, Any]) -> Any:
        """{"name", "displayName", "dataType", "object"? ("Lead", "Company", "Opportunity")} -> {"name", "status"}"""
        target = body.get("object", LEAD)
        if target not in (LEAD, COMPANY, OPPORTUNITY):
            raise VerbRefusedError(f"object: {LEAD}, {COMPANY} or {OPPORTUNITY} expected")
        with self.instance.section() as section:
            return create_by_hand(section, target, dict(body), by_hand(body, "Field management"))

    def block(self, body: Mapping[str, Any]) -> Any:
        """{"field", "blocked": true|false}: against the API, a blocked field keeps the value it has."""
        name = member(body, "field", str)
        self._field(name)
        blocked = {*self.instance.store.settings.blocked} - {name} | ({name} if body.get("blocked", True) else set())
        return self._set(blocked=sorted(blocked))

    def normalise(self, body: Mapping[str, Any]) -> Any:
        """A rule (see Normaliser), replacing the field's former one; {"field", "how": null} takes it away."""
        name = member(body, "field", str)
        self._field(name)
        rules = [rule for rule in self.instance.store.settings.normalisers if rule.field != name]
        if body.get("how") is not None:
            try:
                rules.append(msgspec.convert(dict(body), Normaliser))
            except msgspec.ValidationError as error:
                raise VerbRefusedError(str(error)) from error
        return self._set(normalisers=rules)

    def permit(self, body: Mapping[str, Any]) -> Any:
        """{"user", "permissions": [...] or null, "without": [...]?} -> what the API user may do from now on: the permissions of a role;
        null, and an API user at first, is all of them."""
        user, names, less = member(body, "user", str), body.get("permissions"), body.get("without", [])
        for given in (names or [], less):
            if not isinstance(given, list) or permissions.unknown(map(str, given)):
                raise VerbRefusedError(f"permissions: a list of {', '.join(sorted(permissions.PERMISSIONS))} expected")
        held = sorted({*(permissions.PERMISSIONS if names is None else names)} - {*less})
        roles = {name: role for name, role in self.instance.store.settings.roles.items() if name != user}
        self._set(roles=roles if names is None and not less else {**roles, user: held})
        return {"user": user, "permissions": held}

    def deliver_attributes(self, body: Mapping[str, Any]) -> Any:
        """{"deliver": true|false}: whether activities name the API method, the modifying user and the request."""
        return self._set(deliver_attributes=member(body, "deliver", bool))

    def set_limits(self, body: Mapping[str, Any]) -> Any:
        """{"calls_per_20s"?, "concurrency"?, "daily"?} -> the limits."""
        wanted = {name: member(body, name, int) for name in LIMITS if name in body}
        self._set(limits={**self.instance.store.settings.limits, **wanted})
        self.limits.set(wanted)
        return self.limits.report(self.instance.clock.now_ms())["limits"]

    def set_options(self, body: Mapping[str, Any]) -> Any:
        """Any of OPTIONS: see Settings and BulkSettings; a part of `bulk` leaves the rest of it."""
        settings = self.instance.store.settings
        changes = {name: body[name] for name in OPTIONS if name in body}
        if unknown := set(body) - set(OPTIONS):
            raise VerbRefusedError(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(OPTIONS)}")
        if isinstance(changes.get("bulk"), Mapping):
            changes["bulk"] = {**msgspec.to_builtins(settings.bulk), **changes["bulk"]}
        try:
            checked = msgspec.convert({**msgspec.to_builtins(settings), **changes}, Settings)
        except msgspec.ValidationError as error:
            raise VerbRefusedError(str(error)) from error
        return self._set(**{name: getattr(checked, name) for name in changes})

    async def load(self, body: bytes) -> Any:
        """NDJSON, a person a line (REST names): creates them all, past the API's limits; other calls go on meanwhile. All lines are
        checked first.
        """
        lines = [line for line in body.splitlines() if line.strip()]
        rows: list[dict[str, Value]] = []
        for start in range(0, len(lines), _LOAD_CHUNK_ROWS):
            rows += self._checked(lines[start : start + _LOAD_CHUNK_ROWS])
            await asyncio.sleep(0)
        origin = Origin(actor=OPERATOR, source="List import", reason="List import")
        ids: list[int] = []
        for start in range(0, len(rows), _LOAD_CHUNK_ROWS):
            with self.instance.section() as section:
                ids.extend(people.create(section, row, origin) for row in rows[start : start + _LOAD_CHUNK_ROWS])
            await asyncio.sleep(0)
        return {"loaded": len(ids), "first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}

    def _checked(self, lines: Sequence[bytes]) -> list[dict[str, Value]]:
        try:
            return [people.checked(self.instance.store, orjson.loads(line)) for line in lines]
        except (orjson.JSONDecodeError, RecordError, AttributeError) as error:
            raise VerbRefusedError(f"a line can't be loaded: {error}") from error

    def _known(self, lead_id: Any) -> int:
        if isinstance(lead_id, bool) or not isinstance(lead_id, int) or self.instance.store.person(lead_id) is None:
            raise VerbRefusedError(f"no person {lead_id!r}")
        return lead_id

    def _field(self, name: str) -> None:
        if name not in self.instance.store.fields:
            raise VerbRefusedError(f"no field {name!r}")

    def _set(self, **changes: Any) -> Any:
        wanted: Settings = msgspec.structs.replace(self.instance.store.settings, **changes)
        after = msgspec.to_builtins(wanted)
        with self.instance.section() as section:
            section.put(Entry(section.now_ms, OPERATOR, "_settings", "Settings", "", None, after))
        return after
