"""What a worker did in the last minutes, counted in memory: nobody has to read decisions to know it."""

from collections import Counter, deque
from collections.abc import Callable, Mapping

MINUTES = 5
_MINUTE_MS = 60_000


class Recent:
    """Counts by name over the last five minutes, to the minute. `now_ms`: our clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._minutes: deque[tuple[int, Counter[str]]] = deque(maxlen=MINUTES)

    def add(self, counts: Mapping[str, int]) -> None:
        """These happened now."""
        minute = self._now_ms() // _MINUTE_MS
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, Counter()))
        self._minutes[-1][1].update(counts)

    def counts(self) -> dict[str, int]:
        """All that is not older."""
        since = self._now_ms() // _MINUTE_MS - MINUTES
        total: Counter[str] = Counter()
        for minute, counts in self._minutes:
            if minute > since:
                total.update(counts)
        return dict(total)
