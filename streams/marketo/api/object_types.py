"""Types of custom objects: what one looks like, and the steps that make one (draft, fields, approval)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.budget.port import Lane
from streams.marketo.api.calling import Calling, shape
from streams.marketo.api.session import Call
from streams.wire.errors import Reject

_NOT_FOUND = frozenset({"1013", "610", "702"})
_BASE = "/rest/v1/customobjects/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeField:
    """A field of a type. `related`: of a link, the object that it names and the field there."""

    name: str
    label: str
    type: str
    related: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """A type as Marketo tells it. `state`: draft, approved, approvedWithDraft; `fields` are those of the version that was asked for."""

    name: str
    label: str
    state: str
    key: tuple[str, ...]
    fields: Mapping[str, TypeField] = field(default_factory=dict)


class MarketoObjectTypes:
    """Typed calls. Raises the errors of `streams.wire.errors` and nothing else; each step can be repeated, and is refused where it was
    made already. `Fatal` 616: this subscription has no such interface."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    async def all(self, lane: Lane = Lane.LIVE) -> list[ObjectType]:
        """Every type, those that people have made by hand, too."""
        answer = await self._calling.get(f"{_BASE}.json", {}, lane)
        with shape("custom object types"):
            return [_type(row) for row in answer.result]

    async def one(self, name: str, *, draft: bool = False, lane: Lane = Lane.LIVE) -> ObjectType | None:
        """A type, its draft if asked for; None where there is none."""
        try:
            answer = await self._calling.get(f"{_BASE}/{name}/describe.json", {"state": "draft"} if draft else {}, lane)
        except Reject as error:
            if error.code in _NOT_FOUND:
                return None
            raise
        with shape(f"describe type {name}"):
            return _type(answer.result[0]) if answer.result else None

    async def create(self, name: str, label: str, plural: str, description: str, lane: Lane = Lane.LIVE) -> None:
        """A draft without fields."""
        body = {"displayName": label, "apiName": name, "pluralName": plural, "description": description, "showInLeadDetail": True}
        await self._post(".json", {"action": "createOnly", **body}, lane)

    async def add(self, name: str, fields: Sequence[TypeField], key: Sequence[str], lane: Lane = Lane.LIVE) -> None:
        """Fields of the draft; of a type that is approved this begins one. `key`: which of them name a record."""
        await self._post(f"/{name}/addField.json", {"input": [_told(each, each.name in key) for each in fields]}, lane)

    async def approve(self, name: str, lane: Lane = Lane.LIVE) -> None:
        """The draft becomes the version in use."""
        await self._post(f"/{name}/approve.json", None, lane)

    async def discard(self, name: str, lane: Lane = Lane.LIVE) -> None:
        """Away with the draft; of a type that was never approved, with the type."""
        await self._post(f"/{name}/discardDraft.json", None, lane)

    async def _post(self, path: str, body: Mapping[str, Any] | None, lane: Lane) -> None:
        await self._calling.call(Call(method="POST", path=f"{_BASE}{path}", body=orjson.dumps(body or {}), write=True), lane)


def _told(each: TypeField, is_key: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"name": each.name, "displayName": each.label, "dataType": each.type}
    if each.related is not None:
        told["relatedTo"] = {"name": each.related[0], "field": each.related[1]}
    return {**told, "isDedupeField": True} if is_key else told


def _type(row: Mapping[str, Any]) -> ObjectType:
    links = {str(each["field"]): each.get("relatedTo") or each.get("object") for each in row.get("relationships") or ()}
    related = {name: (str(each["name"]).lower(), str(each["field"])) for name, each in links.items() if each}
    fields = [
        TypeField(
            name=str(each["name"]), label=str(each["displayName"]), type=str(each["dataType"]), related=related.get(str(each["name"]))
        )
        for each in row.get("fields") or ()
    ]
    return ObjectType(
        name=str(row["apiName"]),
        label=str(row.get("displayName") or ""),
        state=str(row["state"]),
        key=tuple(str(name) for name in row.get("dedupeFields") or ()),
        fields={each.name: each for each in fields},
    )
