"""Programs and their channels (Asset API, programs, channels)."""

from collections.abc import Mapping
from typing import Any

from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import PROGRAM, Store

NOT_IN_PROGRAM = "Not in Program"
CHANNEL_TYPES = {"Default": "program", "Event": "event", "Event with Webinar": "event", "Engagement": "nurture", "Email": "email"}
KINDS = tuple(CHANNEL_TYPES)


def _channel(number: int, name: str, kind: str, *statuses: tuple[str, int, bool]) -> dict[str, Any]:
    steps = [(NOT_IN_PROGRAM, 0, False), *statuses]
    shown = [{"name": one, "description": None, "hidden": False, "step": step, "success": success} for one, step, success in steps]
    at = "2024-01-01T00:00:00Z"
    return {"id": number, "name": name, "applicableProgramType": kind, "progressionStatuses": shown, "createdAt": at, "updatedAt": at}


CHANNELS: Mapping[str, Row] = {
    one["name"]: one
    for one in (
        _channel(1, "Webinar", "event", ("Invited", 10, False), ("Registered", 20, False), ("No Show", 30, False), ("Attended", 40, True)),
        _channel(4, "Online Advertising", "program", ("Clicked", 10, False), ("Member", 20, False), ("Influenced", 30, True)),
        _channel(6, "Email Send", "email", ("Sent", 10, False), ("Opened", 20, False), ("Clicked", 30, True)),
        _channel(8, "Nurture", "nurture", ("Member", 10, False), ("Engaged", 20, True)),
        _channel(10, "Operational", "program", ("Member", 10, False)),
        _channel(12, "Tradeshow", "event", ("Invited", 10, False), ("Visited Booth", 20, False), ("Influenced", 30, True)),
    )
}
"""Channels of a fresh instance; an administrator adds others (control verb `channel`)."""


def channels(store: Store) -> dict[str, Row]:
    return {**CHANNELS, **dict(store.table("Channel").items())}


def known(store: Store, program_id: int | str) -> Row:
    """ApiError 1013 for a program that there is not."""
    row = store.table(PROGRAM).get(str(program_id))
    if row is None:
        raise ApiError("1013", f"Program '{program_id}' not found")
    return row


def create(section: Section, made: Row, origin: Origin) -> str:
    """Creates a program. ApiError 709 for a name that is taken, 711 for a channel of another type, 1013 for an unknown one."""
    table = section.store.table(PROGRAM)
    channel = channels(section.store).get(made["channel"])
    if channel is None:
        raise ApiError("1013", f"Channel '{made['channel']}' not found")
    if channel["applicableProgramType"] != CHANNEL_TYPES[made["type"]]:
        raise ApiError("709", f"Channel '{made['channel']}' does not apply to programs of type '{made['type']}'")
    if table.find(("name",), (made["name"],)):
        raise ApiError("709", "Program name already exists")
    key = str(max(table.next_id, 1001))
    section.add("create", PROGRAM, key, origin, before=None, after=made)
    return key
