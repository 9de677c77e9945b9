"""Scripted faults: what to do to which calls, how often.

A fault is `{"match": {"method", "path", "actor"}, "action": {"type": ..., ...}, "times": N}`. `path` is a glob (`*`, `?`); `re:` before
it, a regular expression; an absent key matches everything. `times` is how many calls it hits (default 1; null: until it is deleted).
"""

import fnmatch
import random
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

CALL_TYPES = frozenset(
    {"latency", "lose_answer", "lose_request", "reset", "half_answer", "html_502", "status", "burst_5xx", "timeout"},
)
"""What can happen to any HTTP call; `kernel.wire` carries them out."""


class FaultRefusedError(ValueError):
    """The fault as posted makes no sense; the text says why."""


@dataclass(slots=True, kw_only=True)
class Fault:
    id: str
    type: str
    action: Mapping[str, Any]
    method: str | None = None
    path: str | None = None
    actor: str | None = None
    times: int | None = 1
    hits: int = 0

    def matches(self, method: str, path: str, actor: str) -> bool:
        if self.method is not None and self.method.upper() != method.upper():
            return False
        if self.actor is not None and self.actor != actor:
            return False
        if self.path is None:
            return True
        if self.path.startswith("re:"):
            return re.match(self.path[3:], path) is not None
        return fnmatch.fnmatchcase(path, self.path)

    def describe(self) -> dict[str, Any]:
        match = {key: value for key, value in (("method", self.method), ("path", self.path), ("actor", self.actor)) if value is not None}
        return {"id": self.id, "match": match, "action": dict(self.action), "times": self.times, "hits": self.hits}


@dataclass(slots=True, kw_only=True)
class CallFaults:
    """What hits one call: the sum of the matching latencies and at most one other fault."""

    delay_ms: float = 0.0
    fault: Fault | None = None


@dataclass(slots=True)
class FaultBoard:
    """The standing faults of one system, in the order in which they were posted."""

    prefix: str
    """Ids look like `marketo-1`: the gateway finds the system by the part before the dash."""
    call_types: frozenset[str] = CALL_TYPES
    """CALL_TYPES plus what the system itself does to a call (`marketo_error`, `record_errors` ...)."""
    other_types: frozenset[str] = frozenset()
    """What is not about one call (`mute`, `drop` ... of a stream); taken with `take`."""
    dice: random.Random = field(default_factory=random.Random)
    _faults: dict[str, Fault] = field(default_factory=dict)
    _posted: int = 0

    def post(self, body: Mapping[str, Any]) -> Fault:
        """Adds a fault. Raises FaultRefusedError for an unknown type or a malformed member."""
        action, match, times = body.get("action"), body.get("match") or {}, body.get("times", 1)
        if isinstance(action, str):
            action = {"type": action}
        if not isinstance(action, Mapping) or not isinstance(action.get("type"), str):
            raise FaultRefusedError("action must be an object with a type")
        known = self.call_types | self.other_types
        if action["type"] not in known:
            raise FaultRefusedError(f"unknown fault type {action['type']!r}; known here: {', '.join(sorted(known))}")
        if not isinstance(match, Mapping) or set(match) - {"method", "path", "actor"}:
            raise FaultRefusedError("match takes method, path, actor")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise FaultRefusedError("times is a positive number, or null for until deleted")
        self._posted += 1
        fault = Fault(
            id=f"{self.prefix}-{self._posted}",
            type=action["type"],
            action=dict(action),
            method=match.get("method"),
            path=match.get("path"),
            actor=match.get("actor"),
            times=times,
        )
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: str) -> bool:
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._faults.clear()

    def standing(self) -> list[dict[str, Any]]:
        return [fault.describe() for fault in self._faults.values()]

    def for_call(self, method: str, path: str, actor: str) -> CallFaults:
        """Consumes and returns what hits this call: every matching latency, and the first matching fault of another call type."""
        if not self._faults:
            return CallFaults()
        found = CallFaults()
        for fault in self._matching(self.call_types, method, path, actor):
            if fault.type == "latency":
                jitter = float(fault.action.get("jitter_ms", 0))
                found.delay_ms += max(0.0, float(fault.action.get("ms", 0)) + self.dice.uniform(-jitter, jitter))
            elif found.fault is None:
                found.fault = fault
            else:
                continue
            self._hit(fault)
        return found

    def take(self, types: Collection[str], *, method: str = "", path: str = "", actor: str = "") -> Fault | None:
        """Consumes and returns the first standing fault of these types, or None."""
        if not self._faults:
            return None
        for fault in self._matching(types, method, path, actor):
            self._hit(fault)
            return fault
        return None

    def peek(self, types: Collection[str], *, method: str = "", path: str = "", actor: str = "") -> Fault | None:
        """As `take`, without using it up (a standing state such as `mute`)."""
        return next(iter(self._matching(types, method, path, actor)), None)

    def _matching(self, types: Collection[str], method: str, path: str, actor: str) -> Iterable[Fault]:
        return [fault for fault in self._faults.values() if fault.type in types and fault.matches(method, path, actor)]

    def _hit(self, fault: Fault) -> None:
        fault.hits += 1
        if fault.times is not None and fault.hits >= fault.times:
            self._faults.pop(fault.id, None)
