"""The plainest event, which most are: somebody changes fields in Salesforce of a record that shows the agreement. Pure.

What `fold` says of it, from what is stored of the fields concerned alone, the rest still packed; nothing where there is any doubt.
"""

from collections.abc import Mapping

import msgspec

from consumers.mapping.fields import FieldMapping
from consumers.merge.decision import Ruling, Verdict
from consumers.merge.late import KEPT
from consumers.merge.link import link_values
from consumers.merge.state import Record, Rest
from consumers.merge.stored import Edited, Stored
from consumers.merge.terms import Terms
from consumers.merge.values import Unfit, equal, neutral
from consumers.merge.verdicts import AGREEING
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import SALESFORCE, Object

_UPDATED, _ACCEPTED, _REASON = Happened.UPDATED, Verdict.ACCEPTED, AGREEING[SALESFORCE]
_BLANK = Rest(None)
_ITS_ID = "\0"
_SETS_MAX = 1_024

_Told = tuple[tuple[FieldMapping | None, ...], msgspec.msgpack.Decoder[msgspec.Struct]]


class Way:
    """The short way for one sort of records, under these terms."""

    def __init__(self, terms: Terms, obj: Object) -> None:
        self.user = terms.identity.salesforce_user
        self._names = terms.rules.objects[obj].by_salesforce
        self._email = terms.rules.email_key
        says = link_values(terms.rules.links, obj, _ITS_ID, deleted=False)
        linking = terms.rules.objects[obj].by_key
        self.links = tuple((key, value) for key, value in says.items() if key in linking)
        """What the link fields should say."""
        self._sets: dict[tuple[str, ...], _Told | None] = {}

    def told(self, names: tuple[str, ...]) -> _Told | None:
        """What fields of these names are mapped to, and a decoder of those, and of the link fields, past all others. None: not plain.

        Few sets of fields are ever changed together.
        """
        if names not in self._sets:
            if len(self._sets) >= _SETS_MAX:
                self._sets.clear()
            self._sets[names] = self._looked_up(names)
        return self._sets[names]

    def _looked_up(self, names: tuple[str, ...]) -> _Told | None:
        mappings = tuple(self._names.get(name) for name in names)
        told = [mapping for mapping in mappings if mapping is not None]
        if not told or any(not mapping.plain or not mapping.marketo or mapping.key == self._email for mapping in told):
            return None
        keys = {f"at_{place}": key for place, key in enumerate([*(mapping.key for mapping in told), *(key for key, _ in self.links)])}
        wanted = msgspec.defstruct("Some", [(place, Rest | None, None) for place in keys], rename=keys, gc=False)
        return mappings, msgspec.msgpack.Decoder(wanted)


def ways(terms: Terms) -> Mapping[Object, Way]:
    """The short ways of all sorts that are kept in step."""
    return {obj: Way(terms, obj) for obj, mapping in terms.rules.objects.items() if not mapping.left_out}


def plainly(state: Stored, event: ChangeEvent, way: Way) -> tuple[Ruling, ...] | None:
    """The rulings on an event that is the next of its record and brings nothing but plain edits: the state is changed in place, and
    Marketo is owed a write. None: nothing has changed; ask `fold`.
    """
    record = state.salesforce
    if (
        not state.calm
        or event.kind is not _UPDATED
        or event.seq <= record.seq
        or event.epoch != record.epoch
        or event.before is not None
        or event.ref
        or event.into
        or event.author == way.user
    ):
        return None
    told = way.told(tuple(event.fields))
    if told is None:
        return None
    mappings, decoder = told
    stored = msgspec.structs.astuple(decoder.decode(state.resting))
    edited, at, place = state.edited, event.at, 0
    changed: dict[str, Edited] = {}
    rulings: list[Ruling] = []
    for mapping, wire in zip(mappings, event.fields.values(), strict=True):
        if mapping is None:
            continue
        edit = _edit(mapping, wire, at, edited.get(mapping.key), stored[place])
        if edit is None:
            return None
        place += 1
        value, key = edit.value, mapping.key
        changed[key] = edit
        rulings.append(Ruling(key, _ACCEPTED, value, value, edit.version, None, "", _REASON))
    for key, says in way.links:
        rest = stored[place]
        place += 1
        value = record.id if says == _ITS_ID else says
        if rest is None or key in edited or rest.value != value or type(rest.value) is not type(value):
            return None
    edited.update(changed)
    _note(record, event)
    return tuple(rulings)


def _edit(mapping: FieldMapping, wire: Value, at: int, before: Edited | None, rest: Rest | None) -> Edited | None:
    """The field after the edit; None: it is not plain."""
    try:
        value = neutral(mapping.type, wire)
    except Unfit:
        return None
    if before is not None:
        if before.marketo or before.replaced is not None or equal(mapping, value, before.value):
            return None
        since = before.agreed_at
        seen_at, was_after = since + before.after, since + before.was_after - at
        after = seen_at - at if seen_at > at else 0
        return Edited(value, before.version + 1, at, before.was, before.was_version, was_after, after, False, None, before.was_replaced)
    rest = rest or _BLANK
    if rest.salesforce_replaced is not None or equal(mapping, value, rest.value):
        return None
    since, version = rest.agreed_at, rest.version
    seen_at, was_after = since + rest.salesforce_after, since + rest.marketo_after - at
    after = seen_at - at if seen_at > at else 0
    return Edited(value, version + 1, at, rest.value, version, was_after, after, False, None, rest.marketo_replaced)


def _note(record: Record, event: ChangeEvent) -> None:
    """This event is among those judged; somebody else has worked on the record."""
    lately = record.lately or (record.seq,)
    record.lately = (*lately[1:], event.seq) if len(lately) >= KEPT else (*lately, event.seq)
    record.seq = event.seq
    record.at = max(record.at, event.at)
    record.origin = ""
