"""The last cycles of the reconciliation polls."""

from collections.abc import Sequence
from typing import Any

from consumers.reports.standing.status import Cycle, cycle_told

_CYCLES = """
select source, object, at, read, known, relayed, missed, repaired, held, why, calls, seconds, next_ms, judged_ms
from cycles where (missed > 0 or not $1) and ($2 = '' or object = $2) order by id desc limit $3
"""


async def cycles(connection: Any, now_ms: int, *, obj: str = "", only_missed: bool = False, most: int) -> Sequence[Cycle]:
    """The newest first. `obj`: only of this kind of record; `only_missed`: only those that found what the stream had missed."""
    return [cycle_told(row, now_ms) for row in await connection.fetch(_CYCLES, only_missed, obj, most)]
