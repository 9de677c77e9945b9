"""The calls of the day as people read them."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from consumers.cli.text.status import SYSTEMS
from consumers.ledger.allowances import Events
from consumers.ledger.spent import Spent
from consumers.reports.standing.budget import delivered, lasts, used


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
