"""A table: what its rows are asked of, its columns, and what of it is wanted (filter, order), which stands in the address. Pure but for
`Table.ask`."""

import csv
import io
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from consumers.console.access.roles import Role
from consumers.console.ground import Ground

ROWS_MAX = 2_000
"""Asked for, of any table; the page shows fewer at a time."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Shape(StrEnum):
    """How a column is shown, and what programs get."""

    TEXT = "text"
    WHEN = "when"
    """Milliseconds since the epoch; 0: not known."""
    COUNT = "count"
    VALUE = "value"
    SYSTEM = "system"
    PLAIN = "plain"
    """Text in which the systems' names are spelled as their makers spell them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column. `get`: its value in a row; `link`: the page that the value leads to (empty: none); `choices`: offered as a filter."""

    key: str
    title: str
    get: Callable[[Any], Any]
    shape: Shape = Shape.TEXT
    link: Callable[[Any], str] | None = None
    choices: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table. `teaches`: what is said where there is no row; `ask`: its rows, at most so many."""

    name: str
    title: str
    words: str
    teaches: str
    columns: tuple[Column, ...]
    ask: Callable[[Ground, int], Awaitable[Sequence[Any]]]
    role: Role = Role.VIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What of a table is wanted: words that stand somewhere in a row, values of columns, and an order (`-` before it: downwards)."""

    words: str = ""
    chosen: Mapping[str, str]
    order: str = ""


def terms_of(table: Table, query: Mapping[str, str]) -> Terms:
    """From an address: `NAME.q`, `NAME.COLUMN`, `NAME.sort`; of a page's or a document's own the name may be left out."""
    told = {key.removeprefix(f"{table.name}."): value.strip() for key, value in query.items() if value.strip()}
    known = {column.key for column in table.columns}
    order = told.get("sort", "")
    return Terms(
        words=told.get("q", ""),
        chosen={key: value for key, value in told.items() if key in known},
        order=order if order.removeprefix("-") in known else "",
    )


Cells = Mapping[str, Any]
"""A row by its columns' keys."""


def arranged(table: Table, rows: Sequence[Any], terms: Terms) -> list[tuple[Any, Cells]]:
    """The rows that are wanted, in order, each with its cells."""
    told: list[tuple[Any, Cells]] = [(row, {column.key: column.get(row) for column in table.columns}) for row in rows]
    wanted = terms.words.casefold()
    found = [
        (row, cells)
        for row, cells in told
        if all(str(cells[key]) == value for key, value in terms.chosen.items())
        and (not wanted or any(wanted in str(cell).casefold() for cell in cells.values()))
    ]
    if terms.order:
        key = terms.order.removeprefix("-")
        found.sort(key=lambda each: _sortable(each[1][key]), reverse=terms.order.startswith("-"))
    return found


def choices(table: Table, rows: Sequence[Any]) -> dict[str, list[str]]:
    """What each column that filters has to offer."""
    return {column.key: sorted({str(column.get(row)) for row in rows} - {""}) for column in table.columns if column.choices}


def as_csv(table: Table, cells: Sequence[Cells]) -> str:
    """RFC 4180 with a heading, times in UTC. What a spreadsheet would take for a formula gets an apostrophe in front."""
    told = io.StringIO()
    writer = csv.writer(told)
    writer.writerow([column.title for column in table.columns])
    for each in cells:
        writer.writerow([_cell(column, each[column.key]) for column in table.columns])
    return told.getvalue()


def _cell(column: Column, value: Any) -> Any:
    if column.shape is Shape.WHEN:
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="seconds") if value else ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _sortable(value: Any) -> tuple[int, float, str]:
    if isinstance(value, bool | int | float):
        return 0, float(value), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value).casefold())
