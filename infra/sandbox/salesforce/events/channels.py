"""Channels of change events: who may subscribe, what each carries, and how an event looks on it (CDC guide, subscription channels, event
enrichment, event filters). CometD and Pub/Sub API deliver the same."""

from __future__ import annotations

import functools
from typing import Any

import orjson

from infra.sandbox.salesforce.access.views import Permissions, View
from infra.sandbox.salesforce.events.changes import event_path, event_value, without_fields
from infra.sandbox.salesforce.events.log import Event
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType, Row, Schema
from infra.sandbox.salesforce.soql.binding import Binding, Predicate
from infra.sandbox.salesforce.soql.grammar.parser import parse_condition
from infra.sandbox.salesforce.soql.grammar.query import And, Comparison, Condition, Not, Or, Path
from infra.sandbox.salesforce.state.members import Member
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import ApiError
from infra.sandbox.salesforce.wire.stamps import parse_stamp

EVERY_ENTITY = "ChangeEvents"
NEEDS_VIEW_ALL_DATA = frozenset({"Task", "Event"})
ENRICHED_MAX = 10
_HEADER = ("entityName", "changeType", "changeOrigin", "transactionKey", "commitUser", "sequenceNumber", "commitTimestamp", "commitNumber")
_NUMBERS = frozenset({"sequenceNumber", "commitTimestamp", "commitNumber"})


class ChannelError(Exception):
    """A channel that can't be subscribed to: there is none of that name, or the user may not."""

    def __init__(self, *, denied: bool) -> None:
        super().__init__("denied" if denied else "absent")
        self.denied = denied


def entities_of(org: State, user_id: str, name: str) -> frozenset[str]:
    """The entities whose events the user gets on the channel (its name without `/data/`). A multi-entity channel leaves out in silence
    what isn't permitted; a single-entity channel refuses (CDC guide, required permissions). Raises `ChannelError`."""
    kind = org.schema.by_change_event.get(name)
    if kind is not None and kind.captured:
        if not permitted(org, user_id, kind.name):
            raise ChannelError(denied=True)
        return frozenset({kind.name})
    if name == EVERY_ENTITY:
        wanted = {each.name for each in org.schema.objects.values() if each.captured}
    elif name in org.channels:
        wanted = org.channels[name]
    else:
        raise ChannelError(denied=False)
    return frozenset(each for each in wanted if permitted(org, user_id, each))


def permitted(org: State, user_id: str, entity: str) -> bool:
    right = org.permissions.object_right(user_id, entity)
    return right.readable and (right.view_all if entity not in NEEDS_VIEW_ALL_DATA else org.permissions.sees_all_data(user_id))


def carries(org: State, name: str, entities: frozenset[str], entity: str) -> bool:
    if name == EVERY_ENTITY and entity not in org.standard_entities:
        return False
    return entity in entities


def payloads(org: State, user_id: str, name: str, event: Event) -> list[bytes]:
    """The event as this user gets it on this channel: filtered, enriched with present values, without what he may not read. An enriched
    event of several records is one for each, under the same replay id."""
    kind = org.schema.objects[event.entity]
    bodies = [event.body]
    member = org.member_of(name, event.entity)
    if member is not None and (member.enriched or member.filter):
        bodies = [body for body in _ungrouped(event.body) if _passes(org, kind, member, body)]
        bodies = [_enriched(org, kind, member, body) for body in bodies]
    seen = org.view(user_id).object(event.entity)
    if seen is not None and seen.hidden:
        bodies = [without_fields(body, kind, seen.hidden) for body in bodies]
    return bodies


def check_member(org: State, kind: ObjectType, member: Member) -> None:
    """Raises `ApiError` for an enrichment or a filter that the real org refuses."""
    if len(member.enriched) > ENRICHED_MAX:
        raise ApiError(400, "INVALID_INPUT", f"You can select up to {ENRICHED_MAX} fields for enrichment")
    for each in member.enriched:
        field = kind.fields.get(each) or next((one for one in kind.fields.values() if one.compound == each), None)
        if field is None or field.formula or (field.kind is Kind.TEXTAREA and field.length > 255):
            raise ApiError(400, "INVALID_INPUT", f"The field {each} can't be used for enrichment")
    if member.filter is not None:
        _filter(org, kind, member.filter)


def _ungrouped(body: bytes) -> list[bytes]:
    payload = orjson.loads(body)
    ids = payload["ChangeEventHeader"]["recordIds"]
    if len(ids) < 2:
        return [body]
    return [orjson.dumps({**payload, "ChangeEventHeader": {**payload["ChangeEventHeader"], "recordIds": [each]}}) for each in ids]


def _passes(org: State, kind: ObjectType, member: Member, body: bytes) -> bool:
    if member.filter is None:
        return True
    payload = orjson.loads(body)
    header = payload["ChangeEventHeader"]
    row: Row = dict(org.store.row(header["recordIds"][0]) or {})
    for name, field in kind.fields.items():
        here: Any = payload
        for step in event_path(kind, field):
            here = here.get(step) if isinstance(here, dict) else None
        if here is not None and not isinstance(here, dict):
            row[name] = parse_stamp(here) if field.kind is Kind.DATETIME else here
    row |= {f"header_{name}": header.get(name) for name in _HEADER}
    return _filter(org, kind, member.filter)(row)


def _enriched(org: State, kind: ObjectType, member: Member, body: bytes) -> bytes:
    payload = orjson.loads(body)
    header = payload["ChangeEventHeader"]
    if header["changeType"] not in ("UPDATE", "DELETE"):
        return body
    row = org.store.row(header["recordIds"][0]) or {}
    names = [*member.enriched, *(() if member.filter is None else _fields_of(parse_condition(member.filter)))]
    for field in kind.fields.values():
        if field.name not in names and field.compound not in names:
            continue
        value = event_value(field, row.get(field.name))
        if value is None or field.derived:
            continue
        *parents, last = event_path(kind, field)
        here = payload
        for each in parents:
            here = here.setdefault(each, {})
        here.setdefault(last, value)
    return orjson.dumps(payload)


def _filter(org: State, kind: ObjectType, text: str) -> Predicate:
    return _compiled(kind.name, text, len(kind.fields), org)


@functools.lru_cache(maxsize=64)
def _compiled(_entity: str, text: str, _fields: int, org: State) -> Predicate:
    """The filter over a row of the entity's fields and `header_...`: SOQL conditions with `ChangeEventHeader.changeType` and the like."""
    kind = org.schema.objects[_entity]
    header = {
        f"header_{name}": Field(name=f"header_{name}", kind=Kind.DOUBLE if name in _NUMBERS else Kind.STRING, length=255)
        for name in _HEADER
    }
    view = View(
        Schema([ObjectType(name=kind.name, prefix=kind.prefix, label=kind.label, fields={**kind.fields, **header})]), Permissions(), ""
    )
    return Binding(text, view, kind.name, lambda _: None, org.today).predicate(_renamed(parse_condition(text)))


def _renamed(condition: Condition) -> Condition:
    match condition:
        case Comparison(path, operator, values) if path.names[0] == "ChangeEventHeader":
            return Comparison(Path((f"header_{'.'.join(path.names[1:])}",), path.at), operator, values)
        case Comparison():
            return condition
        case Not(inner):
            return Not(_renamed(inner))
        case And(parts):
            return And(tuple(_renamed(part) for part in parts))
        case Or(parts):
            return Or(tuple(_renamed(part) for part in parts))


def _fields_of(condition: Condition) -> list[str]:
    match condition:
        case Comparison(path):
            return [] if path.names[0] == "ChangeEventHeader" else [path.names[-1]]
        case Not(inner):
            return _fields_of(inner)
        case And(parts) | Or(parts):
            return [name for part in parts for name in _fields_of(part)]
