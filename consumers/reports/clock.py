"""Moments as people read them: in a time zone of theirs, and with its name."""

from datetime import datetime, tzinfo


def moment(ms: int, zone: tzinfo | None = None) -> str:
    """Date and time to the second. `zone`: the reader's; None: that of the machine."""
    told = datetime.fromtimestamp(ms / 1000, zone).astimezone(zone)
    return f"{told:%Y-%m-%d %H:%M:%S} {told.tzname()}"


def time_of_day(ms: int, now_ms: int, zone: tzinfo | None = None) -> str:
    """The time to the minute, with the date unless it is today's."""
    told, now = (datetime.fromtimestamp(each / 1000, zone).astimezone(zone) for each in (ms, now_ms))
    date = "" if told.date() == now.date() else f"{told:%Y-%m-%d} "
    return f"{date}{told:%H:%M} {told.tzname()}"
