"""The calls of the day as people read them."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from consumers.cli.text.status import SYSTEMS, ago
from consumers.ledger.allowances import Events
from consumers.ledger.spent import Spent
from consumers.reports.clock import time_of_day


def print_budget(console: Console, systems: Sequence[Spent], events: Events | None, now_ms: int) -> None:
    """A paragraph for each system, then what the calls were for."""
    if not systems:
        console.print("No calls have been made yet.")
    for each in systems:
        console.print(f"[bold]{SYSTEMS[each.system]}[/]: {used(each, now_ms)} {lasts(each, now_ms)}", soft_wrap=True)
    if events is not None:
        console.print(f"[bold]Salesforce's change events[/]: {delivered(events, now_ms)}", soft_wrap=True)
    rows = [(SYSTEMS[each.system], what, calls) for each in systems for what, calls in each.by_purpose.items()]
    if rows:
        table = Table("system", "what for", "calls", title="Calls of today (UTC)", title_justify="left", title_style="bold", box=box.SIMPLE)
        for system, what, calls in rows:
            table.add_row(system, what, f"{calls:,}")
        console.print(table)


def delivered(events: Events, now_ms: int) -> str:
    """How many were delivered, to everybody, and whether the rest lasts."""
    counted = f"{events.used:,} of {events.most:,} were delivered in 24 hours, {events.left:,} are left"
    if events.saving:
        counted += "; they are saved: the channel without Tandem's own writes is followed"
    if events.used_up_ms is None:
        return f"{counted}. At this rate they last."
    found = "then changes there are found by the polls alone"
    return f"{counted}. At this rate they are used up at {time_of_day(events.used_up_ms, now_ms)}; {found}."


def used(each: Spent, now_ms: int) -> str:
    """How many calls are used, and how fast."""
    told = each.forecast
    until = f"until {time_of_day(told.resets_ms, now_ms)}" if told.resets_ms else "of any 24 hours"
    rates = f"{told.written_rate * 60:.1f} calls a minute write edits, {told.others_rate * 60:.1f} find them"
    stopped = f" It takes no calls for {ago(each.blocked_ms)}." if each.blocked_ms else ""
    others = f" ({each.others:,} by other applications)" if each.others else ""
    kept = f", {each.reserved:,} more for other applications" if each.reserved else ""
    return f"{each.used:,} of {each.limit:,} calls are used{others}, {told.left or 0:,} are left {until}{kept}; {rates}.{stopped}"


def lasts(each: Spent, now_ms: int) -> str:
    """Whether the rest lasts."""
    told = each.forecast
    gathered = f"edits are gathered for {told.gather_seconds:.1f} s"
    if told.used_up_ms is not None:
        though = f", though {gathered}" if told.gather_seconds else ""
        return f"At this rate they are used up at {time_of_day(told.used_up_ms, now_ms)}{though}."
    if told.used_up_at_once_ms is not None and told.gather_seconds:
        at = time_of_day(told.used_up_at_once_ms, now_ms)
        return f"With each edit at once they would be used up at {at}; {gathered}, and so they last."
    return "At this rate they last."
