"""What all workers know together of one system's calls. Times are ms since the epoch, on one clock."""

import msgspec


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker has in flight and waits for, as it said last."""

    holding: int
    waiting: tuple[int, int, int]
    """In the lanes of the first three numbers: as the previous version has it."""
    waiting_until: int
    alive_until: int
    further: tuple[int, int] = (0, 0)
    """In the other lanes."""


class BudgetState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known about one system's calls."""

    live: tuple[int, ...] = ()
    """When each call of the live lane in the current window was allowed."""
    other: tuple[int, ...] = ()
    """The same for the other lanes."""
    pace: float = 0.0
    """When the next call of another lane is due, once half of the window is used."""
    blocked_until: int = 0
    """The system itself said: no more until then."""
    probe_at: int = 0
    trials: int = 0
    """How many trials there were since the system began to say so: they come ever more rarely."""
    day_ends: int = 0
    day_used: int = 0
    day_limit: int | None = None
    """As the system tells it."""
    workers: dict[str, Worker] = {}
    hour: tuple[tuple[int, int, int, float], ...] = ()
    """The last hour by stretches: when each began; calls of the live and the repair lane, and of others on the account; those of them that
    wrote edits; those that it would have taken to write each edit at once."""
    writers: dict[str, int] = {}
    """When each worker that writes edits wrote last."""
    day_others: int = 0
    """Of `day_used`, those of others on the account, as far as the system has told."""
    ours: tuple[tuple[int, int], ...] = ()
    """Our own calls of the day by hours: when each began, and how many."""
