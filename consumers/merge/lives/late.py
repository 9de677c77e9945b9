"""Events of Salesforce's stream that come after later ones: told for the first time when the stream is replayed around a gap. Pure.

Which events of a record were judged is remembered for the last few, so that "later has been judged" is not taken for "was judged".
"""

import msgspec

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.values import Unfit, neutral
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Value

KEPT = 8
"""So many numbers are remembered of each record."""
_LATER = "told late: a later change of this field has been judged"
_OURS = "told late: our own write, settled meanwhile"
_DELETED = "its record was deleted while it waited"


def was_judged(record: Record, seq: int) -> bool:
    """Whether the event with this number was judged, as far as is remembered: what is older than that counts as judged."""
    lately = record.lately
    return seq <= record.seq and (not lately or seq <= lately[0] or seq in lately)


def with_judged(record: Record, seq: int) -> tuple[int, ...]:
    """The numbers remembered once this one was judged, later than others. The first stands for everything up to it."""
    return tuple(sorted({*record.lately, record.seq, seq}))[-KEPT:]


def is_late(record: Record, event: ChangeEvent) -> bool:
    """Whether later events of the record, of the same numbering, have been judged."""
    return event.epoch == record.epoch and 0 < event.seq < record.seq


def still_news(state: PairState, event: ChangeEvent, terms: Terms) -> tuple[ChangeEvent, tuple[Ruling, ...]]:
    """The event with only those fields that nothing later has told of, and a ruling for each of the others."""
    names, own = terms.mapping(state).by_name(event.system), terms.identity.owns(event)
    left, rulings = dict(event.fields), []
    for name, wire in event.fields.items():
        mapping = names.get(name)
        if mapping is None:
            continue
        side = (state.fields.get(mapping.key) or Field()).side(event.system)
        reason = _LATER if side.seen_at >= event.at else _OURS if own and not side.writes else ""
        if reason:
            del left[name]
            rulings.append(_superseded(mapping, wire, reason))
    return msgspec.structs.replace(event, fields=left), tuple(rulings)


def ended(state: PairState, event: ChangeEvent, terms: Terms, why: str = _DELETED) -> tuple[Ruling, ...]:
    """A ruling for each field of a change whose record was deleted before it could be judged."""
    names = terms.mapping(state).by_name(event.system)
    return tuple(_superseded(names[name], wire, why) for name, wire in event.fields.items() if name in names)


def _superseded(mapping: FieldMapping, wire: Value, reason: str) -> Ruling:
    try:
        value = neutral(mapping.type, wire)
    except Unfit:
        value = None
    return Ruling(field=mapping.key, verdict=Verdict.SUPERSEDED, value=value, reason=reason)
