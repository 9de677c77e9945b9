"""Control verbs: what a person does at Marketo's user interface, and what an administrator sets up."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.kernel.system import Verb, VerbRefusedError
from infra.sandbox.marketo import people
from infra.sandbox.marketo.activities import Origin
from infra.sandbox.marketo.errors import ApiError, RecordError
from infra.sandbox.marketo.fields import Value
from infra.sandbox.marketo.instance import OPERATOR, Instance
from infra.sandbox.marketo.limits import Limits
from infra.sandbox.marketo.normalisers import Normaliser
from infra.sandbox.marketo.schema_endpoints import create_field
from infra.sandbox.marketo.store import Settings

_LOAD_CHUNK_ROWS = 500


@dataclass(frozen=True, slots=True)
class Verbs:
    instance: Instance
    limits: Limits

    def table(self) -> Mapping[str, Verb]:
        return {
            "person/create": _object(self.create),
            "person/edit": _object(self.edit),
            "person/delete": _object(self.delete),
            "person/merge": _object(self.merge),
            "field/create": _object(self.create_field),
            "field/block": _object(self.block),
            "normaliser": _object(self.normalise),
            "activity_attributes": _object(self.deliver_attributes),
            "limits": _object(self.set_limits),
            "load": self.load,
        }

    def create(self, body: Mapping[str, Any]) -> Any:
        """{"fields": {...}, "user"?} -> {"id"}"""
        with self.instance.section() as section:
            values = people.checked(section.store, _member(body, "fields", dict))
            return {"id": people.create(section, values, _by_hand(body, "New lead"))}

    def edit(self, body: Mapping[str, Any]) -> Any:
        """{"id", "fields": {...}, "user"?, "campaign"?} -> {"id", "changed"}. With a campaign id it is a flow step's doing."""
        lead_id = self._known(_member(body, "id", int))
        with self.instance.section() as section:
            values = people.checked(section.store, _member(body, "fields", dict))
            return {"id": lead_id, "changed": people.change(section, lead_id, values, _by_hand(body, "Lead update"))}

    def delete(self, body: Mapping[str, Any]) -> Any:
        """{"ids": [...], "user"?} -> {"deleted": N}"""
        ids = [self._known(lead_id) for lead_id in _member(body, "ids", list)]
        with self.instance.section() as section:
            for lead_id in dict.fromkeys(ids):
                people.delete(section, lead_id, _by_hand(body, "Lead delete"))
        return {"deleted": len(set(ids))}

    def merge(self, body: Mapping[str, Any]) -> Any:
        """{"winner", "losers": [...], "user"?} -> {"id"}"""
        with self.instance.section() as section:
            people.merge(section, _member(body, "winner", int), _member(body, "losers", list), _by_hand(body, "Merge leads"))
        return {"id": body["winner"]}

    def create_field(self, body: Mapping[str, Any]) -> Any:
        """{"name", "displayName", "dataType"} -> {"name", "status"}"""
        with self.instance.section() as section:
            return create_field(section, dict(body), _by_hand(body, "Field management"))

    def block(self, body: Mapping[str, Any]) -> Any:
        """{"field", "blocked": true|false}: against the API, a blocked field keeps the value it has."""
        name = _member(body, "field", str)
        self._field(name)
        blocked = {*self.instance.store.settings.blocked} - {name} | ({name} if body.get("blocked", True) else set())
        return self._set(blocked=sorted(blocked))

    def normalise(self, body: Mapping[str, Any]) -> Any:
        """A rule (see Normaliser), replacing the field's former one; {"field", "how": null} takes it away."""
        name = _member(body, "field", str)
        self._field(name)
        rules = [rule for rule in self.instance.store.settings.normalisers if rule.field != name]
        if body.get("how") is not None:
            try:
                rules.append(msgspec.convert(dict(body), Normaliser))
            except msgspec.ValidationError as error:
                raise VerbRefusedError(str(error)) from error
        return self._set(normalisers=rules)

    def deliver_attributes(self, body: Mapping[str, Any]) -> Any:
        """{"deliver": true|false}: whether activities name the API method, the modifying user and the request."""
        return self._set(deliver_attributes=_member(body, "deliver", bool))

    def set_limits(self, body: Mapping[str, Any]) -> Any:
        """{"calls_per_20s"?, "concurrency"?, "daily"?} -> the limits; until the process ends."""
        for name in ("calls_per_20s", "concurrency", "daily"):
            if name in body:
                setattr(self.limits, name, _member(body, name, int))
        return self.limits.report(self.instance.clock.now_ms())["limits"]

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


def _object(verb: Callable[[Mapping[str, Any]], Any]) -> Verb:
    async def run(body: bytes) -> Any:
        try:
            decoded = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as error:
            raise VerbRefusedError(f"not JSON: {error}") from error
        if not isinstance(decoded, dict):
            raise VerbRefusedError("an object is expected")
        try:
            return verb(decoded)
        except (RecordError, ApiError) as error:
            raise VerbRefusedError(str(error)) from error

    return run


def _member(body: Mapping[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise VerbRefusedError(f"{name}: {kind.__name__} expected")
    return value


def _by_hand(body: Mapping[str, Any], source: str) -> Origin:
    actor = str(body.get("user") or OPERATOR)
    campaign = body.get("campaign")
    if campaign is None:
        return Origin(actor=actor, source=source, reason="Manual person edit")
    reason = "Changed by Smart Campaign Run Action Change Data Value"
    return Origin(actor=f"smart-campaign-{campaign}", source="Marketo Flow Action", reason=reason, campaign=int(campaign))
