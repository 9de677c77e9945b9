"""The plainest event, which most are: somebody changes fields in Salesforce of a record that shows the agreement. Pure.

What `fold` says of it, from what is stored of the fields concerned alone, the rest still packed; nothing where there is any doubt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.values import Unfit, equal, neutral
from consumers.merge.edits.verdicts import AGREEING
from consumers.merge.lives.late import KEPT
from consumers.merge.lives.link import link_values
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.shortened import code_of, moment, shortest
from consumers.merge.pair.state import Record, Rest
from consumers.merge.pair.stored import Edited, Stored
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import SALESFORCE, Object

_UPDATED, _ACCEPTED, _REASON = Happened.UPDATED, Verdict.ACCEPTED, AGREEING[SALESFORCE]
_BLANK = Rest(None)
_astuple = msgspec.structs.astuple
_ITS_ID = "\0"
_SETS_MAX = 1_024


class _Said(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The value of a field at rest, alone."""

    value: Value


@dataclass(frozen=True, slots=True)
class _Told:
    """What fields of some names are mapped to (None: to nothing), and a decoder of those, and of the link fields, past all others."""

    mappings: tuple[tuple[str, FieldMapping | None], ...]
    """And as what each is stored."""
    decoder: msgspec.msgpack.Decoder[msgspec.Struct]


class Way:
    """The short way for one sort of records, under these terms."""

    def __init__(self, terms: Terms, obj: Object) -> None:
        self.user = terms.identity.salesforce_user
        self._names = terms.rules.objects[obj].by_salesforce
        self._email = terms.rules.email_key
        says = link_values(terms.rules.links, obj, _ITS_ID, deleted=False)
        linking = terms.rules.objects[obj].by_key
        self.links = tuple((code_of(key), value) for key, value in says.items() if key in linking)
        """What the link fields should say."""
        self._sets: dict[tuple[str, ...], _Told | None] = {}

    def told(self, names: tuple[str, ...]) -> _Told | None:
        """How these fields are told of; None: not plainly. Few sets of fields are ever changed together."""
        try:
            return self._sets[names]
        except KeyError:
            if len(self._sets) >= _SETS_MAX:
                self._sets.clear()
            told = self._sets[names] = self._looked_up(names)
            return told

    def _looked_up(self, names: tuple[str, ...]) -> _Told | None:
        mappings = tuple(self._names.get(name) for name in names)
        told = [mapping for mapping in mappings if mapping is not None]
        if not told or any(not mapping.plain or not mapping.marketo or mapping.key == self._email for mapping in told):
            return None
        kinds: list[tuple[str, Any]] = [
            *((code_of(mapping.key), Rest | None) for mapping in told),
            *((key, _Said | None) for key, _ in self.links),
        ]
        wanted = msgspec.defstruct(
            "Some",
            [(f"at_{place}", kind, None) for place, (_, kind) in enumerate(kinds)],
            rename={f"at_{place}": key for place, (key, _) in enumerate(kinds)},
            gc=False,
        )
        coded = tuple(("" if mapping is None else code_of(mapping.key), mapping) for mapping in mappings)
        return _Told(coded, msgspec.msgpack.Decoder(wanted))


def ways(terms: Terms) -> Mapping[Object, Way]:
    """The short ways of all sorts that are kept in step."""
    return {obj: Way(terms, obj) for obj, mapping in terms.rules.objects.items() if not mapping.left_out}


def plainly(state: Stored, event: ChangeEvent, way: Way) -> tuple[Ruling, ...] | None:
    """The rulings on an event that is the next of its record and brings nothing but plain edits: the state is changed in place, and
    Marketo is owed a write. None: nothing has changed; ask `fold`.
    """
    fields, record = event.fields, state.salesforce
    if not state.calm or not _is_next(record, event, way) or (told := way.told(tuple(fields))) is None:
        return None
    stored = _astuple(told.decoder.decode(state.resting))
    edited, at, place = state.edited, event.at, 0
    when = shortest(at)
    changed: dict[str, Edited] = {}
    rulings: list[Ruling] = []
    for (code, mapping), wire in zip(told.mappings, fields.values(), strict=True):
        if mapping is None:
            continue
        edit = _edit(mapping, wire, at, when, edited.get(code) or stored[place] or _BLANK)
        if edit is None:
            return None
        place += 1
        changed[code] = edit
        value = edit.value
        rulings.append(Ruling(mapping.key, _ACCEPTED, value, value, edit.version, None, "", _REASON))
    for (code, says), said in zip(way.links, stored[place:], strict=True):
        if said is None or code in edited:
            return None
        value = said.value
        if value is not says and (type(value) is not str or value != (record.id if says is _ITS_ID else says)):
            return None
    edited.update(changed)
    _note(record, event)
    return tuple(rulings)


def _is_next(record: Record, event: ChangeEvent, way: Way) -> bool:
    """Whether this is a change by somebody else, behind all that were told of the record."""
    return (
        event.kind is _UPDATED
        and event.seq > record.seq
        and event.epoch == record.epoch
        and event.before is None
        and not event.ref
        and not event.into
        and event.author != way.user
    )


def _edit(mapping: FieldMapping, wire: Value, at: int, when: int, before: Edited | Rest) -> Edited | None:
    """The field after the edit, which was made at `at`, stored as `when`; None: it is not plain."""
    if type(wire) is str and mapping.as_it_is:
        value: Value = wire or None
    else:
        try:
            value = neutral(mapping.type, wire)
        except Unfit:
            return None
    if equal(mapping, value, before.value):
        return None
    since = before.agreed
    if since < 0:
        since = moment(since)
    if type(before) is Edited:
        if before.marketo or before.replaced is not None:
            return None
        was, was_version, was_after, was_replaced = before.was, before.was_version, before.was_after, before.was_replaced
        seen_at = since + before.after
    else:
        if before.salesforce_replaced is not None:
            return None
        was, was_version, was_after, was_replaced = before.value, before.version, before.marketo_after, before.marketo_replaced
        seen_at = since + before.salesforce_after
    after = seen_at - at if seen_at > at else 0
    return Edited(value, before.version + 1, when, was, was_version, since + was_after - at, after, False, None, was_replaced)


def _note(record: Record, event: ChangeEvent) -> None:
    """This event is among those judged; somebody else has worked on the record."""
    lately = record.lately or (record.seq,)
    record.lately = (*lately[1:], event.seq) if len(lately) >= KEPT else (*lately, event.seq)
    record.seq = event.seq
    record.at = max(record.at, event.at)
    record.origin = ""
