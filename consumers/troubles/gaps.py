"""Open gaps: changes that a source missed, until they have been read back. Loud, but not in the way of anything else."""

from collections.abc import Sequence
from typing import Any

from consumers.troubles.trouble import Grade, Trouble

OPEN = "select source, object, reason, opened_ms from gaps where closed_ms is null order by opened_ms limit 100"


async def gaps_open(connection: Any, _expected: object) -> Sequence[Trouble]:
    """Each gap that nobody has read back yet."""
    return [_trouble(row) for row in await connection.fetch(OPEN)]


def _trouble(row: Any) -> Trouble:
    of = f" of {row['object']}s" if row["object"] else ""
    what = f"changes{of} may be missing and are being read back ({row['reason']})"
    return Trouble(where=f"gap.{row['source']}", what=what, since_ms=row["opened_ms"], grade=Grade.ATTENTION)
