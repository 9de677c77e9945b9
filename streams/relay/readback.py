"""What a poll still has to read because of gaps. Pure; times in ms on the clock of the polled system.

A gap may be opened while the poll is busy, or by another process whose clock says something else. So it is dated by the first look at
the system's clock after the poll was told of it: whatever it lost was made before that moment.

    gap    |···· lost ····| opened ≤ told                       told + lag
    cycle  |=================================| now                   |
    cycle                       |====================================|··| now: covered

A row may become visible `lag` after its stamp. So a gap is covered by a complete cycle that ends no earlier than `lag` after it was
told; cycles before that one shorten what is left to be read to what an ordinary next cycle would read.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owed:
    since_ms: int
    told_ms: int | None = None


class ReadBack:
    """The gaps that one poll was told of. In memory only: a gap stays open, and is told again, until a cycle has covered it."""

    def __init__(self, lag_ms: int) -> None:
        self._lag_ms = lag_ms
        self._owed: dict[int, _Owed] = {}

    def tell(self, gap: int, since_ms: int) -> bool:
        """Everything changed since then is to be read again. Whether that is news: being told twice is the same as once."""
        if gap in self._owed:
            return False
        self._owed[gap] = _Owed(since_ms=since_ms)
        return True

    @property
    def since_ms(self) -> int | None:
        """Where the next cycle has to begin at the latest; None: no gap is open."""
        return min((owed.since_ms for owed in self._owed.values()), default=None)

    def look(self, now_ms: int) -> None:
        """The system's clock was read: what the poll has been told of by now was lost before."""
        for gap, owed in self._owed.items():
            if owed.told_ms is None:
                self._owed[gap] = replace(owed, told_ms=now_ms)

    def read(self, start_ms: int, end_ms: int, *, next_ms: int) -> tuple[int, ...]:
        """A complete cycle has read from `start_ms` to `end_ms`, the next one begins at `next_ms`. The gaps that are covered now."""
        covered: list[int] = []
        for gap, owed in list(self._owed.items()):
            if start_ms > owed.since_ms:
                continue
            if owed.told_ms is not None and end_ms >= owed.told_ms + self._lag_ms:
                covered.append(gap)
                del self._owed[gap]
            else:
                self._owed[gap] = replace(owed, since_ms=max(owed.since_ms, next_ms))
        return tuple(covered)

    def nothing(self) -> tuple[int, ...]:
        """Nothing of what the poll reads is of interest, so nothing of it was lost. The gaps that are covered by that."""
        covered = tuple(self._owed)
        self._owed.clear()
        return covered

    def wait_ms(self, end_ms: int) -> int | None:
        """After a cycle that ended at `end_ms`: how long until one can cover a gap that is left; None: no gap is."""
        if not self._owed:
            return None
        return max(0, min((owed.told_ms or end_ms) + self._lag_ms - end_ms for owed in self._owed.values()))
