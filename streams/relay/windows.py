"""Windows of time over a feed that is read by stamps. Pure.

A row is stamped before it becomes visible, by as much as its transaction lasts. So a cycle reads up to `lag` behind the
server's clock and begins `overlap` before where the last one ended:

    cycle n     |---- overlap ----|=========== new ===========|-- lag --| now
    cycle n+1                              |---- overlap ----|=========== new =====...

Promise: a row that becomes visible at most `lag + overlap` after its stamp is read by a complete cycle that began after it
became visible. All times are ms on the server's clock; ends are whole seconds, as the stamps are.

A cycle widened by a gap reads to now: what a stream has just lost is the youngest there is. It is done, all the same, only up to
`lag` before now, so the next one reads the rest again.
"""

from dataclasses import dataclass

_SECOND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From `start_ms`, before `end_ms`. `start_ms` 0: from the beginning of time."""

    start_ms: int
    end_ms: int
    done_ms: int
    """Up to here nothing can become visible any more that the overlap of the next cycle would not find."""

    def holds(self, stamp_ms: int) -> bool:
        """Whether a stamp falls into it."""
        return self.start_ms <= stamp_ms < self.end_ms


def next_window(done_ms: int | None, now_ms: int, *, lag_ms: int, overlap_ms: int, widen_to_ms: int | None = None) -> Window | None:
    """The window of the next cycle; None when nothing new can be read yet.

    `done_ms`: the end of the last complete cycle (None: there was none, read everything). `now_ms`: the server's clock, not ahead of it.
    `widen_to_ms`: a gap that must be read again begins here; it makes a window due even when nothing is new.
    """
    done = max(_whole(now_ms - lag_ms), done_ms or 0)
    end = done if widen_to_ms is None else max(done, _whole(now_ms))
    if done_ms is None:
        return Window(start_ms=0, end_ms=end, done_ms=done) if end > 0 else None
    start = max(0, _whole(done_ms - overlap_ms))
    if widen_to_ms is not None:
        start = min(start, max(0, _whole(widen_to_ms)))
    elif done <= done_ms:
        return None
    return Window(start_ms=start, end_ms=end, done_ms=done)


def _whole(ms: int) -> int:
    return ms // _SECOND * _SECOND
