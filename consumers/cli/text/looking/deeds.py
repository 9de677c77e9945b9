"""The audit log as people read it."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.audit_log.deeds import Deed
from consumers.reports.clock import moment


def print_deeds(console: Console, deeds: Sequence[Deed]) -> None:
    """A line each, newest first."""
    if not deeds:
        console.print("Nobody has done anything by hand, as far as the log is kept (and as these options ask).")
        return
    table = Table("when", "who", "what", "", "why", box=box.SIMPLE, pad_edge=False)
    for deed in deeds:
        what = ", ".join(f"{name} {value}" for name, value in deed.what.items() if value not in (None, "", 0, False))
        table.add_row(moment(deed.at), escape(deed.who), escape(deed.act), escape(what), escape(deed.why))
    console.print(table)
