"""Bursts: many edits that one author makes within seconds (an import, a flow over a list), told apart from what a person has just typed.

While a burst is being written, edits that are no part of it go before it: what is due for them is dated back, so that they come first
in their lane. By so much and no more: whatever has waited longer than that comes before them, so nobody waits for ever.
"""

from collections import Counter
from collections.abc import Iterable

from streams.wire.events import ChangeEvent
from streams.wire.systems import System

AHEAD_MS = 120_000
"""By how much an edit that is no part of a burst is dated back while there is one."""
_MANY, _STRETCH_MS, _LASTS_MS, _STRETCHES_MAX = 100, 5_000, 600_000, 4_096

_Stretch = tuple[System, str | None, str | None, int]


class Bursts:
    """The bursts that one worker has seen. `now`: ms, ours."""

    def __init__(self) -> None:
        self._edits: Counter[_Stretch] = Counter()
        self._until = 0

    def told(self, events: Iterable[ChangeEvent], now: int) -> None:
        """These are about to be judged."""
        if len(self._edits) > _STRETCHES_MAX:
            self._edits = Counter({stretch: count for stretch, count in self._edits.items() if count >= _MANY})
            if len(self._edits) > _STRETCHES_MAX:
                self._edits.clear()
        for stretch, count in Counter(map(_stretch, events)).items():
            self._edits[stretch] += count
            if self._edits[stretch] >= _MANY:
                self._until = now + _LASTS_MS

    def ahead(self, event: ChangeEvent, now: int) -> int:
        """By how much this edit goes ahead of its time (ms)."""
        if now >= self._until or self._edits[_stretch(event)] >= _MANY:
            return 0
        return AHEAD_MS


def _stretch(event: ChangeEvent) -> _Stretch:
    """Who, how, and when, by the clock of the system: edits of one author are a burst only where they were made together."""
    return event.system, event.author, event.origin, event.at // _STRETCH_MS


def dated_back(due: tuple[int, int, int, int], before: tuple[int, int, int, int], by_ms: int) -> tuple[int, int, int, int]:
    """The writes that have become due are due earlier."""
    salesforce, marketo = (moment - by_ms if moment and not earlier else moment for moment, earlier in zip(due[:2], before, strict=False))
    return salesforce, marketo, due[2], due[3]
