"""What the streams have missed of late: the polls have brought it, but why it was missed is for a person to find out."""

from collections.abc import Sequence
from typing import Any, Protocol

from consumers.troubles.trouble import Grade, Trouble

MISSED = """
select source, sum(missed)::bigint as missed, min(at) as at, (array_agg(why order by id desc))[1] as why
from cycles where missed > 0 and at > $1 group by source order by source
"""
_CYCLES = 3
"""So many intervals of the polls it is told."""


class Polled(Protocol):
    """What is expected of polls."""

    @property
    def now_ms(self) -> int: ...
    @property
    def poll_seconds(self) -> float: ...


async def changes_missed(connection: Any, expected: Polled) -> Sequence[Trouble]:
    """For each poll whose last cycles have found what its stream had not brought."""
    since = expected.now_ms - round(_CYCLES * expected.poll_seconds * 1000)
    return [_trouble(row) for row in await connection.fetch(MISSED, since)]


def _trouble(row: Any) -> Trouble:
    count = f"{row['missed']:,} change{'s' if row['missed'] > 1 else ''}"
    what = f"{row['source']} has found {count} that the stream had missed, and brought them ({row['why']}); see tandem cycles"
    return Trouble(where=f"missed.{row['source']}", what=what, since_ms=row["at"], grade=Grade.ATTENTION)
