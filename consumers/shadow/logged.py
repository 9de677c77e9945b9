"""What the log tells, entry by entry, and what a shadow makes of it."""

from dataclasses import dataclass
from typing import NamedTuple

from consumers.merge.pair.decision import Decision, Ruling
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System


class Logged(NamedTuple):
    """A decision of the log, in the order in which decisions were made, with the event that it is about where a topic still has it."""

    decision: Decision
    event: ChangeEvent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a shadow made of one ruling of the log. `now` is None where its rules know no such field; `logged` where the log's didn't."""

    object: Object
    field: str
    pair: int
    side: System
    logged: Ruling | None
    now: Ruling | None
