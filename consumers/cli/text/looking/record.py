"""One record on both sides as people read it: what differs first, and why; the rest on request. Fits 80 columns."""

from collections import Counter

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.reports.clock import moment
from consumers.reports.records.plain import quoted, spelled
from consumers.reports.records.record import FieldShown, Mark, RecordShown, SideShown
from consumers.reports.records.relations import Parent

_COLOURS = {
    Mark.SAME: "",
    Mark.ABSENT: "dim",
    Mark.LEFT: "dim",
    Mark.ALTERED: "dim",
    Mark.UNDER_WAY: "cyan",
    Mark.OWED: "yellow",
    Mark.WAITS: "yellow",
    Mark.NEWS: "yellow",
    Mark.LOST: "magenta",
    Mark.HELD: "red",
    Mark.REFUSED: "red",
}
_NAME_MOST = 24


def print_record(console: Console, record: RecordShown, *, everything: bool) -> None:
    """Who it is, how each side's record stands, what differs. `everything`: the fields in step and the rules, too."""
    email = f" ({record.email})" if record.email and record.email != record.person else ""
    console.print(f"[bold]{escape(record.person)}[/]{escape(email)}, {record.object} pair:{record.pair}", soft_wrap=True)
    console.print(f"  Salesforce {record.salesforce_id or '-'}{_bracketed(record.salesforce_note)}", soft_wrap=True)
    console.print(f"  Marketo    {record.marketo_id or '-'}{_bracketed(record.marketo_note)}", soft_wrap=True)
    for parent in record.relations.parents:
        waits = " [yellow](waits for it: it is not in Marketo yet)[/]" if parent.waiting else ""
        console.print(f"  belongs to {escape(_parent(parent))}{waits}", soft_wrap=True)
    if children := ", ".join(each.told for each in record.relations.children):
        console.print(f"  has {children}", soft_wrap=True)
    if record.hold:
        console.print(f"  [red]held: {escape(record.hold)}[/]", soft_wrap=True)
    for pause in record.pauses:
        console.print(f"  [yellow]{escape(str(pause))}, since {moment(pause.since_ms)}[/]", soft_wrap=True)
    if record.waiting:
        console.print(f"  {record.waiting} change(s) wait for one before them")
    _fields(console, "", [each for each in record.fields if each.of_interest])
    rest = [each for each in record.fields if not each.of_interest]
    if everything:
        _fields(console, "In step", rest)
        console.print(f"In a conflict {escape(_rules(record))}.", soft_wrap=True)
    source = "as the systems show them now" if record.live else "as their feeds last told (the systems were not asked)"
    more = "" if everything or not rest else " All of them: --all."
    console.print(f"{len(record.fields)} fields, {record.differences} not in step; values {source}.{more}", soft_wrap=True)


def _parent(parent: Parent) -> str:
    return " ".join(filter(None, [parent.kind, parent.name, f"({parent.salesforce_id})"]))


def _fields(console: Console, title: str, fields: list[FieldShown]) -> None:
    if not fields:
        return
    columns = ["field", "Salesforce", "Marketo", "why"]
    if all(not _why(each) for each in fields):
        columns.remove("why")
    longest = min(_NAME_MOST, max(len(each.field) for each in fields))
    table = Table(box=box.SIMPLE, pad_edge=False, title=title or None, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", min_width=longest if column == "field" else 4)
    for each in fields:
        cells = {
            "field": escape(each.field),
            "Salesforce": _side(each.salesforce),
            "Marketo": _side(each.marketo),
            "why": escape(_why(each)),
        }
        table.add_row(*(cells[column] for column in columns))
    console.print(table)


def _rules(record: RecordShown) -> str:
    """Who wins mostly, and where it is otherwise."""
    counts = Counter(each.rule for each in record.fields)
    ((mostly, _),) = counts.most_common(1)
    others = [f"{each.field}: {each.rule}" for each in record.fields if each.rule != mostly]
    return f"{mostly} ({'; '.join(others)})" if others else mostly


def _why(field: FieldShown) -> str:
    sides = (("Salesforce", field.salesforce), ("Marketo", field.marketo))
    told = [f"{name}: {side.why}" for name, side in sides if side.why and side.mark not in (Mark.SAME, Mark.ABSENT, Mark.ALTERED)]
    told += [side.why for _, side in sides if side.mark is Mark.ALTERED]
    stray = all(side.value != field.agreed for _, side in sides if side.mark is not Mark.ABSENT)
    if stray and field.differs:
        told.append(f"agreed is {_plain(field.agreed)}")
    return spelled("; ".join(told))


def _side(side: SideShown) -> str:
    text = escape(_plain(side.value))
    colour = _COLOURS[side.mark]
    mark = "" if side.mark in (Mark.SAME, Mark.ABSENT, Mark.LEFT, Mark.ALTERED) else f" [{side.mark}]"
    return f"[{colour}]{text}{escape(mark)}[/]" if colour else text


def _plain(value: object) -> str:
    if value is None or value == "":
        return "-"
    return quoted(value).strip("“”") if isinstance(value, (str, int, float, bool)) else str(value)


def _bracketed(note: str) -> str:
    return f" [dim]({escape(note)})[/]" if note else ""
