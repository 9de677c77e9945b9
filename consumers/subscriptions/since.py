"""Moments as people write them on a command line."""

from datetime import datetime, tzinfo

from consumers.configuration.reading.times import duration


class NoMoment(ValueError):  # noqa: N818 - an answer to the operator, not a failure
    """The text is no moment; the message says what is."""


def moment_of(text: str, now_ms: int, zone: tzinfo | None = None) -> int:
    """Milliseconds since the epoch of `2h` (ago), or of a date with or without a time. `zone`: of what names none; None: the machine's.

    Raises `NoMoment`.
    """
    try:
        return now_ms - round(duration(text.strip()) * 1000)
    except ValueError:
        pass  # no duration: a date, or nothing
    try:
        told = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NoMoment(f"{text!r} is no moment; write how long ago (90s, 2h, 7d) or a date such as 2026-11-29T08:00") from None
    return round((told if told.tzinfo else told.replace(tzinfo=zone) if zone else told.astimezone()).timestamp() * 1000)
