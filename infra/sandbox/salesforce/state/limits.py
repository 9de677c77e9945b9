"""Allowances of the org over a rolling day: API calls, delivered events."""

from __future__ import annotations

from collections import deque

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS
SLOT_MS = 60 * 1000


class Allowance:
    """Uses within the last 24 hours of the sandbox's clock, counted by the minute, against a maximum."""

    __slots__ = ("_slots", "most", "used")

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0
        self._slots: deque[tuple[int, int]] = deque()

    def spend(self, now_ms: int, count: int = 1) -> None:
        slot = now_ms // SLOT_MS
        if self._slots and self._slots[-1][0] == slot:
            self._slots[-1] = (slot, self._slots[-1][1] + count)
        else:
            self._slots.append((slot, count))
        self.used += count

    def remaining(self, now_ms: int) -> int:
        oldest = (now_ms - DAY_MS) // SLOT_MS
        while self._slots and self._slots[0][0] <= oldest:
            self.used -= self._slots.popleft()[1]
        return max(0, self.most - self.used)
