"""Events of Adobe's data stream of lead activities, as hints (Adobe I/O Events, Marketo lead activity data stream). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.marketo.sources.push.hints import Hint
from streams.marketo.sources.push.webhook import UnreadableError
from streams.marketo.sources.rows import FEED, MEMBERS

_LOOKED_AT = frozenset({*map(int, FEED), *MEMBERS})


@dataclass(slots=True, kw_only=True)
class Told:
    """What a delivery is about. `other_instances`: of this Adobe organisation, but not the one that is kept in step; `other_clients`: of
    another project of it, for whom these are not meant; `passed_over`: of kinds that the activity log is not read for, or unreadable."""

    hints: list[Hint] = field(default_factory=list)
    other_instances: int = 0
    other_clients: int = 0
    passed_over: int = 0


def events_in(body: bytes) -> list[Any]:
    """The events of a delivery: one, or a list of them. Raises `UnreadableError`."""
    try:
        told: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise UnreadableError("the body is no JSON") from None
    return told if isinstance(told, list) else [told]


def told_by(events: Iterable[Any], *, client_id: str, munchkin_id: str) -> Told:
    """What these events hint at, if they are for this client (a project in the developer console) and of this instance."""
    told = Told()
    for event in events:
        data = event.get("data") if isinstance(event, dict) else None
        if not isinstance(data, dict):
            told.passed_over += 1
        elif event.get("recipientclientid", event.get("recipient_client_id")) != client_id:
            told.other_clients += 1
        elif str(data.get("munchkinId", "")).casefold() != munchkin_id.casefold():
            told.other_instances += 1
        elif data.get("activityTypeId") not in _LOOKED_AT or not str(data.get("leadId", "")).isdecimal():
            told.passed_over += 1
        else:
            told.hints.append(Hint(str(int(data["leadId"])), str(event.get("id") or "")))
    return told
