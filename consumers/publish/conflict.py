"""A conflict as it is published: two values that met without having seen each other, and which of them stands. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from consumers.ledger.postgres.blocks import number
from consumers.merge.pair.decision import BY_HAND, Decision, Origin, Ruling, Verdict, decode
from streams.wire import cloud
from streams.wire.events import Value
from streams.wire.systems import MARKETO, SALESFORCE, System

_FOUGHT = frozenset({Verdict.WON, Verdict.LOST, Verdict.REVIEW, Verdict.CONTESTED})
_HELD = frozenset({Verdict.REVIEW, Verdict.CONTESTED})
_OVERLOOKED = frozenset({Verdict.SUPERSEDED, Verdict.WAITING, Verdict.UNUSABLE})
"""Verdicts that say nothing of what is agreed."""
_NOT_TOLD = frozenset({"written", "joined", BY_HAND})
"""Decisions that are no telling of what a side shows."""
BOTH, PERSON = "both", "person"
_LONG_CHARS, _LONG_BYTES = 500, 900_000


class Standing(StrEnum):
    """How it stands with a conflict."""

    DECIDED = "decided"
    WAITING = "waiting"
    GONE = "gone"


class Conflict(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """A field that both sides had changed, neither having seen the other."""

    conflict: str
    """Its name: when one that waited is decided, that message has the same."""
    standing: Standing
    """`decided`; `waiting`: for a person; `gone`: it waited, and its record ended (joined with another one, forgotten, unlinked)."""
    at: int
    """When this was said (ms, our clock)."""
    pair: int
    """The record's number in Tandem's ledger: the message's key."""
    field: str
    """By Marketo's name."""
    edited: System | None = None
    """The side whose edit met another value."""
    record: str = ""
    """The record's id there."""
    salesforce: Value = None
    """Salesforce's value when they met, of one that waited the last before it was decided; left out: blank."""
    marketo: Value = None
    """Marketo's; left out: blank."""
    base: Value = None
    """What had been agreed before both; left out: blank, or not known."""
    base_known: bool = False
    """Whether the decisions that are kept tell the base."""
    agreed: Value = None
    """What stands now."""
    winner: str = ""
    """`salesforce`, `marketo`; `both`: they are added up, or say the same by now; `person`: a value of a person's own. Empty: it isn't
    decided."""
    rule: str = ""
    """The rule and its version, `marketo@1`."""
    reason: str = ""
    by: str = ""
    """Who decided it by hand."""
    event: Origin | None = None
    """The event behind this."""
    config: int = 0
    """The version of the configuration under which this was said."""
    cut: bool = False
    """Long texts are cut, since the whole would not fit into a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A decision's place in the ledger."""

    pair: int
    block: int
    place: int

    @property
    def number(self) -> int:
        """The decision's number."""
        return number(self.block, self.place)


@dataclass(slots=True)
class Earlier:
    """What was decided about some pairs, block by block, as far as it was read. `wanted`: block and pair of what is to be read for more."""

    blocks: dict[tuple[int, int], tuple[Sequence[tuple[int, bytes]], int]] = field(default_factory=dict)
    wanted: set[tuple[int, int]] = field(default_factory=set)

    def keep(self, block: int, parts: tuple[list[int], list[int], list[bytes]], pairs: frozenset[int]) -> None:
        """What a block says of these."""
        owners, befores, told = parts
        for pair in pairs:
            places = [place for place, owner in enumerate(owners) if owner == pair]
            self.blocks[block, pair] = [(place, told[place]) for place in places], befores[places[0]] if places else 0

    def missing(self, block: int, pair: int) -> None:
        """That block isn't kept any more."""
        self.blocks[block, pair] = (), 0

    def at(self, spot: Spot) -> Decision | None:
        """The decision there; None: it isn't read yet, or not kept."""
        found = self._block(spot.block, spot.pair)
        return next((decode(told) for place, told in found[0] if place == spot.place), None) if found else None

    def back(self, spot: Spot) -> Iterator[tuple[int, Decision]]:
        """Those before it about the same pair, newest first, with their numbers."""
        block, below = spot.block, spot.place
        while block and (found := self._block(block, spot.pair)) is not None:
            for place, told in reversed(found[0]):
                if place < below:
                    yield number(block, place), decode(told)
            before, below = found[1], 2**31
            block = before if before < block else 0

    def _block(self, block: int, pair: int) -> tuple[Sequence[tuple[int, bytes]], int] | None:
        found = self.blocks.get((block, pair))
        if found is None:
            self.wanted.add((block, pair))
        return found


def is_fought(ruling: Ruling) -> bool:
    """Whether it judges a conflict between both sides' values. Those of two records that are one now are none: no rule decides them."""
    return bool(ruling.rule) and ruling.verdict in _FOUGHT


def ruling_on(decision: Decision | None, key: str) -> Ruling | None:
    """The conflict about a field that a decision judges."""
    return next((each for each in decision.fields if each.field == key and is_fought(each)), None) if decision else None


def waits(ruling: Ruling) -> bool:
    """Whether it is left to a person."""
    return ruling.verdict in _HELD


def lets_go(decision: Decision, ruling: Ruling, held: Verdict | None) -> bool:
    """Whether a field that was held from such a verdict on is held no longer."""
    if decision.kind == "written" or ruling.verdict in _HELD:
        return False
    if decision.kind == BY_HAND or ruling.verdict is Verdict.SAME:
        return True
    return held is Verdict.CONTESTED and ruling.verdict is Verdict.ACCEPTED


def conflict_of(decision: Decision, ruling: Ruling, spot: Spot, earlier: Earlier, *, name: str) -> Conflict:
    """The conflict that this ruling judges. What of it is not read yet is noted as wanted."""
    won = ruling.verdict is Verdict.WON
    other = ruling.agreed
    if won:
        other = ruling.lost
        if ruling.agreed != ruling.value:
            other, _ = _agreed_before(earlier, spot, ruling.field, ruling.version)
    base, known = _agreed_before(earlier, spot, ruling.field, ruling.version - 1 if won else ruling.version)
    values = {decision.system: ruling.value, decision.system.other: other}
    return Conflict(
        conflict=name,
        standing=Standing.WAITING if waits(ruling) else Standing.DECIDED,
        at=decision.at,
        pair=spot.pair,
        field=ruling.field,
        edited=decision.system,
        record=decision.record,
        salesforce=values[SALESFORCE],
        marketo=values[MARKETO],
        base=base,
        base_known=known,
        agreed=ruling.agreed,
        winner=_winner(decision.system, ruling),
        rule=ruling.rule,
        reason=ruling.reason,
        event=decision.event,
        config=decision.config,
    )


def decided(began: Spot, decision: Decision, ruling: Ruling, spot: Spot, earlier: Earlier) -> Conflict:
    """A conflict that waited from `began` on, as this ruling decides it: with the values that both sides had until then."""
    first = earlier.at(began)
    name, judged = name_of(began, ruling.field), ruling_on(first, ruling.field)
    if first is not None and judged is not None:
        waited = conflict_of(first, judged, began, earlier, name=name)
    else:
        waited = Conflict(conflict=name, standing=Standing.WAITING, at=0, pair=spot.pair, field=ruling.field, record=decision.record)
    values = {SALESFORCE: waited.salesforce, MARKETO: waited.marketo} | _shown(began, spot, ruling.field, earlier)
    by_hand = decision.kind == BY_HAND
    sides = [str(system) for system in System if values[system] == ruling.agreed and waited.edited]
    return msgspec.structs.replace(
        waited,
        standing=Standing.DECIDED,
        at=decision.at,
        salesforce=values[SALESFORCE],
        marketo=values[MARKETO],
        agreed=ruling.agreed,
        winner=(sides[0] if sides else PERSON) if by_hand else BOTH if ruling.verdict is Verdict.SAME else str(decision.system),
        reason=ruling.reason,
        by=(decision.event.author or "") if by_hand and decision.event else "",
        event=decision.event,
        config=decision.config,
    )


def name_of(spot: Spot, field: str) -> str:
    """What a conflict is called that was first said there."""
    return f"{spot.number}-{field}"


def body_of(conflict: Conflict) -> bytes:
    """The message's value."""
    body = msgspec.json.encode(conflict)
    if len(body) <= _LONG_BYTES:
        return body
    short = {key: _cut(getattr(conflict, key)) for key in ("salesforce", "marketo", "base", "agreed")}
    return msgspec.json.encode(msgspec.structs.replace(conflict, **short, cut=True))


def about(conflict: Conflict, identity: str) -> cloud.Headers:
    """The message's headers."""
    return cloud.headers(
        identity=identity, source=cloud.LEDGER, type_=f"crm.conflict.{conflict.standing}", at=conflict.at, subject=conflict.record
    )


def _winner(edited: System, ruling: Ruling) -> str:
    if waits(ruling):
        return ""
    if ruling.verdict is Verdict.LOST:
        return str(edited.other)
    return str(edited) if ruling.agreed == ruling.value else BOTH


def _agreed_before(earlier: Earlier, spot: Spot, key: str, version: int) -> tuple[Value, bool]:
    """What was agreed before the agreement of this version; whether that is known."""
    if version <= 1:
        return None, True
    for _, decision in earlier.back(spot):
        for ruling in decision.fields if decision.kind != "written" else ():
            if ruling.field == key and ruling.verdict not in _OVERLOOKED and ruling.version < version:
                return ruling.agreed, True
    return None, False


def _shown(began: Spot, spot: Spot, key: str, earlier: Earlier) -> dict[System, Value]:
    """What each side has shown since then; a side that was not heard of since is left out."""
    found: dict[System, Value] = {}
    for count, decision in earlier.back(spot):
        if count <= began.number:
            break
        if decision.kind in _NOT_TOLD:
            continue
        for ruling in decision.fields:
            if ruling.field == key and ruling.verdict not in _OVERLOOKED:
                found.setdefault(decision.system, ruling.value)
    return found


def _cut(value: Value) -> Value:
    return value[:_LONG_CHARS] if isinstance(value, str) else value
