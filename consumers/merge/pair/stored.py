"""A pair as the ledger stores it: MessagePack, of which as little is taken apart as is asked for.

Fields at rest take a line each and stay packed; a field that one side has just changed has a short form, too. A state of the version
before is taken for what it says, and stored like any other with its next change.
"""

from typing import NamedTuple, final

import msgspec

from consumers.merge.pair.prints import prints
from consumers.merge.pair.shortened import code_of, moment, name_of, shortest
from consumers.merge.pair.state import NEVER, Ended, Field, Fields, PairState, Record, Rest, Resting, Side, Waiting, shallow
from streams.wire.events import Value
from streams.wire.systems import PERSON, Object, System

FORM = 2
"""How states are stored now; told by the first element, where the version before had the object's name."""
_SHORTEST, _PLACE_OF_FORM = 3, 1


@final
class Edited(msgspec.Struct, array_like=True, gc=False):
    """A field that one side has changed since the other showed it, and of which nothing else is to be said. Ends as `Rest` does."""

    value: Value
    version: int = 0
    agreed: int = 0
    was: Value = None
    """What the other side shows, the version of that, and when, counted from the agreement."""
    was_version: int = 0
    was_after: int = 0
    after: int = 0
    """How much later than the agreement the editing side's own feed dates it."""
    marketo: bool = False
    """Whose change it is."""
    replaced: Value = None
    was_replaced: Value = None

    def field(self) -> Field:
        """The field in full."""
        at = moment(self.agreed)
        ours = Side(True, self.value, at + self.after, self.version, 0, 0, (), False, None, None, self.replaced)
        theirs = Side(True, self.was, at + self.was_after, self.was_version, 0, 0, (), False, None, None, self.was_replaced)
        one, other = (theirs, ours) if self.marketo else (ours, theirs)
        return Field(self.value, self.version, at, one, other)


class Others(msgspec.Struct, array_like=True, gc=False):
    """What an edit in Salesforce of a calm pair has nothing to do with."""

    marketo: Record
    unsettled: dict[str, Field]
    waiting: tuple[Waiting, ...]
    hold: str
    retract: tuple[tuple[System, str], ...]
    waits: str
    merges: tuple[tuple[System, str], ...]
    counterpart: Object
    wanted: int = 0
    name: str = ""
    unmerged: tuple[tuple[str, str, int], ...] = ()
    ended: tuple[Ended, ...] = ()


class Stored(msgspec.Struct, array_like=True, gc=False):
    """A pair as it is stored, with what most events ask for in front; the others are still packed."""

    form: int
    object: Object
    calm: bool
    """Both records are there and known, nothing is held, under way, looked for, refused or owed to Salesforce; no field has a long form."""
    edited: dict[str, Edited]
    """By `code_of` their names, as those at rest."""
    resting: msgspec.Raw
    """A map. What is in `edited`, or unsettled, too, is out of date here: most events unsettle a field or two, and the rest stays."""
    salesforce: Record
    lane: int
    due: tuple[int, int, int, int]
    others: msgspec.Raw


class _Before(msgspec.Struct, array_like=True, gc=False):
    """A pair as the version before stored it."""

    object: Object
    unsettled: dict[str, Field]
    resting: dict[str, tuple[Value, int, int, int, int, Value, Value]]
    salesforce: Record
    marketo: Record
    waiting: tuple[Waiting, ...]
    lane: int
    hold: str
    retract: tuple[tuple[System, str], ...]
    due: tuple[int, int, int, int]
    waits: str = ""
    merges: tuple[tuple[System, str], ...] = ()
    counterpart: Object = PERSON
    wanted: int = 0


class _Agreed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Of a field in any of its forms: what is agreed. It stands first in each."""

    value: Value


class Agreed(NamedTuple):
    """What is agreed of a pair, and what its records are."""

    object: Object
    values: dict[str, Value]
    salesforce: Record
    marketo: Record
    hold: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Stored)
_agreed_decoder = msgspec.msgpack.Decoder(dict[str, _Agreed])
_others_decoder = msgspec.msgpack.Decoder(Others)
_before_decoder = msgspec.msgpack.Decoder(_Before)
_AT_REST, _EDITED = msgspec.structs.astuple(Rest(None)), msgspec.structs.astuple(Edited(None))
_NOTHING = msgspec.Raw(_encoder.encode({}))


def stored(data: bytes) -> Stored | None:
    """The state as far as it is taken apart at once; None where it is of the version before. Raises as `unpack`."""
    if len(data) >= _SHORTEST and data[_PLACE_OF_FORM] == FORM:
        return _decoder.decode(data)
    return None


def pack(state: PairState) -> bytes:
    """The state as MessagePack, as stored."""
    fields = state.fields
    unsettled = state.unsettled()
    resting = fields.resting.raw if type(fields) is Fields else _NOTHING
    rested: dict[str, tuple[Value, ...]] = {}
    edited: dict[str, tuple[Value, ...]] = {}
    full: dict[str, Field] = {}
    for key, field in unsettled.items():
        if (rest := _rest(field)) is not None:
            rested[code_of(key)] = rest
        elif (edit := _edited(field)) is not None:
            edited[code_of(key)] = edit
        else:
            full[key] = field
    if rested:
        before = fields.resting.fields() if type(fields) is Fields else {}
        kept = {code_of(key): stored for key, stored in before.items() if key not in unsettled}
        resting = msgspec.Raw(_encoder.encode({**kept, **rested}))
    others = (
        state.marketo, full, state.waiting, state.hold, state.retract, state.waits, state.merges, state.counterpart, state.wanted,
        state.name, state.unmerged, state.ended,
    )  # fmt: skip
    calm = not full and _is_calm(state)
    return _encoder.encode((FORM, state.object, calm, edited, resting, state.salesforce, state.lane, state.due, others))


def repack(state: Stored) -> bytes:
    """The same of a state that was only changed in front."""
    return _encoder.encode(state)


def unpack(data: bytes) -> PairState:
    """The state from storage. Raises msgspec.DecodeError or ValidationError if it isn't one."""
    front = stored(data)
    return unfolded(front) if front is not None else _of_before(_before_decoder.decode(data))


def unfolded(front: Stored) -> PairState:
    """The whole state. Raises as `unpack`."""
    others = _others_decoder.decode(front.others)
    unsettled = others.unsettled
    for code, edited in front.edited.items():
        unsettled[name_of(code)] = edited.field()
    return PairState(
        front.object,
        Fields(unsettled, Resting(front.resting)),
        front.salesforce,
        others.marketo,
        others.waiting,
        front.lane,
        others.hold,
        others.retract,
        front.due,
        others.waits,
        others.merges,
        others.counterpart,
        others.wanted,
        others.name,
        others.unmerged,
        others.ended,
    )


def agreed(data: bytes) -> Agreed:
    """What is agreed, for who asks for nothing else: no field is put together. Raises as `unpack`."""
    front = stored(data)
    if front is None:
        state = unpack(data)
        return Agreed(state.object, {key: field.value for key, field in state.fields.items()}, state.salesforce, state.marketo, state.hold)
    others = _others_decoder.decode(front.others)
    values = {name_of(code): field.value for code, field in _agreed_decoder.decode(front.resting).items()}
    values |= {key: field.value for key, field in others.unsettled.items()}
    values |= {name_of(code): edited.value for code, edited in front.edited.items()}
    return Agreed(front.object, values, front.salesforce, others.marketo, others.hold)


def _of_before(told: _Before) -> PairState:
    resting = {
        code_of(key): _short((value, version, shortest(at), one - at, other - at, was, were), _AT_REST)
        for key, (value, version, at, one, other, was, were) in told.resting.items()
        if key not in told.unsettled
    }
    return PairState(
        told.object,
        Fields(told.unsettled, Resting(msgspec.Raw(_encoder.encode(resting)))),
        _with_prints(told.salesforce),
        _with_prints(told.marketo),
        told.waiting,
        told.lane,
        told.hold,
        told.retract,
        told.due,
        told.waits,
        told.merges,
        told.counterpart,
        told.wanted,
    )


def _with_prints(record: Record) -> Record:
    if not record.refs:
        return record
    new = shallow(record)
    new.refs = tuple(each for ref in record.refs for each in (prints(ref) if isinstance(ref, str) else (ref,)))
    return new


def _is_calm(state: PairState) -> bool:
    """As `Stored.calm`, but for the fields."""
    if state.hold or state.waiting or state.retract or state.waits or state.merges or state.due[0] or state.due[2] or state.due[3]:
        return False
    return _is_at_ease(state.salesforce) and _is_at_ease(state.marketo)


def _is_at_ease(record: Record) -> bool:
    """Whether a record is there, and there is nothing to be said of it."""
    return (
        bool(record.id)
        and record.complete
        and not (record.deleted or record.calling or record.creating or record.reread or record.refused or record.heir)
    )


def _rest(field: Field) -> tuple[Value, ...] | None:
    """The short form of a field at rest, if that says all there is to say."""
    value, version, salesforce, marketo = field.value, field.version, field.salesforce, field.marketo
    if salesforce.shows != version or marketo.shows != version or field.hold or salesforce.writes or marketo.writes:
        return None
    if type(salesforce.seen) is not type(value) or type(marketo.seen) is not type(value):
        return None
    at = field.agreed_at
    rest = Rest(value, version, shortest(at), salesforce.seen_at - at, marketo.seen_at - at, salesforce.replaced, marketo.replaced)
    return _short(msgspec.structs.astuple(rest), _AT_REST) if rest.field() == field else None


def _edited(field: Field) -> tuple[Value, ...] | None:
    """The short form of a field that one side has changed, if that says all there is to say."""
    version, at, one, other = field.version, field.agreed_at, field.salesforce, field.marketo
    marketo = one.shows != version
    if marketo:
        one, other = other, one
    if (
        one.shows != version
        or field.hold
        or one.writes
        or other.writes
        or other.refused != NEVER
        or type(one.seen) is not type(field.value)
    ):
        return None
    edit = Edited(
        field.value,
        version,
        shortest(at),
        other.seen,
        other.shows,
        other.seen_at - at,
        one.seen_at - at,
        marketo,
        one.replaced,
        other.replaced,
    )
    return _short(msgspec.structs.astuple(edit), _EDITED) if edit.field() == field else None


def _short(told: tuple[Value, ...], usual: tuple[Value, ...]) -> tuple[Value, ...]:
    """Without what is as usual at its end."""
    end = len(told)
    while end > 1 and told[end - 1] == usual[end - 1] and type(told[end - 1]) is type(usual[end - 1]):
        end -= 1
    return told[:end]
