"""Lists of records, for reading and for spreadsheets."""

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.cli.text.status import SYSTEMS
from consumers.reports.clock import moment
from consumers.reports.records.plain import spelled
from consumers.reports.standing.lists import Listed, Queue

_NOBODY = {
    Queue.HELD: "Nobody is held.",
    Queue.REFUSED: "Nothing is refused.",
    Queue.OWED: "Nobody is owed a change.",
    Queue.CONTESTED: "No field is contested.",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def print_list(console: Console, queue: Queue, lines: Sequence[Listed], *, most: int) -> None:
    """One line for each thing that is not as it should be."""
    if not lines:
        console.print(_NOBODY[queue])
        return
    table = Table("record", "e-mail", "where", "field", "why", "since", box=box.SIMPLE, pad_edge=False)
    for each in lines:
        since = moment(each.since_ms) if each.since_ms else ""
        table.add_row(*map(escape, (each.person, each.email, SYSTEMS.get(each.system, ""), each.field, spelled(each.why), since)))
    console.print(table)
    more = f" These are the first {most:,}; more: --most." if len(lines) >= most else ""
    console.print(f"{len(lines):,} in the list.{more} One of them in full: tandem record E-MAIL")


def print_csv(lines: Sequence[Listed]) -> None:
    """RFC 4180 with a heading. What a spreadsheet would take for a formula gets an apostrophe in front."""
    writer = csv.writer(sys.stdout)
    writer.writerow(["since" if each.name == "since_ms" else each.name for each in fields(Listed)])
    for line in lines:
        told = {**asdict(line), "since_ms": moment(line.since_ms) if line.since_ms else ""}
        writer.writerow([_cell(value) for value in told.values()])


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
