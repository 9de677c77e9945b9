"""What keeps a change back though nothing of the record itself does: a system that takes no calls, somebody who has paused it, a field that
can't be seen any more."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from consumers.mapping.fields import SyncRules
from consumers.reports.clock import moment
from consumers.reports.records.plain import NAMES
from consumers.reports.records.record import Mark, RecordShown, SideShown
from consumers.troubles.ledger import Expected, calls_short
from streams.wire.systems import Object, System

_GONE = "select system, object, name, gone_ms from known_fields where gone_ms > 0 and object = any($1::text[])"
_WAITING = frozenset({Mark.OWED, Mark.LOST})
"""How a side stands that will be written to as soon as its system takes a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacles:
    """`calls`: why a system takes none, in a sentence; `hidden`: by object, system and Marketo's name of the field: since when (ms)."""

    calls: Mapping[System, str]
    hidden: Mapping[tuple[Object, System, str], int]


async def obstacles(connection: Any, expected: Expected, rules: SyncRules, objects: Collection[Object]) -> Obstacles:
    """What stands in the way now. `objects`: those of Salesforce whose fields are looked at."""
    calls = {}
    for trouble in await calls_short(connection, expected):
        system = System(trouble.where.removeprefix("calls."))
        calls[system] = trouble.what + (f"; tried again at {moment(trouble.again_ms)}" if trouble.again_ms else "")
    gone = {(row["object"], row["system"], row["name"]): row["gone_ms"] for row in await connection.fetch(_GONE, [*map(str, objects)])}
    hidden = {
        (obj, system, item.key): gone[str(obj), str(system), item.name_on(system)]
        for obj in objects
        for item in rules.objects[obj].fields
        for system in System
        if (str(obj), str(system), item.name_on(system)) in gone
    }
    return Obstacles(calls=calls, hidden=hidden)


def kept_back(record: RecordShown, key: str | None, found: Obstacles) -> tuple[str, ...]:
    """The sentences about this field; None: about all of them."""
    fields = [each for each in record.fields if key in (None, each.field)]
    told = []
    reasons = [(system, f"since {why}") for system, why in found.calls.items()]
    reasons += [(each.system, f"for {each}, since {moment(each.since_ms)}") for each in record.pauses]
    for system, why in reasons:
        sides = [each.salesforce if system is System.SALESFORCE else each.marketo for each in fields]
        if _waits(record, system, sides):
            told.append(f"Now: it waits, {why}.")
    for each in fields:
        told += _unseen(record, each.field, found)
    return tuple(told)


def _waits(record: RecordShown, system: System, sides: list[SideShown]) -> bool:
    missing = not (record.salesforce_id if system is System.SALESFORCE else record.marketo_id)
    return missing or any(side.mark in _WAITING for side in sides)


def _unseen(record: RecordShown, key: str, found: Obstacles) -> Iterator[str]:
    for system in System:
        since = found.hidden.get((Object(record.object), system, key))
        if since:
            yield (
                f"Now: {NAMES[system]} shows no {key} since {moment(since)}: it is hidden from Tandem's user or removed there, so no "
                f"change of it is told or written (tandem visibility)."
            )
