"""The mapping as people read it."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from consumers.reports.records.mapped import Mapped

_ARROWS = {"both": "<->", "to_marketo": "-->", "to_salesforce": "<--"}


def print_mapping(console: Console, told: Sequence[Mapped]) -> None:
    """A table for each object."""
    for obj in dict.fromkeys(each.object for each in told):
        table = Table(
            "Salesforce", "", "Marketo", "type", "in a conflict", box=box.SIMPLE, pad_edge=False, title=obj.capitalize(),
            title_justify="left", title_style="bold",
        )  # fmt: skip
        for each in told:
            if each.object == obj:
                table.add_row(each.salesforce or "[dim](Tandem)[/]", _ARROWS[each.direction], each.marketo, each.type, each.conflict)
        console.print(table)
