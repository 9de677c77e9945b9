"""Conflicts under review decided by a person, and a decision turned into a rule for the next ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.desk.doing import Doing, Outcome
from consumers.desk.releasing import decided
from consumers.ledger.port import Pair
from consumers.mapping.fields import ObjectMapping
from consumers.merge.edits.values import Unfit, neutral
from consumers.merge.pair.decision import Decision, Ruling
from streams.wire.events import Value
from streams.wire.systems import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What a person chooses for a field: a side's value, or (without a side) one of their own."""

    side: System | None = None
    value: Value = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AsRule:
    """A decision as lines of the configuration, and what they would do to the conflicts that wait now."""

    yaml: str
    decides: int
    """So many of those that wait for a person would have been decided."""
    note: str


async def resolve(doing: Doing, fields: Sequence[tuple[int, str]], take: Take, *, apply: bool, reason: str = "") -> list[Outcome]:
    """These fields of these pairs, each decided the same way: the value is agreed, and whichever side doesn't show it is owed it."""
    wanted: dict[int, list[str]] = {}
    for number, key in fields:
        wanted.setdefault(number, []).append(key)

    def change(pair: Pair) -> tuple[Outcome, Decision | None]:
        return _resolved(doing, pair, wanted[pair.id], take, reason)

    return await doing.changed(list(wanted), change, apply=apply)


def as_rule(mapping: ObjectMapping, section: str, field: str, side: System, waiting: int) -> AsRule:
    """The lines that let a side win every conflict about a field. `section`: what its records are called in the configuration;
    `waiting`: how many of its conflicts wait for a person now."""
    yaml = f"{section}:\n  fields:\n    {mapping.by_key[field].marketo}: {{rule: {side}}}\n"
    note = (
        f"Put them into the configuration and start the workers again: conflicts from then on go to {side}. "
        f"Those that wait now are decided by `tandem conflicts resolve --field {field} --take {side} --all`."
    )
    return AsRule(yaml=yaml, decides=waiting, note=note)


def _resolved(doing: Doing, pair: Pair, keys: Sequence[str], take: Take, reason: str) -> tuple[Outcome, Decision | None]:
    state, rulings, steps, what = pair.state, list[Ruling](), list[str](), f"pair {pair.id}"
    why = f"decided by {doing.who}" + (f": {reason}" if reason else "")
    for key in keys:
        field, mapping = state.fields.get(key), doing.terms.mapping(state).by_key.get(key)
        if field is None or mapping is None or not field.hold:
            return doing.outcome(what, pair, [], why=f"{key} is not held (any more)"), None
        try:
            value = field.side(take.side).seen if take.side is not None else neutral(mapping.type, take.value)
        except Unfit as error:
            return doing.outcome(what, pair, [], why=f"{key}: {error}"), None
        new, ruling = decided(mapping, field, value, doing.clock(), why)
        state = state.with_fields({key: new})
        rulings.append(ruling)
        steps.append(f"{key} is {value!r} on both sides")
    pair.state = state
    return doing.outcome(what, pair, steps), doing.decision(pair, tuple(rulings), why)
