"""The clock of this process."""

import time


def now_ms() -> int:
    """Our clock: ms since the epoch."""
    return time.time_ns() // 1_000_000
