"""CSV as both systems' bulk interfaces send it: rows out of bytes, and the values of their cells as REST would give them. Pure."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from streams.wire.events import Value

_WHOLE = frozenset({"int", "integer", "long", "score"})
_DECIMAL = frozenset({"double", "float", "currency", "percent"})
_TRUE = frozenset({"true", "1"})
csv.field_size_limit(16 << 20)


def whole_rows(data: bytes) -> int:
    """How many of these bytes, which begin with a row, are rows that have ended: a line break inside of quotes ends none."""
    end = data.rfind(b"\n") + 1
    while end and data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end


def rows_of(data: bytes) -> Iterator[list[str]]:
    """The rows, one by one: all of a page at once would take ten times its bytes.

    Files of Marketo's hold NULs and carriage returns that belong to nothing (bulk extract, as its clients found out)."""
    text = data.replace(b"\x00", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("utf-8-sig", errors="replace")
    return (row for row in csv.reader(io.StringIO(text, newline="")) if row)


def in_batches(rows: Iterator[list[str]], most: int) -> Iterator[tuple[list[list[str]], bool]]:
    """So many of them at once, and whether these are the last; at least one batch, maybe empty."""
    part = list(islice(rows, most))
    while following := list(islice(rows, most)):
        yield part, False
        part = following
    yield part, True


def typed(names: Sequence[str], row: Sequence[str], types: Mapping[str, str], *, empty: str) -> dict[str, Value]:
    """A row as a read would give it. `types`: a field's type as its system describes it; `empty`: how an empty cell is written.

    Raises ValueError for a row of another length than its names.
    """
    if len(row) != len(names):
        raise ValueError(f"a row of {len(row)} cells under {len(names)} names")
    return {name: _value(cell, types.get(name, ""), empty) for name, cell in zip(names, row, strict=True)}


def _value(cell: str, kind: str, empty: str) -> Value:
    """A number that is none stays the text that it is: whoever judges it says so."""
    if cell in {"", empty}:
        return None
    if kind == "boolean":
        return cell.casefold() in _TRUE
    if kind in _WHOLE or kind in _DECIMAL:
        return _number(cell)
    return cell


def _number(cell: str) -> Value:
    try:
        number = float(cell)
        return int(number) if number.is_integer() and "e" not in cell.casefold() and len(cell) < 16 else number
    except (ValueError, OverflowError):
        return cell
