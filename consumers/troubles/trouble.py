"""One thing that is wrong, as a value. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum


class Grade(StrEnum):
    """How bad it is."""

    DEGRADED = "degraded"
    """Something doesn't flow: the worker isn't ready."""
    ATTENTION = "attention"
    """All else flows; a person should look at something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong. The words hold no secret and no personal data. Times: ms since the epoch, ours; 0: not known."""

    where: str
    """A role, a source, a system: what is concerned."""
    what: str
    """In a sentence, without a full stop."""
    since_ms: int = 0
    again_ms: int = 0
    """When it is tried again."""
    grade: Grade = Grade.DEGRADED
    away: bool = False
    """Whether what is concerned can't be reached at all."""


def worst_first(troubles: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Each trouble once, since the earliest time that anybody knows of; what stops the flow first, then the oldest."""
    known: dict[tuple[str, str], Trouble] = {}
    for each in troubles:
        before = known.setdefault((each.where, each.what), each)
        since = min((ms for ms in (before.since_ms, each.since_ms) if ms), default=0)
        again = min((ms for ms in (before.again_ms, each.again_ms) if ms), default=0)
        known[each.where, each.what] = replace(before, since_ms=since, again_ms=again, away=before.away or each.away)
    return tuple(sorted(known.values(), key=lambda each: (each.grade is Grade.ATTENTION, not each.away, each.since_ms or 2**62)))


def unready(troubles: Iterable[Trouble]) -> dict[str, str]:
    """Why a worker isn't ready, by what is concerned. Empty: it is."""
    reasons: dict[str, list[str]] = {}
    for each in troubles:
        if each.grade is Grade.DEGRADED:
            reasons.setdefault(each.where, []).append(each.what)
    return {where: "; ".join(whats) for where, whats in reasons.items()}
