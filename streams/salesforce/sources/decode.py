"""A CometD message of Change Data Capture, as change events. Pure; malformed input is a case, not an exception.

Shapes follow the CDC guide: change event header, body fields by change type, compound fields, merged events, gap and overflow
events, data differences.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.salesforce.api.entity import LIFECYCLE, Entity
from streams.salesforce.api.money import Money
from streams.wire.errors import Cause
from streams.wire.events import ChangeEvent, DeadLetter, Happened, Value
from streams.wire.systems import Object, RecordId, System, salesforce_id

STAGE = "salesforce.cdc"
Fields = Mapping[Object, frozenset[str]]

_KINDS = {
    "CREATE": Happened.CREATED,
    "UPDATE": Happened.UPDATED,
    "DELETE": Happened.DELETED,
    "UNDELETE": Happened.UNDELETED,
    "GAP_CREATE": Happened.GAP,
    "GAP_UPDATE": Happened.GAP,
    "GAP_DELETE": Happened.GAP,
    "GAP_UNDELETE": Happened.GAP,
}
_OVERFLOW = "GAP_OVERFLOW"
_COMPONENTS = frozenset(
    {
        "Salutation", "FirstName", "MiddleName", "LastName", "Suffix", "InformalName", "Street", "City", "State", "PostalCode", "Country",
        "StateCode", "CountryCode", "Latitude", "Longitude", "GeocodeAccuracy",
    }
)  # fmt: skip
_MOMENT_MAX, _PLACE_MAX = 253_402_300_800_000, 2**63
"""The year 10000, ms; the end of a replay id."""
_TRANSACTION_MS = 3_600_000
"""How long before its commit a very large transaction may have stamped its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """An entity of which the feed lost track: everything changed since `since_ms` must be read (0: everything)."""

    object: Object
    since_ms: int
    reason: str
    cause: Cause = Cause.OVERFLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What one message says. `replay_id` is None when the message doesn't tell; `ignored` names an entity that isn't ours."""

    replay_id: int | None
    at: int = 0
    events: list[ChangeEvent] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    hole: Hole | None = None
    ignored: str = ""


class _MalformedError(ValueError):
    """The message can't be used; the text says why."""


def decode_message(
    message: Mapping[str, Any], entities: Mapping[str, Entity], fields: Fields | None = None, epoch: int = 0, money: Money | None = None
) -> Decoded:  # fmt: skip
    """The change events in one message of the stream: one for each record, in the order of `recordIds`.

    `entities`: ours, by API name. `epoch`: which numbering the replay ids belong to.
    `fields`: those wanted of each object (None: all), nothing of an object that isn't named. An update of none is no event.
    A field whose value the feed can't show whole (a text difference, a list) is left out and a `GAP` event for the record follows; so is
    a changed amount of a record in one of several currencies (`money`): which one it is, the rest of the record tells.
    """
    replay_id = _replay_id(message)
    try:
        return _decode(message, replay_id, entities, fields, epoch, money=money)
    except _MalformedError as error:
        reason = f"change event of the Salesforce stream can't be used: {error}. Read the record again or replay after a fix."
        return Decoded(replay_id=replay_id, dead=[DeadLetter(stage=STAGE, reason=reason, original=orjson.dumps(message, default=repr))])


def flatten(body: Mapping[str, Any]) -> tuple[dict[str, Value], set[str]]:
    """Body fields by the names that the object's own fields have, and the fields whose value the body doesn't show whole.

    `Name.FirstName` -> `FirstName`; `MailingAddress.Street` -> `MailingStreet`; a lead's `Address.Street` -> `Street`;
    parts of custom compound fields `Home__c.City` -> `Home__City__s` (CDC guide, "get compound fields").
    """
    flat: dict[str, Value] = {}
    unseen: set[str] = set()
    for key, value in body.items():
        if value is None or isinstance(value, str | int | float | bool):
            flat[key] = value
        elif isinstance(value, dict) and value and value.keys() <= _COMPONENTS:
            for part, inner in value.items():
                target = _component(key, part)
                if inner is None or isinstance(inner, str | int | float | bool):
                    flat[target] = inner
                else:
                    unseen.add(target)
        else:
            unseen.add(key)
    return flat, unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What the records of one message have in common."""

    object: Object
    kind: Happened
    at: int
    seq: int
    epoch: int
    header: Mapping[str, Any]
    fields: dict[str, Value]
    unseen: bool
    """A wanted field's value isn't shown whole."""
    told: bool
    """Worth an event although no wanted field is in it."""
    into: tuple[str, str]
    """What the records are part of from now on: `ChangeEvent.into`, `into_object`."""


def _decode(
    message: Mapping[str, Any], replay_id: int | None, entities: Mapping[str, Entity], fields: Fields | None, epoch: int, *,
    money: Money | None,
) -> Decoded:  # fmt: skip
    header, body = _parts(message)
    at = _at(header)
    entity = entities.get(header["entityName"])
    if entity is None or (fields is not None and entity.object not in fields):
        return Decoded(replay_id=replay_id, at=at, ignored=header["entityName"])
    ids, change = _record_ids(header), header.get("changeType")
    if replay_id is None:
        raise _MalformedError("data.event.replayId is missing")
    if at <= 0:
        raise _MalformedError("commitTimestamp is missing")
    obj, hole = entity.object, _hole(entity.object, change, ids, at)
    if hole is not None:
        return Decoded(replay_id=replay_id, at=at, hole=hole)
    kind = _KINDS.get(change) if isinstance(change, str) else None
    if kind is None:
        raise _MalformedError(f"changeType {change!r} is not one that the guide names")
    flat, unseen = _wanted(body, None if fields is None else _kept(entity, fields))
    flat = entity.worked_out(flat) if entity.either else flat
    if money is not None:
        flat, untold = _in_one_currency(money, obj, kind, flat)
        unseen = unseen or untold
    into = entity.into(flat)
    told = fields is None or kind is not Happened.UPDATED or bool(flat)
    common = _Change(
        object=obj, kind=kind, at=at, seq=replay_id, epoch=epoch, header=header, fields=flat, unseen=unseen, told=told, into=into
    )  # fmt: skip
    events: list[ChangeEvent] = []
    dead: list[DeadLetter] = []
    for each in ids:
        record = _id_or_none(each)
        if record is None:
            dead.append(_bad_id(each, message))
        else:
            events.extend(_events_of(record, common))
    return Decoded(replay_id=replay_id, at=at, events=events, dead=dead)


def _in_one_currency(money: Money, obj: Object, kind: Happened, flat: dict[str, Value]) -> tuple[dict[str, Value], bool]:
    """A new record is told whole; of a change, amounts are left out, and whether there were any."""
    if kind is Happened.CREATED:
        return money.told(obj, flat), False
    touched = money.touched(obj, flat)
    return ({name: value for name, value in flat.items() if name not in touched}, True) if touched else (flat, False)


def _hole(obj: Object, change: object, ids: list[str], at: int) -> Hole | None:
    if change == _OVERFLOW:
        return Hole(object=obj, since_ms=max(1, at - _TRANSACTION_MS), reason="more than 100,000 changes in one transaction")
    if any(each.endswith("*") for each in ids):
        return Hole(object=obj, since_ms=0, reason="a field's type was changed with loss of data", cause=Cause.WILDCARD)
    return None


def _kept(entity: Entity, fields: Fields) -> frozenset[str]:
    wanted = fields.get(entity.object, frozenset())
    for behind in entity.either.values():
        wanted = wanted.union(behind.values())
    return wanted.union(LIFECYCLE) if entity.converts else wanted


def _wanted(body: Mapping[str, Any], kept: frozenset[str] | None) -> tuple[dict[str, Value], bool]:
    flat, unseen = flatten(body)
    if kept is None:
        return flat, bool(unseen)
    # a compound of unknown shape counts: any of its parts may be wanted
    missed = any(each in kept or each == "Name" or each.endswith("Address") for each in unseen)
    if "Name" in kept and isinstance(body.get("Name"), dict):  # of a person's name only the parts are told that were changed
        missed = True
    return {key: value for key, value in flat.items() if key in kept}, missed


def _events_of(record: RecordId, common: _Change) -> list[ChangeEvent]:
    found = [_event(record, common, common.kind)] if common.told else []
    return [*found, _event(record, common, Happened.GAP)] if common.unseen and common.kind is not Happened.GAP else found


def _event(record: RecordId, common: _Change, kind: Happened) -> ChangeEvent:
    header = common.header
    user, call, origin = header.get("commitUser"), header.get("transactionKey"), header.get("changeOrigin")
    return ChangeEvent(
        system=System.SALESFORCE,
        object=common.object,
        id=record,
        kind=kind,
        source="cdc",
        at=common.at,
        seq=common.seq,
        epoch=common.epoch,
        author=_id_or_none(user) if isinstance(user, str) else None,
        call=str(call) if call else None,
        origin=str(origin) if origin else None,
        fields={} if kind is Happened.GAP else common.fields,
        into="" if kind is Happened.GAP else common.into[0],
        into_object="" if kind is Happened.GAP else common.into[1],
    )


def _parts(message: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    data = message.get("data")
    payload = data.get("payload") if isinstance(data, dict) else None
    if not isinstance(payload, dict):
        told = data.get("unreadable") if isinstance(data, dict) else None
        raise _MalformedError(str(told or "data.payload is missing"))
    header = payload.get("ChangeEventHeader")
    if not isinstance(header, dict):
        raise _MalformedError("ChangeEventHeader is missing")
    if not isinstance(header.get("entityName"), str):
        raise _MalformedError("entityName is missing")
    return header, {key: value for key, value in payload.items() if key != "ChangeEventHeader"}


def _replay_id(message: Mapping[str, Any]) -> int | None:
    data = message.get("data")
    event = data.get("event") if isinstance(data, dict) else None
    found = event.get("replayId") if isinstance(event, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _PLACE_MAX else None


def _at(header: Mapping[str, Any]) -> int:
    stamp = header.get("commitTimestamp")
    return stamp if isinstance(stamp, int) and not isinstance(stamp, bool) and stamp < _MOMENT_MAX else 0


def _record_ids(header: Mapping[str, Any]) -> list[str]:
    ids = header.get("recordIds")
    if not isinstance(ids, list) or not ids or not all(isinstance(each, str) for each in ids):
        raise _MalformedError("recordIds is missing or empty")
    return list(dict.fromkeys(ids))


def _id_or_none(text: str) -> RecordId | None:
    try:
        return salesforce_id(text)
    except ValueError:
        return None


def _component(compound: str, part: str) -> str:
    if compound.endswith("__c"):
        return f"{compound[:-1]}{part}__s"
    if compound.endswith("Address"):
        return compound.removesuffix("Address") + part
    return part


def _bad_id(text: str, message: Mapping[str, Any]) -> DeadLetter:
    reason = f"change event names a record {text[:24]!r}, which is not a Salesforce id; its other records were taken."
    return DeadLetter(stage=STAGE, reason=reason, original=orjson.dumps(message, default=repr))
