"""The systems' own histories, and what they say both systems hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.demo.checker.table import ACTIVITY, ACTIVITY_OF, ENTRIES, IN_MARKETO, MARKETO, SALESFORCE

Values = Mapping[str, Any]
Key = tuple[str, str]
"""(object, id) of a record, by its own system's name of the object: ("Contact", id), in Marketo ("Lead", id) of a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One accepted change. `n` orders the lines of one system; between the two systems only `at_ms` tells (one machine, one clock)."""

    n: int
    at_ms: int
    system: str
    actor: str
    op: str
    object: str
    id: str
    before: Values | None
    after: Values | None

    @property
    def key(self) -> Key:
        return (self.object, self.id)


def line(raw: Mapping[str, Any]) -> Line:
    """A line of `GET /history`."""
    at_ms = round(datetime.fromisoformat(raw["at"]).timestamp() * 1000)
    return Line(
        n=raw["n"], at_ms=at_ms, system=raw["system"], actor=raw["actor"], op=raw["op"], object=raw["object"], id=str(raw["id"]),
        before=raw["before"], after=raw["after"],
    )  # fmt: skip


def compared(item: Line) -> bool:
    """Whether it is about a record of a kind that is compared."""
    return item.object in ENTRIES if item.system == SALESFORCE else item.object in IN_MARKETO


def told(item: Line) -> bool:
    """Whether it is about a task or a meeting, or an activity in somebody's history, which are compared by what was said of them."""
    return item.object in ACTIVITY_OF if item.system == SALESFORCE else item.object == ACTIVITY


@dataclass(slots=True)
class Mirror:
    """Both systems as their histories tell them: the live records now, and every line about what is compared, oldest first."""

    live: dict[str, dict[Key, dict[str, Any]]] = field(default_factory=lambda: {SALESFORCE: {}, MARKETO: {}})
    lines: list[Line] = field(default_factory=list)
    diary: list[Line] = field(default_factory=list)
    """Every line about tasks, meetings and activities, oldest first."""
    last_n: int = 0
    by_record: dict[tuple[str, Key], list[Line]] = field(default_factory=dict)

    def take(self, items: Iterable[Line]) -> int:
        """Follows more history; returns how many lines were about what is compared."""
        taken = 0
        for item in items:
            self.last_n = max(self.last_n, item.n)
            if compared(item):
                self._apply(item)
                taken += 1
            elif told(item):
                self.diary.append(item)
                taken += 1
        return taken

    def lines_of(self, system: str, key: Key) -> list[Line]:
        """All changes of one record, oldest first."""
        return self.by_record.get((system, key), [])

    def ids_ever(self, system: str, object_name: str) -> list[str]:
        """Every id that a record of this object ever had there, gone ones included."""
        return [key[1] for where, key in self.by_record if where == system and key[0] == object_name]

    def _apply(self, item: Line) -> None:
        self.lines.append(item)
        self.by_record.setdefault((item.system, item.key), []).append(item)
        records = self.live[item.system]
        if item.after is None:
            records.pop(item.key, None)
        elif item.before is None or item.key not in records:
            records[item.key] = {name: value for name, value in item.after.items() if value is not None}
        else:
            records[item.key].update(item.after)
