"""Which of the poll's findings the ledger has not seen: the rest need not be relayed, nor re-read."""

from collections.abc import Awaitable, Callable, Sequence

from consumers.ledger.port import Ledger, Named
from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.judge_reading import put_back
from consumers.merge.edits.values import Unfit, clipped, equal, neutral
from consumers.merge.events.reading import last_write
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import Field, PairState
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import System

_IDS_MAX = 1_000
_SECOND_MS = 1_000


def unseen_by(ledger: Ledger, terms: Terms) -> Callable[[list[ChangeEvent]], Awaitable[list[ChangeEvent]]]:
    """The filter for a polling source: of a batch, the events that tell the ledger something new. Raises `Retry`."""

    async def unseen(events: list[ChangeEvent]) -> list[ChangeEvent]:
        states = await states_of(ledger, events)
        return [event for event in events if is_news(event, states.get((event.system, event.object, event.id)), terms)]

    return unseen


async def states_of(ledger: Ledger, events: Sequence[ChangeEvent]) -> dict[Named, PairState]:
    """What the ledger knows of the records of these events. Raises `Retry`."""
    states: dict[Named, PairState] = {}
    for system in System:
        for obj in sorted({event.object for event in events if event.system is system}):
            ids = sorted({event.id for event in events if (event.system, event.object) == (system, obj)})
            for start in range(0, len(ids), _IDS_MAX):
                found = await ledger.states(system, obj, ids[start : start + _IDS_MAX])
                states.update({(system, obj, record): state for record, state in found.items()})
    return states


def is_news(event: ChangeEvent, state: PairState | None, terms: Terms) -> bool:
    """Whether an event tells what the pair of its record does not know yet."""
    if state is None:
        return event.kind is not Happened.DELETED
    record = state.record(event.system)
    if event.ref and all(each in record.refs for each in prints(event.ref)):
        return False
    if event.into:
        return True  # once that is known, this record is nobody's own any more
    if event.kind is Happened.DELETED:
        return not record.deleted
    if event.is_read and (record.deleted or not record.complete):
        return True
    names = terms.rules.objects[state.object].by_name(event.system)
    told = ((names[name], wire) for name, wire in event.fields.items() if name in names)
    last = last_write(state, event, terms.identity)
    return any(_differs(event, field, state.fields.get(field.key) or Field(), wire, last=last) for field, wire in told)


def _differs(event: ChangeEvent, mapping: FieldMapping, field: Field, wire: object, *, last: int | None) -> bool:
    side = field.side(event.system)
    try:
        value = neutral(mapping.type, wire)
    except Unfit as error:
        return side.unusable != str(error) or side.unusable_value != clipped(wire)
    same = side.known and not side.unusable and equal(mapping, value, side.seen)
    if event.is_read:
        return not same or put_back(mapping, side, value, last=last)
    if side.ahead_at and event.at + _SECOND_MS - 1 < side.ahead_at:
        return False
    return side.seen_at < event.at or (side.seen_at == event.at and not same)
