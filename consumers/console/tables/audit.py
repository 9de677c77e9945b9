"""What people did."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.looking.ledger import deeds_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.tables.table import Column, Shape, Table


async def _deeds(ground: Ground, most: int) -> Sequence[Any]:
    return await deeds_of(ground.settings, since_ms=None, act=None, who=None, most=most)


TABLES: tuple[Table, ...] = (
    Table(
        name="audit-log",
        title="Audit log",
        words="Who did what by hand, and why; or looked at personal data. It is written before it is done.",
        teaches="Nobody has done anything by hand yet.",
        ask=_deeds,
        role=Role.ADMIN,
        columns=(
            Column(key="number", title="Number", get=lambda row: row.number),
            Column(key="at", title="When", get=lambda row: row.at, shape=Shape.WHEN),
            Column(key="who", title="Who", get=lambda row: row.who, choices=True),
            Column(key="act", title="What", get=lambda row: row.act, choices=True),
            Column(key="what", title="To what", get=lambda row: ", ".join(f"{name}: {told}" for name, told in row.what.items())),
            Column(key="why", title="Why", get=lambda row: row.why),
        ),
    ),
)  # fmt: skip
