"""Which edits that people made were lost, judged from the two systems' own histories. Pure.

An edit stands when both systems end with its value. One that doesn't stand must have given way to
- a later edit of the same side (which then has to stand, or give way itself), or
- an edit of the other side whose author could see it, or
- an edit of the other side made when neither author could see the other's, where that side wins by the documented rule.

Who could see what: an edit was made in sight of another side's edit when, before it, Tandem had written that value on its own side, or
when both systems had come to rest in between. Where its side merely happened to hold the same value, either reading is allowed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from infra.demo.checker.comparison import Pair, Records
from infra.demo.checker.history import Line, Mirror
from infra.demo.checker.sameness import Normal, normal
from infra.demo.checker.table import ENTRIES, FIELDS, MARKETO, OPT_OUT, SALESFORCE, Field, Kind

SYSTEMS = (SALESFORCE, MARKETO)


class Sight(StrEnum):
    YES = "yes"
    PERHAPS = "perhaps"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one field on one side."""

    n: int
    at_ms: int
    system: str
    value: Normal
    before: Normal
    ours: bool
    """Made by Tandem."""
    entered: bool
    """The value with which the record was created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An edit that nothing justifies the loss of."""

    pair: Pair
    field: str
    system: str
    n: int
    at_ms: int
    value: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Two edits of one field whose authors could not see each other's. `stood`: whose value both systems ended with, if either's."""

    pair: Pair
    field: str
    at_ms: int
    winner: str
    stood: str | None
    met: bool
    """Both values were entered with their records: the two systems met with different values."""
    last: bool
    """Both were the last edits of their sides, so that the rule had to decide."""


@dataclass(slots=True, kw_only=True)
class Judged:
    """`edits`: changes of fields by people, beside the values with which people were created; all are judged."""

    edits: int = 0
    lost: list[Lost] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FieldStory:
    """All changes of one field of one pair, by side, each side in its own order, and its values at the end."""

    pair: Pair
    field: Field
    changes: Mapping[str, Sequence[Change]]
    final: Mapping[str, Normal]
    rests: Sequence[int]

    def edits(self, system: str) -> list[Change]:
        """What people did there."""
        return [each for each in self.changes[system] if not each.ours]

    def last_edit(self, system: str) -> Change | None:
        return next(iter(self.edits(system)[-1:]), None)

    def stands(self, edit: Change) -> bool:
        return all(self.final[system] == edit.value for system in SYSTEMS)

    def sight(self, edit: Change, other: Change) -> Sight:
        """Whether the author of `edit` could see `other`, an edit of the other side."""
        if other.at_ms >= edit.at_ms:
            return Sight.NO
        if any(other.at_ms < rest <= edit.at_ms for rest in self.rests):
            return Sight.YES
        for each in self.changes[edit.system]:
            if each.ours and each.n < edit.n and each.at_ms >= other.at_ms and each.value == other.value:
                return Sight.YES
        return Sight.PERHAPS if edit.before == other.value else Sight.NO


def judge(told: Iterable[FieldStory]) -> Judged:
    """Judges every edit of every field."""
    judged = Judged()
    for each in told:
        judged.edits += sum(not edit.entered for system in SYSTEMS for edit in each.edits(system))
        judged.lost += lost_edits(each)
        judged.clashes += clashes(each)
    return judged


def stories(mirror: Mirror, pairs: Sequence[Pair], salesforce: Records, marketo: Records, *, tandem: Mapping[str, str],
            rests: Sequence[int]) -> Iterator[FieldStory]:  # fmt: skip
    """The story of each field of each pair that somebody ever gave a value or took it from. `tandem`: the user name under which Tandem
    works, by system. `rests`: when (ms) both systems agreed and nothing was under way.
    """
    for pair in pairs:
        finals = {SALESFORCE: salesforce[pair.key(SALESFORCE)], MARKETO: marketo[pair.key(MARKETO)]}
        for each in FIELDS[pair.object]:
            changes = {system: _changes(mirror.lines_of(system, pair.key(system)), each, system, tandem[system]) for system in SYSTEMS}
            if any(changes.values()):
                final = {system: normal(each.kind, finals[system].get(each.on(system))) for system in SYSTEMS}
                yield FieldStory(pair, each, changes, final, rests)


def lost_edits(told: FieldStory) -> Iterator[Lost]:
    """The last edits of both sides that neither stand nor gave way to what may stand."""
    for system, other in ((SALESFORCE, MARKETO), (MARKETO, SALESFORCE)):
        mine, theirs = told.last_edit(system), told.last_edit(other)
        if mine is None or told.stands(mine) or (theirs is not None and _gave_way(told, mine, theirs)):
            continue
        yield Lost(
            pair=told.pair, field=told.field.marketo, system=system, n=mine.n, at_ms=mine.at_ms, value=_shown(mine.value),
            instead=f"{_shown(told.final[SALESFORCE])} in Salesforce, {_shown(told.final[MARKETO])} in Marketo",
        )  # fmt: skip


def clashes(told: FieldStory) -> Iterator[Clash]:
    """Edits of both sides that certainly were out of each other's sight; of a run of edits of one side, the last counts."""
    ours, theirs = _run_ends(told, SALESFORCE), _run_ends(told, MARKETO)
    last = (told.last_edit(SALESFORCE), told.last_edit(MARKETO))
    for one in ours:
        for other in theirs:
            if one.value == other.value or told.sight(one, other) is not Sight.NO or told.sight(other, one) is not Sight.NO:
                continue
            stood = next((each.system for each in (one, other) if told.stands(each)), None)
            yield Clash(
                pair=told.pair, field=told.field.marketo, at_ms=max(one.at_ms, other.at_ms), winner=_winner(told, one, other), stood=stood,
                met=one.entered and other.entered, last=last == (one, other),
            )  # fmt: skip


def _run_ends(told: FieldStory, system: str) -> list[Change]:
    """The edits of a side that were followed by a write of Tandem's there, by a rest, or by nothing."""
    ends: list[Change] = []
    changes = told.changes[system]
    for place, each in enumerate(changes):
        following = changes[place + 1] if place + 1 < len(changes) else None
        rested = following is not None and any(each.at_ms < rest <= following.at_ms for rest in told.rests)
        if not each.ours and (following is None or following.ours or rested):
            ends.append(each)
    return ends


def _gave_way(told: FieldStory, mine: Change, theirs: Change) -> bool:
    """Whether the other side's last edit rightly replaced this one. Where that one doesn't stand either, it is the lost one, provided
    that it certainly had to replace this one.
    """
    if told.stands(theirs):
        return _may_stand(told, theirs, mine)
    return _may_stand(told, theirs, mine) and not _may_stand(told, mine, theirs)


def _may_stand(told: FieldStory, standing: Change, fallen: Change) -> bool:
    if told.sight(standing, fallen) is not Sight.NO:
        return True
    return told.sight(fallen, standing) is not Sight.YES and _winner(told, standing, fallen) == standing.system


def _winner(told: FieldStory, one: Change, other: Change) -> str:
    """Whom the documented rule favours: of an opt-out the side that has it, else the side that goes with the object."""
    if told.field.marketo == OPT_OUT and one.value != other.value:
        return one.system if one.value is True else other.system
    return ENTRIES[told.pair.object].winner


def _changes(lines: Sequence[Line], each: Field, system: str, tandem: str) -> list[Change]:
    name = each.on(system)
    found: list[Change] = []
    for item in lines:
        if item.after is None:
            continue
        created = item.before is None
        ours = item.actor == tandem
        value, before = normal(each.kind, item.after.get(name)), normal(each.kind, (item.before or {}).get(name))
        if created and not ours and value == normal(each.kind, None):
            continue  # a blank that nobody has filled in is nobody's edit
        if (not created and name not in item.after) or (created and ours and name not in item.after and each.kind is Kind.BOOLEAN):
            continue
        if not created and value == before:
            continue  # the same in other words
        found.append(Change(n=item.n, at_ms=item.at_ms, system=system, value=value, before=before, ours=ours, entered=created))
    return found


def _shown(value: Normal) -> str:
    if value is None:
        return "nothing"
    text = ";".join(sorted(value)) if isinstance(value, frozenset) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
