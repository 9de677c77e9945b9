"""What an undo puts back, and what it leaves, for people."""

from rich.console import Console

from consumers.desk.undo import Undone
from consumers.reports.clock import moment
from streams.wire.events import Value

_SHOWN = 20


def print_undone(console: Console, told: Undone, *, applied: bool) -> None:
    """A line in all, the first records, and the fields that are left."""
    if not told.fields and not told.kept:
        console.print("Nothing of that is in the ledger, or it is undone already.")
        return
    verb = "put back" if applied else "would be put back"
    console.print(f"{told.fields:,} fields of {told.records:,} records {verb}; {len(told.kept):,} are left as they are.")
    for each in told.examples:
        console.print(f"  {each.record}: {'; '.join(each.steps)}", markup=False)
        for write in each.writes:
            values = ", ".join(f"{name} = {_shown(value)}" for name, value in write.fields.items())
            console.print(f"    {write.do} in {write.system}{': ' if values else ''}{values}", markup=False)
    if told.records > len(told.examples):
        console.print(f"  … and {told.records - len(told.examples):,} more")
    for kept in told.kept[:_SHOWN]:
        since = f" (by {kept.by or 'somebody'}, {moment(kept.at)})" if kept.at else ""
        console.print(f"  left: {kept.record} {kept.field} = {_shown(kept.value)}: {kept.why}{since}", markup=False)
    if len(told.kept) > _SHOWN:
        console.print(f"  … and {len(told.kept) - _SHOWN:,} more (--json has them all)")
    if applied and told.fields:
        console.print(f"The workers write it. To take this back: tandem undo --cause {told.cause}", markup=False)
    elif told.fields:
        console.print("Nothing was changed; --apply does it.")


def _shown(value: Value) -> str:
    return "(nothing)" if value is None else str(value)
