"""A pair as the ledger stores it: MessagePack, in which the fields at rest take a line each and stay packed until they are asked for."""

import msgspec

from consumers.merge.state import Field, Fields, PairState, Record, Rest, Resting, Waiting
from streams.wire.systems import PERSON, Object, System


class _Stored(msgspec.Struct, array_like=True, gc=False):
    """A pair as it is stored."""

    object: Object
    unsettled: dict[str, Field]
    resting: msgspec.Raw
    """A map. What is in `unsettled`, too, is out of date here: most events unsettle a field or two, and the rest stays as it is."""
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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)
_NOTHING = msgspec.Raw(_encoder.encode({}))


def pack(state: PairState) -> bytes:
    """The state as MessagePack, as stored."""
    fields = state.fields
    unsettled = state.unsettled()
    resting = fields.resting.raw if type(fields) is Fields else _NOTHING
    rested = {key: rest for key, field in unsettled.items() if (rest := _rest(field)) is not None}
    if rested:
        before = fields.resting.fields() if type(fields) is Fields else {}
        kept = {key: stored for key, stored in before.items() if key not in unsettled}
        resting = msgspec.Raw(_encoder.encode({**kept, **rested}))
        unsettled = {key: field for key, field in unsettled.items() if key not in rested}
    return _encoder.encode(
        (
            state.object,
            unsettled,
            resting,
            state.salesforce,
            state.marketo,
            state.waiting,
            state.lane,
            state.hold,
            state.retract,
            state.due,
            state.waits,
            state.merges,
            state.counterpart,
            state.wanted,
        )
    )


def unpack(data: bytes) -> PairState:
    """The state from storage. Raises msgspec.DecodeError or ValidationError if it isn't one."""
    stored = _decoder.decode(data)
    return PairState(
        stored.object,
        Fields(stored.unsettled, Resting(stored.resting)),
        stored.salesforce,
        stored.marketo,
        stored.waiting,
        stored.lane,
        stored.hold,
        stored.retract,
        stored.due,
        stored.waits,
        stored.merges,
        stored.counterpart,
        stored.wanted,
    )


def _rest(field: Field) -> Rest | None:
    """The field's short form, if that says all there is to say."""
    value, version, salesforce, marketo = field.value, field.version, field.salesforce, field.marketo
    if salesforce.shows != version or marketo.shows != version or field.hold or salesforce.writes or marketo.writes:
        return None
    if type(salesforce.seen) is not type(value) or type(marketo.seen) is not type(value):
        return None
    rest = Rest(value, version, field.agreed_at, salesforce.seen_at, marketo.seen_at, salesforce.replaced, marketo.replaced)
    return rest if rest.field() == field else None
