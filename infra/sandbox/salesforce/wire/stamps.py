"""Times as the data API writes them: second resolution, `2026-08-10T01:02:03.000+0000` (Object Reference, system fields)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_ZONE = re.compile(r"([+-]\d{2})(\d{2})$")
_FORMAT = "%Y-%m-%dT%H:%M:%S.000+0000"


def stamp_of(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime(_FORMAT)


def parse_stamp(text: str) -> str | None:
    """A client's ISO date-time as stored (UTC, milliseconds cut off); None when it is none. A time without zone is read as UTC."""
    try:
        moment = datetime.fromisoformat(_ZONE.sub(r"\1:\2", text))
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.strftime(_FORMAT)


def ms_of(stamp: str) -> int:
    """The inverse of `stamp_of`."""
    return int(datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()) * 1000


def event_time(stamp: str) -> str:
    """The form in change events: `2026-08-10T01:02:03.000Z` (Streaming API guide, change events as JSON)."""
    return stamp[:23] + "Z"


def http_ms(header: str | None) -> int | None:
    """The time of an HTTP date header; None for none, or one that can't be read."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
