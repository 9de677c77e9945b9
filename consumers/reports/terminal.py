"""Reports as a person reads them. Colour and box lines only where the console says that it is a terminal."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.reports.record import FieldShown, Mark, RecordShown, SideShown
from consumers.reports.story import Chapter, moment, quoted

_COLOURS = {
    Mark.SAME: "",
    Mark.ABSENT: "dim",
    Mark.LEFT: "dim",
    Mark.UNDER_WAY: "cyan",
    Mark.OWED: "yellow",
    Mark.NEWS: "yellow",
    Mark.LOST: "magenta",
    Mark.HELD: "red",
    Mark.REFUSED: "red",
}


def print_record(console: Console, record: RecordShown) -> None:
    """Both sides and the agreement, side by side; what differs is marked with why."""
    console.print(f"[bold]{record.object} pair:{record.pair}[/]")
    console.print(f"  Salesforce {record.salesforce_id or '-'} {_bracketed(record.salesforce_note)}")
    console.print(f"  Marketo    {record.marketo_id or '-'} {_bracketed(record.marketo_note)}")
    if record.hold:
        console.print(f"  [red]held: {escape(record.hold)}[/]")
    if record.waiting:
        console.print(f"  {record.waiting} change(s) wait for one before them")
    table = Table("field", "Salesforce", "agreed", "Marketo", "why", "in a conflict", box=box.SIMPLE, pad_edge=False)
    for field in record.fields:
        table.add_row(
            field.field, _side(field.salesforce), escape(_plain(field.agreed)), _side(field.marketo), escape(_why(field)), field.rule
        )
    console.print(table)
    source = "as the systems show them now" if record.live else "as their feeds last told (the systems were not asked)"
    console.print(f"{len(record.fields)} fields, {record.differences} not in step; values {source}.")


def print_story(console: Console, title: str, chapters: Iterable[Chapter]) -> None:
    """One sentence for each decision, oldest first."""
    console.print(f"[bold]{escape(title)}[/]")
    told = 0
    for chapter in chapters:
        told += 1
        console.print(f"[dim]{moment(chapter.happened_at or chapter.at)}[/]  {escape(chapter.sentence)}", soft_wrap=True)
    if not told:
        console.print(
            "No decision has touched this field: neither side ever had a value for it, or it was the same on both at first sight."
        )


def _bracketed(note: str) -> str:
    return f"[dim]({escape(note)})[/]" if note else ""


def _side(side: SideShown) -> str:
    text = escape(_plain(side.value))
    colour = _COLOURS[side.mark]
    mark = "" if side.mark in (Mark.SAME, Mark.ABSENT, Mark.LEFT) else f" [{side.mark}]"
    return f"[{colour}]{text}{escape(mark)}[/]" if colour else text


def _why(field: FieldShown) -> str:
    parts = [
        f"{name}: {side.why}"
        for name, side in (("Salesforce", field.salesforce), ("Marketo", field.marketo))
        if side.why and side.mark not in (Mark.SAME, Mark.ABSENT)
    ]
    return "; ".join(parts)


def _plain(value: object) -> str:
    if value is None or value == "":
        return "-"
    return quoted(value).strip("“”") if isinstance(value, (str, int, float, bool)) else str(value)
