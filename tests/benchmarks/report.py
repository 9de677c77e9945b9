"""The figures as a table."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

Row = tuple[str, str, str]


def show(found: dict[str, Any]) -> None:
    """Prints what was measured beside what is aimed at."""
    machine = found["machine"]
    title = f"{machine['cores']} cores {machine['cpu']}, {machine['memory_gib']} GiB, load {machine['load_average'][0]}"
    table = Table("what", "measured", "aim", title=title)
    for row in _rows(found):
        table.add_row(*row)
    Console().print(table)


def _rows(found: dict[str, Any]) -> Iterator[Row]:
    if "observe" in found:
        yield from _observe(found["observe"])


def _observe(told: dict[str, Any]) -> Iterator[Row]:
    yield "observe: events/s into the ledger", f"{told['events_per_s']:,}", "> 20,000-23,000 (upserts without judging)"
    yield "observe: share of a plain read's rate", f"{told['ratio_to_plain_read']:.2f}", ""
    yield "observe: times one transaction an event", f"{told['ratio_to_one_by_one']:.1f}", ""
