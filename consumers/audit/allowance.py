"""How fast the audit may go: its share of a day's calls, spread evenly over what is left of the day. Pure."""

from math import inf

DAY_SECONDS = 86_400.0


def pause_seconds(*, allowed: float, spent: int, cost: int, left_seconds: float) -> float:
    """How long to wait after calls worth `cost`, so that what is `allowed` today lasts until it begins anew in `left_seconds`.

    Once all of it is spent: until then.
    """
    left = allowed - spent
    if left < 1:
        return max(0.0, left_seconds)
    return max(0.0, left_seconds * min(1.0, cost / left))


def days_to_proof(*, calls: int, allowed_a_day: float) -> float:
    """How many days a round of so many calls takes."""
    if not calls:
        return 0.0
    return calls / allowed_a_day if allowed_a_day > 0 else inf
