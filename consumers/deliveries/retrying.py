"""When a message that failed is tried again: twice as long after each time, with jitter, never longer than a bound. Pure."""

FIRST_SECONDS = 1.0
_DOUBLINGS_MAX = 30


def wait_seconds(attempts: int, *, most_seconds: float, asked_seconds: float, dice: float) -> float:
    """After so many attempts. `asked_seconds`: the receiver's own wish, kept up to the bound; `dice`: from 0 to 1."""
    grown = min(most_seconds, FIRST_SECONDS * 2.0 ** min(max(attempts, 1) - 1, _DOUBLINGS_MAX))
    return min(most_seconds, max(asked_seconds, grown * (0.5 + dice / 2)))
