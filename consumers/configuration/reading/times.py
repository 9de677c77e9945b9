"""Settings of time: durations with their unit, time zones."""

import re
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from consumers.configuration.reading.places import Invalid, Place, Reading
from consumers.configuration.reading.types import REFERENCE_SCHEMA, resolved

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time with its unit; read as seconds."""

    doc: str
    least: str
    most: str

    def read(self, place: Place, reading: Reading) -> float:
        """Seconds."""
        text = resolved(place, reading).strip()
        found = _DURATION.fullmatch(text)
        if not found:
            raise Invalid(place, f"{text!r} is not a duration; write a number and a unit (ms, s, m, h, d), such as 5m")
        if not duration(self.least) <= duration(text) <= duration(self.most):
            raise Invalid(place, f"{text} is out of range; from {self.least} to {self.most} is possible")
        return duration(text)

    def schema(self) -> dict[str, Any]:
        """A string with a unit."""
        return {"anyOf": [{"type": "string", "pattern": f"^{_DURATION.pattern}$"}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return f"a duration from {self.least} to {self.most}"


def duration(text: str) -> float:
    """Seconds of a well-formed duration."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"not a duration: {text!r}")
    return round(float(found[1]) * _UNITS[found[2]], 6)


def duration_text(seconds: float) -> str:
    """Seconds as a duration in the largest unit that divides them."""
    for unit in ("d", "h", "m", "s", "ms"):
        count = seconds / _UNITS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9:
            return f"{round(count)}{unit}"
    return "0s"


@dataclass(frozen=True, slots=True)
class TimeZone:
    """The name of a time zone."""

    doc: str

    def read(self, place: Place, reading: Reading) -> str:
        """An IANA name that this machine knows."""
        text = resolved(place, reading).strip()
        try:
            ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise Invalid(place, f"{text!r} is not a time zone; use an IANA name such as UTC or America/Chicago") from error
        return text

    def schema(self) -> dict[str, Any]:
        """A string."""
        return {"anyOf": [{"type": "string"}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return "IANA time zone"
