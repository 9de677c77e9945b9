"""Deletes that wait for a confirmation, as people read them."""

from rich.console import Console
from rich.markup import escape

from consumers.answers.looking.ledger import Deletes
from consumers.reports.records.called import counted
from streams.wire.systems import Object


def print_deletes(console: Console, deletes: Deletes) -> None:
    """How many of how many, and some of them."""
    share = 100 * deletes.gone / deletes.of_all
    told = f"{deletes.gone:,} of {counted(Object(deletes.object), deletes.of_all)} ({share:.0f} %) were deleted in Salesforce at once."
    console.print(f"[bold]{told}[/] Nothing has been passed on to Marketo yet.", soft_wrap=True)
    for each in deletes.people:
        console.print(f"  {escape(each)}", soft_wrap=True)
    if deletes.gone > len(deletes.people):
        console.print(f"  and {deletes.gone - len(deletes.people):,} more")
