"""Acts on what waits for a person: dead letters, holds, conflicts."""

from typing import Annotated, Any

import msgspec

from consumers.answers.desk.waiting import Chosen, chosen_match, discarded_letters, resolved, retried_holds, retried_letters
from consumers.configuration.loading import Settings
from consumers.console.access.problems import Refused
from consumers.console.api.acts.act import Act, Asked, Everything, Most, Name, one_way
from consumers.console.api.refusals import senseless
from consumers.desk.deciding import Take
from consumers.desk.doing import Outcome
from streams.wire.systems import System

Cause = Annotated[str, msgspec.Meta(description="Only those of one cause, by its name in the list.", max_length=200)]
_GIVES = (list[Outcome],)


class Letters(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dead letters: some by number, or those of a cause, or all."""

    letters: Annotated[list[int], msgspec.Meta(description="Their numbers.", max_length=10_000)] = msgspec.field(default_factory=list)
    cause: Cause = ""
    all: Everything = False
    most: Most = 1_000


class Holds(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which holds and refusals: of some records, or those of a cause, or all."""

    records: Annotated[list[Name], msgspec.Meta(description="The records.", max_length=1_000)] = msgspec.field(default_factory=list)
    cause: Cause = ""
    all: Everything = False
    most: Most = 1_000


class Match(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A record that is held because it may be several, and who it is."""

    record: Name
    candidate: Name


class Conflicts(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which conflicts, and how they are decided: by a side's value, or one of one's own."""

    record: Name = ""
    field: Annotated[str, msgspec.Meta(description="By either system's name; with `all`: only those about this one.")] = ""
    all: Everything = False
    take: Annotated[System | None, msgspec.Meta(description="Whose value stands.")] = None
    value: Annotated[str | msgspec.UnsetType, msgspec.Meta(description="A value of one's own, instead; empty: none at all.")] = (
        msgspec.UNSET
    )
    most: Most = 1_000


async def _retry_letters(settings: Settings, asked: Letters, who: str) -> list[Outcome]:
    return await retried_letters(settings, _letters(asked), who=who, apply=asked.apply)


async def _discard_letters(settings: Settings, asked: Letters, who: str) -> list[Outcome]:
    return await discarded_letters(settings, _letters(asked), who=who, apply=asked.apply, reason=asked.reason.strip())


async def _retry_holds(settings: Settings, asked: Holds, who: str) -> list[Outcome]:
    one_way(asked.records, asked.cause, everything=asked.all)
    chosen = Chosen(names=asked.records, cause=asked.cause, everything=asked.all, most=asked.most)
    return await retried_holds(settings, chosen, who=who, apply=asked.apply)


async def _resolve_hold(settings: Settings, asked: Match, who: str) -> list[Outcome]:
    return await chosen_match(settings, asked.record, asked.candidate, who=who, apply=asked.apply)


async def _resolve_conflicts(settings: Settings, asked: Conflicts, who: str) -> list[Outcome]:
    if bool(asked.record) == asked.all or (asked.record and not asked.field):
        raise Refused(senseless("Which conflicts?", "Give `record` and `field`, or `all` (with `field`: those about one field)."))
    if (asked.take is None) == (asked.value is msgspec.UNSET):
        raise Refused(senseless("Whose value stands?", "Give one of `take` and `value`."))
    taken = Take(side=asked.take) if asked.take is not None else Take(value=asked.value or None)
    chosen = Chosen(
        names=[asked.record] if asked.record else [], cause="review" if asked.all else "", everything=asked.all, most=asked.most
    )
    return await resolved(settings, chosen, asked.field, taken, who=who, apply=asked.apply, reason=asked.reason.strip())


def _letters(asked: Letters) -> Chosen:
    one_way(asked.letters, asked.cause, everything=asked.all)
    return Chosen(names=[str(each) for each in asked.letters], cause=asked.cause, everything=asked.all, most=asked.most)


def _act(*command: str, words: str, takes: type[Asked], do: Any, private: frozenset[str] = frozenset()) -> Act:
    path = "/" + "/".join(command)
    return Act(name=" ".join(command), command=command, path=path, words=words, takes=takes, gives=_GIVES, do=do, private=private)


ACTS = (
    _act("dead-letters", "retry", words="Judge dead letters once more; read their records where they can't be.", takes=Letters,
         do=_retry_letters),
    _act("dead-letters", "discard", words="Put dead letters away.", takes=Letters, do=_discard_letters),
    _act("holds", "retry", words="Try what keeps records, or is refused of them, once more.", takes=Holds, do=_retry_holds),
    _act("holds", "resolve", words="Choose whom an ambiguous match is.", takes=Match, do=_resolve_hold),
    _act("conflicts", "resolve", words="Decide conflicts.", takes=Conflicts, do=_resolve_conflicts, private=frozenset({"value"})),
)  # fmt: skip
