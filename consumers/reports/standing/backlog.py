"""What waits on each way from one system to the other, how fast it becomes less, and when it is done. Pure, from the status."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.reports.standing.status import Status
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """One way. `unjudged`: events of `source` that are not judged yet; `due`: records to be written in `target` now, `later`: not yet."""

    source: str
    target: str
    unjudged: int
    due: int
    later: int
    oldest_ms: int
    """How long the oldest record has been due."""
    drained_a_second: float | None
    """Become less; negative: more. None: nobody has watched for long enough."""

    @property
    def waits(self) -> int:
        """All that is to be done now."""
        return self.unjudged + self.due

    @property
    def done_in_ms(self) -> float | None:
        """At this rate; None: it can't be told, or it becomes more."""
        if not self.waits:
            return 0.0
        return self.waits / self.drained_a_second * 1000 if self.drained_a_second and self.drained_a_second > 0 else None


def backlogs(status: Status, drained: Mapping[str, float]) -> tuple[Backlog, ...]:
    """Of both ways. `drained`: by the system that is written to; empty: not known."""
    waiting = waits(status)
    return tuple(_backlog(status, target, drained.get(target), waiting[target]) for target in (str(each.other) for each in System))


def waits(status: Status) -> dict[str, tuple[int, int]]:
    """By the system that is written to: events of the other one that are not judged yet, and records to be written now."""
    return {str(system): (_unjudged(status, str(system.other)), _due(status, str(system))) for system in System}


def _backlog(status: Status, target: str, drained: float | None, waiting: tuple[int, int]) -> Backlog:
    unjudged, due = waiting
    rows = [row for row in status.due if row.what == "write" and row.system == target]
    return Backlog(
        source=str(System(target).other),
        target=target,
        unjudged=unjudged,
        due=due,
        later=sum(row.pairs - row.due for row in rows),
        oldest_ms=max((row.oldest_ms for row in rows if row.due), default=0),
        drained_a_second=drained,
    )


def _unjudged(status: Status, source: str) -> int:
    return sum(each.behind or 0 for each in status.partitions if f".{source}." in each.topic)


def _due(status: Status, target: str) -> int:
    return sum(row.due for row in status.due if row.what == "write" and row.system == target)
