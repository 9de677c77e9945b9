"""The rows of a table as somebody may see them."""

from collections.abc import Mapping
from typing import Any

from consumers.console.access.roles import Visitor
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.tables.table import ROWS_MAX, Cells, Table, arranged, terms_of


async def rows_of(ground: Ground, table: Table, visitor: Visitor) -> list[Any]:
    """All of them, masked for whoever may not see personal data."""
    asked = list(await table.ask(ground, ROWS_MAX))
    return asked if visitor.revealed else list(masked(asked))


async def cells_of(ground: Ground, table: Table, query: Mapping[str, str], visitor: Visitor) -> list[Cells]:
    """The cells of those that an address asks for."""
    return [cells for _, cells in arranged(table, await rows_of(ground, table, visitor), terms_of(table, query))]
