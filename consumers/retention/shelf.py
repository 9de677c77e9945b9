"""A shelf: one kind of thing that is kept for a time, and how some of it is let go."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

DAY_MS = 86_400_000
FROM_THE_START = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a step came to: how many were let go, and the place to go on from (None: there are no more)."""

    gone: int
    after: int | None


LetGo = Callable[[int, int], Awaitable[Step]]
"""Lets go some of what is from before a moment (ms, ours), from a place on: one short transaction that waits for nobody's rows.

Raises `Retry`, or `Fatal` where a person has to act.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """`days`: for how long each is kept; 0: for ever."""

    name: str
    days: int
    let_go: LetGo

    def before(self, now: int) -> int | None:
        """From before when nothing is kept any more; None: all is."""
        return now - self.days * DAY_MS if self.days else None
