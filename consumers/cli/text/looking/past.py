"""A record at a moment of the past, and what has changed of it, as people read it."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.answers.looking.past import Changes, Past
from consumers.reports.clock import moment
from consumers.reports.records.derived import FieldThen, Showed
from consumers.reports.records.plain import NAMES, quoted, spelled
from streams.wire.systems import System


def print_past(console: Console, past: Past, *, everything: bool) -> None:
    """The fields that both sides did not show alike, then; `everything`: the others, too."""
    console.print(f"[bold]{escape(past.person)}[/], {past.object} pair:{past.pair}, at {moment(past.at_ms)}", soft_wrap=True)
    then = past.then
    if not then.decisions:
        console.print("No decision of that time or before is kept: the record was not known yet, or its decisions have been let go.")
        return
    for system in System:
        note = " (deleted)" if system in then.deleted else ""
        console.print(f"  {NAMES[system]} {then.records.get(system, '-')}{note}", soft_wrap=True)
    if then.hold:
        console.print(f"  [red]held: {escape(then.hold)}[/]", soft_wrap=True)
    shown = {key: field for key, field in sorted(then.fields.items()) if everything or _differs(field)}
    if shown:
        table = _table("field", "agreed", "since", "Salesforce showed", "Marketo showed", "")
        for key, field in shown.items():
            agreed = field.agreed
            since = moment(agreed.at) if agreed else ""
            value = quoted(agreed.value) if agreed else ""
            table.add_row(*map(escape, (key, value, since, _showed(field.salesforce), _showed(field.marketo), spelled(field.hold))))
        console.print(table)
    rest = len(then.fields) - len(shown)
    more = f" {rest} more were alike on both sides: --all." if rest else ""
    console.print(f"By {then.decisions:,} decisions since {moment(then.since)}.{more}", soft_wrap=True)


def print_changes(console: Console, told: Changes) -> None:
    """What has changed, a line each."""
    span = f"from {moment(told.since_ms)} to {moment(told.until_ms)}"
    console.print(f"[bold]{escape(told.person)}[/], {told.object} pair:{told.pair}, {span}", soft_wrap=True)
    if not told.changes:
        console.print("Nothing has changed.")
        return
    table = _table("field", "what", "before", "after")
    for each in told.changes:
        what = NAMES[System(each.what)] if each.what in set(System) else spelled(each.what)
        table.add_row(*map(escape, (each.field or "(the record)", what, quoted(each.before), quoted(each.after))))
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _differs(field: FieldThen) -> bool:
    one, other = field.salesforce, field.marketo
    return bool(field.hold) or one is None or other is None or one.value != other.value


def _showed(side: Showed | None) -> str:
    return "not told" if side is None else quoted(side.value)
