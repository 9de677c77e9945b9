"""Moments as people write them on a command line."""

from datetime import datetime, tzinfo

from consumers.configuration.reading.times import duration

_END_MS = 253_402_214_400_000
"""The last day of the year 9999, after which no calendar of ours tells a date."""


class NoMoment(ValueError):  # noqa: N818 - an answer to the operator, not a failure
    """The text is no moment; the message says what is."""


def moment_of(text: str, now_ms: int, zone: tzinfo | None = None) -> int:
    """Milliseconds since the epoch of `2h` (ago), or of a date with or without a time. `zone`: of what names none; None: the machine's.

    Raises `NoMoment`, also for one before 1970 or after 9999.
    """
    at_ms = _told(text.strip(), now_ms, zone)
    if at_ms is None or not 0 <= at_ms < _END_MS:
        raise NoMoment(f"{text!r} is no moment; write how long ago (90s, 2h, 7d) or a date such as 2026-11-29T08:00")
    return at_ms


def _told(text: str, now_ms: int, zone: tzinfo | None) -> int | None:
    try:
        return now_ms - round(duration(text) * 1000)
    except ValueError:
        pass  # no duration: a date, or nothing
    except OverflowError:
        return None
    try:
        told = datetime.fromisoformat(text)
        return round((told if told.tzinfo else told.replace(tzinfo=zone) if zone else told.astimezone()).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
