"""The event bus: change events in the order of commit, kept for 72 hours, each with a replay id that grows but not by one."""

from __future__ import annotations

import os
import random
import tempfile
from bisect import bisect_right
from collections.abc import Callable

import msgspec

from infra.sandbox.kernel.journal import Entry

RETENTION_MS = 72 * 3600 * 1000
DAY_MS = 24 * 3600 * 1000


class Event(msgspec.Struct, array_like=True):
    """One change event. `visible` says whether it may be delivered yet (a fault may hold it back); it is not durable."""

    replay_id: int
    at_ms: int
    entity: str
    body: bytes
    visible: Callable[[], bool] | None = None
    place: tuple[int, int] | None = None
    """Offset and length of a body that lies in the overflow file and not here."""


BODIES_KEPT = 50_000
"""So many of the latest bodies stay in memory; a bulk load of a million records would else fill it."""
_SPILLED_AT_ONCE = 5_000


class EventLog:
    """Events by replay id. `listeners` are called after each publication; they must not block."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._events: list[Event] = []
        self._replay_ids: list[int] = []
        self.last_replay_id = dice.randrange(1_000_000, 9_000_000)
        self.listeners: set[Callable[[], None]] = set()
        self._overflow = tempfile.TemporaryFile()  # noqa: SIM115 - gone with the process: the journal has the events
        self._overflow_size = 0
        self._spilled = 0

    def next_replay_ids(self, count: int) -> list[int]:
        """Ids for the events about to be published: increasing, not contiguous (Streaming API guide, message durability)."""
        found, last = [], self.last_replay_id
        for _ in range(count):
            last += self._dice.choice((1, 1, 2, 3, 7))
            found.append(last)
        return found

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._replay_ids.append(event.replay_id)
        self.last_replay_id = event.replay_id
        if len(self._events) - self._spilled >= BODIES_KEPT + _SPILLED_AT_ONCE:
            self._spill()

    def wake(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    def forget_before(self, now_ms: int) -> None:
        """Drops what is older than the retention; cheap when there is nothing to drop."""
        if not self._events or self._events[0].at_ms >= now_ms - RETENTION_MS:
            return
        keep = next((i for i, event in enumerate(self._events) if event.at_ms >= now_ms - RETENTION_MS), len(self._events))
        del self._events[:keep]
        del self._replay_ids[:keep]
        self._spilled = max(0, self._spilled - keep)

    def holds(self, replay_id: int) -> bool:
        """Whether that event is still kept: only then can a subscriber go on after it."""
        place = bisect_right(self._replay_ids, replay_id)
        return place > 0 and self._replay_ids[place - 1] == replay_id

    def after(self, replay_id: int, most: int = 1_000_000_000) -> list[Event]:
        """At most so many of the events after that id which may be delivered; a held one holds up all behind it."""
        found: list[Event] = []
        first = bisect_right(self._replay_ids, replay_id)
        for position in range(first, min(len(self._events), first + most)):
            event = self._events[position]
            if event.visible is not None and not event.visible():
                break
            found.append(event if event.place is None else self._whole(event))
        return found

    def _spill(self) -> None:
        """Moves the bodies of the oldest events that are in memory to the overflow file."""
        parts = []
        for position in range(self._spilled, self._spilled + _SPILLED_AT_ONCE):
            event = self._events[position]
            if event.visible is None:
                parts.append(event.body)
                place = (self._overflow_size, len(event.body))
                self._events[position] = Event(event.replay_id, event.at_ms, event.entity, b"", None, place)
                self._overflow_size += len(event.body)
        os.pwrite(self._overflow.fileno(), b"".join(parts), self._overflow_size - sum(map(len, parts)))
        self._spilled += _SPILLED_AT_ONCE

    def _whole(self, event: Event) -> Event:
        offset, length = event.place or (0, 0)
        return Event(event.replay_id, event.at_ms, event.entity, os.pread(self._overflow.fileno(), length, offset))

    def __len__(self) -> int:
        return len(self._events)


def entry_of(event: Event) -> Entry:
    """The journal's line of an event."""
    return Entry(event.at_ms, "", "_event", event.entity, "", extra=[event.replay_id, event.body])
