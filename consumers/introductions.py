"""Who is whom: which pair a record belongs to that the ledger doesn't know, or knows only on one side. Pure.

Order: the id stored on the other side, then the e-mail, then nobody (a pair of its own, which is then created on the other side).
Several candidates make a hold, never a guess. A record that we created while a person was creating the same one gives way to theirs.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

from consumers.ledger.port import Pair
from consumers.mapping import LinkFields
from consumers.merge.reading import meet
from consumers.merge.setting import Folded
from consumers.merge.state import PairState, Record
from consumers.merge.terms import Terms
from consumers.merge.values import canonical
from consumers.merge.writes import born
from streams.events import ChangeEvent, Kind
from streams.systems import MARKETO, SALESFORCE, Object, System, salesforce_id

AMBIGUOUS = "ambiguous match"
_READ, _CREATED = Kind.READ, Kind.CREATED
STORED, EMAIL = "stored id", "e-mail"
"""How a record was recognised."""


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
    """More than one answer: `reason` says which."""

    reason: str


def is_full(event: ChangeEvent) -> bool:
    """Whether an event tells every filled field of its record: a reading, or a creation in Salesforce."""
    return event.kind is _READ or (event.kind is _CREATED and event.system is SALESFORCE)


def clues(event: ChangeEvent, terms: Terms) -> Clues:
    """What a full event tells of who it is."""
    mapping = terms.rules.objects[_object(event, terms)]
    email = mapping.by_key.get(terms.rules.email_key)
    key = canonical(email, _text(event.fields.get(email.name_on(event.system)))) if email else None
    return Clues(stored=_stored(event, terms.rules.links), key=key if isinstance(key, str) else None)


def recognise(event: ChangeEvent, own: Pair | None, stored: Pair | None, alike: Sequence[Pair], ours: bool) -> Match | Ambiguous | None:
    """The pair that this record belongs to, of the pair it carries the id of and those with the same e-mail.

    `own`: the pair that the record has already. `ours`: the event is our own creation. None: nobody's, it stands alone.
    """
    system = event.system
    if stored is not None and stored is not own:
        return _by_stored(event, stored, ours=ours)
    others = [pair for pair in alike if pair is not own and not pair.state.record(system).deleted and not _gone(pair, system.other)]
    open_ones = [pair for pair in others if _is_open(pair, system)]
    if len(others) == 1 and open_ones:
        return Match(pair=open_ones[0], how=EMAIL)
    if not others:
        return None
    return Ambiguous(reason=f"{AMBIGUOUS}: {len(others)} other pair(s) have this e-mail")


def join(state: PairState, event: ChangeEvent, terms: Terms) -> Folded:
    """The record of a full event becomes this pair's record on its side; one that we had created there gives way."""
    state = copy(state)
    before = state.record(event.system)
    if event.system is SALESFORCE:
        state.object = event.object
    if before.id and before.id != event.id:
        state.retract = (*state.retract, (event.system, before.id))
    state.hold = "" if state.hold.startswith(AMBIGUOUS) else state.hold
    return meet(state, event, terms.setting(state.object))


def adopt(state: PairState, event: ChangeEvent) -> PairState:
    """Our own creation comes back in the feed before its answer: the record is this pair's, unless a person's took its place."""
    record = state.record(event.system)
    if not record.id:
        named = copy(record)
        named.id = event.id
        return state.with_record(event.system, named)
    if record.id == event.id or (event.system, event.id) in state.retract:
        return state
    new = copy(state)
    new.retract = (*state.retract, (event.system, event.id))
    return new


def found_born(state: PairState, event: ChangeEvent) -> PairState:
    """A creation of ours in doubt has been found: the record carries the id that we gave it. People may have worked on it since."""
    witnessed = event.system is MARKETO
    return born(state, event.system, event.id, state.record(event.system).creating, witnessed=witnessed)


def inherit(state: PairState, system: System, former: PairState) -> PairState:
    """What the feed told of a record while it stood in a pair of its own: it is not told again, and what waited there waits here."""
    record, before = copy(state.record(system)), former.record(system)
    record.seq, record.at = max(record.seq, before.seq), max(record.at, before.at)
    record.refs = (*before.refs, *(ref for ref in record.refs if ref not in before.refs))
    state = copy(state.with_record(system, record))
    state.waiting = (*state.waiting, *(entry for entry in former.waiting if entry.event.system is system))
    return state


def alone(event: ChangeEvent, terms: Terms) -> PairState:
    """A new pair with this record on its side and nobody on the other."""
    state = PairState(object=_object(event, terms))
    return state.with_record(event.system, Record(id=event.id))


def _object(event: ChangeEvent, terms: Terms) -> Object:
    return event.object if event.system is SALESFORCE else terms.rules.new_people


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


def _by_stored(event: ChangeEvent, stored: Pair, *, ours: bool) -> Match | Ambiguous:
    record = stored.state.record(event.system)
    if ours or not record.id or record.id == event.id or record.origin or record.deleted:
        return Match(pair=stored, how=STORED)
    return Ambiguous(reason=f"{AMBIGUOUS}: it carries the id of a record that is paired with another one")


def _is_open(pair: Pair, system: System) -> bool:
    """Whether this pair has no record on that side, or only one that we made and nobody has touched since."""
    record = pair.state.record(system)
    return not record.id or bool(record.origin)


def _gone(pair: Pair, system: System) -> bool:
    record = pair.state.record(system)
    return bool(record.id) and record.deleted
