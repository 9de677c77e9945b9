"""What is recorded of a join: why each value stands, which did not, and all that the loser was. Pure."""

from collections.abc import Iterator

import msgspec

from consumers.ledger.port import Pair
from consumers.merge.edits.values import Unfit, blank, equal, neutral
from consumers.merge.pair.decision import Decision, Joined, Ruling, Verdict
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import System

_BEATS, _ADDED, _WINNERS = "a value beats no value", "what both had is added", "the winner's value stands"


def joined_decision_of(loser: Pair, winner: Pair, after: PairState, event: ChangeEvent, terms: Terms, now: int) -> Decision:  # noqa: PLR0917
    """That the loser's pair is part of the winner's from now on, with its whole state, and what became of each of its values.

    `after`: what both are now. The winner may have no number yet.
    """
    state, records = loser.state, {system: loser.state.record(system).id for system in System}
    told = Joined(
        pair=loser.id,
        object=state.object,
        salesforce=records[System.SALESFORCE],
        marketo=records[System.MARKETO],
        values={key: field.value for key, field in state.fields.items()},
        state=pack(state),
    )
    return Decision(
        kind="joined",
        at=now,
        pair=winner.id,
        system=event.system,
        record=event.id,
        fields=tuple(_each(state, winner.state, after, terms)),
        detail=f"{what_ended(event)}: this pair has taken over pair {loser.id or '(new)'} ({_records(state)})",
        joined=told,
        config=terms.version,
    )


def joined_decision(decision: Decision, pair: int) -> Decision:
    """The decision, now that the winner has its number."""
    return msgspec.structs.replace(decision, pair=pair)


def of_former(owner: PairState, event: ChangeEvent, terms: Terms) -> tuple[Ruling, ...]:
    """An event of a record that has been part of this pair's since: older than that. Each value that it tells is named."""
    since = owner.record(event.system).id
    reason = f"{event.id} is part of {since or 'another record'} since then: what is told of it is older than that"
    rulings = [Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=reason)]
    names = terms.mapping(owner).by_name(event.system)
    for name, wire in event.fields.items():
        mapping = names.get(name)
        field = owner.fields.get(mapping.key) if mapping is not None else None
        if mapping is None:
            continue
        try:
            value = neutral(mapping.type, wire)
        except Unfit:
            continue
        if not event.is_read or not equal(mapping, value, field.value if field else None):
            rulings.append(Ruling(field=mapping.key, verdict=Verdict.SUPERSEDED, value=value, reason=reason))
    return tuple(rulings)


def _each(loser: PairState, winner: PairState, after: PairState, terms: Terms) -> Iterator[Ruling]:
    for mapping in terms.mapping(after).fields:
        theirs = loser.fields.get(mapping.key)
        if theirs is None or blank(mapping, theirs.value) or mapping in terms.linking(after):
            continue
        mine, field = winner.fields.get(mapping.key), after.fields.get(mapping.key)
        stands, had = field.value if field else None, mine.value if mine else None
        version = field.version if field else 0
        if equal(mapping, stands, had):
            if not equal(mapping, stands, theirs.value):
                yield Ruling(mapping.key, Verdict.LOST, theirs.value, stands, version, theirs.value, "", _WINNERS)
            continue
        reason = _BEATS if equal(mapping, stands, theirs.value) else _ADDED
        yield Ruling(mapping.key, Verdict.WON, theirs.value, stands, version, had, "", reason)


def what_ended(event: ChangeEvent) -> str:
    """Which record is part of which from now on."""
    if event.kind is Happened.DELETED:
        return f"{event.system} {event.id} was merged into {event.into}"
    return f"{event.system} {event.id} was converted into {event.into_object or event.object} {event.into}"


def _records(state: PairState) -> str:
    return " = ".join(f"{system} {record}" for system in System if (record := state.record(system).id))
