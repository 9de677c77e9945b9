"""What `tandem force` prints for people."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.cli.text.desk.waiting import shown
from consumers.desk.forcing import Forcing


def print_forced(console: Console, told: Forcing, *, applied: bool) -> None:
    """Field by field, and what is written by that."""
    if told.outcome.why:
        console.print(f"{told.outcome.what}: {told.outcome.why}", markup=False)
        return
    if not told.fields:
        console.print("Both sides show what is agreed: there is nothing to force.")
        return
    table = Table("Field", f"From {told.source}", "Agreed so far", f"In {told.source.other}", "", box=box.SIMPLE, pad_edge=False)
    for each in told.fields:
        values = (escape(shown(value)) for value in (each.value, each.agreed, each.instead))
        table.add_row(each.field, *values, escape(f"left: {each.why}" if each.why else ""))
    console.print(table)
    for write in told.outcome.writes:
        console.print(f"{write.do} in {write.system}: {', '.join(f'{k} = {shown(v)}' for k, v in write.fields.items())}", markup=False)
    if told.outcome.steps and told.outcome.steps[-1].startswith("nothing is written"):
        console.print(told.outcome.steps[-1], markup=False)
    if applied:
        console.print("Done; the workers write what is owed." if told.done else "Nothing could be forced.")
    else:
        console.print("Nothing was changed; --apply does it." if told.done else "Nothing could be forced.")
