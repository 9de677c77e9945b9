"""Who is whom: which pair a record belongs to that the ledger doesn't know, or knows only on one side. Pure.

Order: the id stored on the other side, then the e-mail, then nobody (a pair of its own, which is then created on the other side).
Several candidates make a hold that names them, never a guess. A record that was deleted on one side and made again meets its pair anew.
A record that we created gives way only to one that was created in the same moment, before our creation's answer came back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.judging.meeting.candidates import AMBIGUOUS, alike, can_take, named
from consumers.ledger.port import Pair
from consumers.mapping.fields import FieldType, LinkFields
from consumers.merge.edits.values import Unfit, canonical, neutral
from consumers.merge.events.reading import meet
from consumers.merge.lives.record import is_from_before_its_end, is_old
from consumers.merge.pair.decision import Folded, Ruling, Verdict
from consumers.merge.pair.state import PairState, Record, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.writes import born, creation, several
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import CREATED_FIELD, MARKETO, SALESFORCE, System, salesforce_id

_READ, _CREATED = Happened.READ, Happened.CREATED
OURS_TO_READ = Ruling(
    field="*", verdict=Verdict.WAITING, reason="made by Tandem, for nobody that is known by it: it is read, to know whose it is"
)
TANDEM = "tandem"
"""`origin` of a record that we have made."""
STORED, EMAIL, NAME = "stored id", "e-mail", "what it belongs to"
"""How a record was recognised."""
MET = "found on both sides by "
"""How the reason begins of a ruling after which a pair has both records."""
_RACE_MS = 180_000
"""A look-up and the creation after it take no longer than this: who was there before was not made at the same time."""
_SECOND_MS = 1_000
"""Both systems stamp creations to the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clues:
    """By what a record can be recognised: the other side's id that it carries, and its e-mail."""

    stored: str | None
    key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The pair that a record belongs to."""

    pair: Pair
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """More than one answer: `reason` names them. `waits`: what may end it when it changes hands."""

    reason: str
    waits: str


def is_full(event: ChangeEvent) -> bool:
    """Whether an event tells every filled field of its record: a reading, or a creation in Salesforce."""
    return event.kind is _READ or (event.kind is _CREATED and event.system is SALESFORCE)


def is_ours_to_read(event: ChangeEvent, terms: Terms) -> bool:
    """Whether the feed tells of a person that we have made, and not of whom: no reading follows it there, since the answer to our call says
    that. Where no pair has it, nobody has that answer (yet), so it is read: the pair may be another one since, or may have given it up."""
    return event.kind is _CREATED and not is_full(event) and terms.identity.owns(event) and terms.mapping_of(event).is_person


def ours_to_read(state: PairState, system: System) -> PairState:
    """The pair of such a person, until that is read."""
    record = shallow(state.record(system))
    record.reread, record.origin = True, TANDEM
    return state.with_record(system, record)


def is_ours_unread(pair: Pair | None, system: System) -> bool:
    """Whether nothing is known of this pair but that we have made its record: it is somebody's, and no second person."""
    return pair is not None and pair.state.record(system).origin == TANDEM and not pair.state.record(system).complete


def is_overtaken(event: ChangeEvent, state: PairState, terms: Terms) -> bool:
    """Whether a full event of this pair's record was judged before, or is from before its deletion, or is a reading from before what is
    known of its e-mail: whom it met then it doesn't meet again."""
    if is_from_before_its_end(state.record(event.system), event):
        return True
    if event.kind is not _READ:
        return event.seq != 0 and is_old(state.record(event.system), event)
    field = state.fields.get(terms.rules.email_key)
    side = field.side(event.system) if field is not None else None
    return side is not None and side.known and event.until < max(side.seen_at, side.ahead_at)


def clues(event: ChangeEvent, terms: Terms) -> Clues:
    """What a full event tells of who it is."""
    mapping = terms.mapping_of(event)
    if not mapping.is_person:
        return Clues(stored=None, key=None)
    email = mapping.by_key.get(terms.rules.email_key)
    key = canonical(email, _text(event.fields.get(email.name_on(event.system)))) if email else None
    return Clues(stored=_stored(event, terms.rules.links), key=key if isinstance(key, str) else None)


def recognise(
    event: ChangeEvent, hint: Clues, own: Pair | None, stored: Pair | None, known: Sequence[Pair], *, ours: bool, how: str = STORED
) -> Match | Ambiguous | None:
    """The pair that this record belongs to, of the pair it carries the id of and those `known` with the same e-mail (`hint.key`).

    `own`: the pair that the record has already. `ours`: the event is our own creation. `how`: by what `stored` was found. None: nobody's,
    it stands alone.
    """
    system = event.system
    if stored is not None and stored is not own:
        return _by_stored(event, stored, ours=ours, how=how)
    others = alike(known, system, own)
    if len(others) == 1 and _is_open(others[0], event):
        return Match(pair=others[0], how=EMAIL)
    if not others:
        return None
    return Ambiguous(reason=f"{AMBIGUOUS}: the same e-mail as {named(others)}", waits=hint.key or "")


def gives_way(record: Record, event: ChangeEvent) -> bool:
    """Whether our record gives way to this one: nobody has touched it, and both were created at once.

    The other creation began before our creation's answer came back, or it could have been found before. Where it isn't known when
    either was made, ours stays.
    """
    if not record.origin or record.deleted or not record.made_until:
        return False
    return record.made_until - _RACE_MS <= created_at(event) < record.made_until


def created_at(event: ChangeEvent) -> int:
    """When the record of a full event was created (ms, the system's clock, whole seconds); 0: it doesn't tell."""
    if event.kind is _CREATED:
        return event.at
    try:
        stamp = neutral(FieldType.DATETIME, event.fields.get(CREATED_FIELD[event.system]))
    except Unfit:
        return 0
    return round(datetime.fromisoformat(stamp).timestamp() * 1000) if isinstance(stamp, str) else 0


def brought_together(state: PairState, event: ChangeEvent, terms: Terms) -> Folded:
    """The record of a full event becomes this pair's record on its side; one that we had created there gives way."""
    state = shallow(state)
    before = state.record(event.system)
    if event.system is SALESFORCE:
        state.object = event.object
    if before.id and before.id != event.id and gives_way(before, event):
        state.retract = (*state.retract, (event.system, before.id))
    if state.hold.startswith(AMBIGUOUS):
        state.hold = state.waits = ""
    return meet(state, event, terms)


def adopt(state: PairState, event: ChangeEvent) -> PairState:
    """Our own creation comes back in the feed before its answer: the record is this pair's, unless a person's took its place."""
    record = state.record(event.system)
    if not record.id:
        record = shallow(record)
        record.id = event.id
        return state.with_record(event.system, record)
    if record.id == event.id or (event.system, event.id) in state.retract:
        return state
    new = shallow(state)
    new.retract = (*state.retract, (event.system, event.id))
    return new


def found_born(state: PairState, event: ChangeEvent) -> PairState:
    """A creation of ours in doubt has been found: the record carries the id that we gave it. People may have worked on it since."""
    made = created_at(event)
    until = made + _SECOND_MS if made else 0
    write = creation(state, event.system)
    witnessed = event.system is MARKETO and not several(state, event.system, write)
    return born(state, event.system, event.id, write, witnessed=witnessed, made_until=until)


def inherit(state: PairState, system: System, former: PairState) -> PairState:
    """What the feed told of a record while it stood in a pair of its own: it is not told again, and what waited there waits here."""
    record, before = shallow(state.record(system)), former.record(system)
    (record.epoch, record.seq), record.at = max((record.epoch, record.seq), (before.epoch, before.seq)), max(record.at, before.at)
    record.refs = (*before.refs, *(ref for ref in record.refs if ref not in before.refs))
    state = shallow(state.with_record(system, record))
    state.waiting = (*state.waiting, *(entry for entry in former.waiting if entry.event.system is system))
    return state


def alone(event: ChangeEvent, terms: Terms) -> PairState:
    """A new pair with this record on its side and nobody on the other."""
    mapping = terms.mapping_of(event)
    state = PairState(object=mapping.object, counterpart=mapping.marketo)
    return state.with_record(event.system, Record(id=event.id))


def _stored(event: ChangeEvent, links: LinkFields) -> str | None:
    if event.system is SALESFORCE:
        value = event.fields.get(links.salesforce_key)
        return str(value).strip() or None if value is not None else None
    for name in (links.contact_id, links.lead_id):
        value = event.fields.get(name)
        if isinstance(value, str) and value.strip():
            try:
                return salesforce_id(value.strip())
            except ValueError:
                continue
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _by_stored(event: ChangeEvent, stored: Pair, *, ours: bool, how: str) -> Match | Ambiguous:
    """The pair whose record this one names, unless that has another one there already."""
    record = stored.state.record(event.system)
    if ours or record.id == event.id or _is_open(stored, event):
        return Match(pair=stored, how=how)
    reason = f"{AMBIGUOUS}: it carries the id of a record that is paired with another one, {named([stored])}"
    return Ambiguous(reason=reason, waits=record.id)


def _is_open(pair: Pair, event: ChangeEvent) -> bool:
    """Whether this pair can take the record: it has none on that side (any more), or one of ours that gives way."""
    return can_take(pair.state, event.system) or gives_way(pair.state.record(event.system), event)


def met(before: Record, event: ChangeEvent, state: PairState, how: str) -> str:
    """How the two records were found to be one person, and what became of the one that stood there before."""
    if not before.id:
        return f"{MET}{how}"
    if (event.system, before.id) in state.retract:
        return f"{MET}{how}; made at the same moment as {before.id}, which Tandem had created: that one gives way"
    return f"{MET}{how}: made again, after {before.id} was deleted"
