"""The calls of a day in sentences: how many are used, how fast, and whether the rest lasts. Pure.

`zone`: the reader's; None: the machine's.
"""

from datetime import tzinfo

from consumers.ledger.allowances import Events
from consumers.ledger.spent import Spent
from consumers.reports.clock import time_of_day
from consumers.reports.standing.health import length


def delivered(events: Events, now_ms: int, zone: tzinfo | None = None) -> str:
    """How many were delivered, to everybody, and whether the rest lasts."""
    counted = f"{events.used:,} of {events.most:,} were delivered in 24 hours, {events.left:,} are left"
    if events.saving:
        counted += "; they are saved: the channel without Tandem's own writes is followed"
    if events.used_up_ms is None:
        return f"{counted}. At this rate they last."
    found = "then changes there are found by the polls alone"
    return f"{counted}. At this rate they are used up at {time_of_day(events.used_up_ms, now_ms, zone)}; {found}."


def used(each: Spent, now_ms: int, zone: tzinfo | None = None) -> str:
    """How many calls are used, and how fast."""
    told = each.forecast
    until = f"until {time_of_day(told.resets_ms, now_ms, zone)}" if told.resets_ms else "of any 24 hours"
    rates = f"{told.written_rate * 60:.1f} calls a minute write edits, {told.others_rate * 60:.1f} find them"
    stopped = f" It takes no calls for {length(each.blocked_ms)}." if each.blocked_ms else ""
    others = f" ({each.others:,} by other applications)" if each.others else ""
    kept = f", {each.reserved:,} more for other applications" if each.reserved else ""
    return f"{each.used:,} of {each.limit:,} calls are used{others}, {told.left or 0:,} are left {until}{kept}; {rates}.{stopped}"


def lasts(each: Spent, now_ms: int, zone: tzinfo | None = None) -> str:
    """Whether the rest lasts."""
    told = each.forecast
    gathered = f"edits are gathered for {told.gather_seconds:.1f} s"
    if told.used_up_ms is not None:
        though = f", though {gathered}" if told.gather_seconds else ""
        return f"At this rate they are used up at {time_of_day(told.used_up_ms, now_ms, zone)}{though}."
    if told.used_up_at_once_ms is not None and told.gather_seconds:
        at = time_of_day(told.used_up_at_once_ms, now_ms, zone)
        return f"With each edit at once they would be used up at {at}; {gathered}, and so they last."
    return "At this rate they last."
