"""Sources that don't flow, told by how long ago their positions were saved. Pure, but for the statement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from consumers.troubles.trouble import Trouble
from streams.marketo.sources.activities import NAME as ACTIVITIES
from streams.marketo.sources.poll import NAME as MARKETO_POLL
from streams.marketo.sources.poll import PATIENCE_SECONDS
from streams.salesforce.sources.cdc import CdcSource
from streams.salesforce.sources.poll import name_of
from streams.wire.systems import Object

SOURCES = "select source, greatest(saved_ms, taken_ms) as saved_ms, taken_by from source_positions order by source"
_INTERVALS, _SLACK_SECONDS, _STREAM_SECONDS = 3, 45.0, 90.0
"""A stream without events saves a sign of life every five seconds."""


def limits_ms(poll_seconds: float, activities_max_seconds: float, objects: Sequence[Object]) -> dict[str, int]:
    """By source: so long without its position being saved, and it does not flow. `objects`: those of Salesforce that are polled."""
    cycles = _INTERVALS * poll_seconds + _SLACK_SECONDS
    seconds = {
        CdcSource.name: _STREAM_SECONDS,
        ACTIVITIES: _INTERVALS * activities_max_seconds + _SLACK_SECONDS,
        **{name_of(obj): cycles for obj in objects},
        MARKETO_POLL: cycles + PATIENCE_SECONDS,  # it gives way so long to a live source that is behind
    }
    return {source: round(each * 1000) for source, each in seconds.items()}


def late(rows: Iterable[Mapping[str, Any]], *, now_ms: int, limits_ms: Mapping[str, int]) -> list[Trouble]:
    """A trouble for each source that is late. Rows as `SOURCES` gives them."""
    found = []
    for row in rows:
        silent_ms = now_ms - row["saved_ms"]
        if row["source"] in limits_ms and silent_ms > limits_ms[row["source"]]:
            what = f"{row['source']} has brought nothing, not even a sign of life, since then (last carried by {row['taken_by']})"
            found.append(Trouble(where=f"source.{row['source']}", what=what, since_ms=row["saved_ms"]))
    return found
