"""What the ledger knows of a pair: for each field the agreement and what each side shows, and for each side its record."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from consumers.merge.pair.shortened import moment, name_of
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import LEAD, MARKETO, PERSON, SALESFORCE, Object, System

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def shallow(struct: _Struct) -> _Struct:
    """A shallow copy, as `copy.copy` makes it, in half the time."""
    new: _Struct = struct.__copy__()  # type: ignore[attr-defined]
    return new


NEVER = -1
"""`shows` of a side that shows a value that lost, or has never shown any agreement."""

PENDING, FAILED = 0, -1
"""`answered` of a write that is under way; of one whose answer never came. Otherwise: when it was answered (ms)."""


class Write(msgspec.Struct, array_like=True, gc=False):
    """One field of a write under way: from the intent until the feed shows it (or a read tells)."""

    id: int
    version: int
    value: Value
    sent: int
    look_at: int
    answered: int = PENDING
    moved: bool = False
    """The side's feed has brought something for this field since."""
    read: bool = False
    """A read has shown the value in place while the feed was silent."""
    done_by: int = 0
    """Once answered: the latest moment at which it may have been made (ms, the system's clock); 0 if not known."""
    placed: bool = False
    """The side's feed has come to this write, and can't say what it brought: what it brings from then on was made after it."""
    doubted: bool = False
    """Since then a look has found something else there, which the feed may yet tell of."""


def is_out(write: Write, calling: int) -> bool:
    """Whether the call of this write is still out. `calling`: the one that its record waits for."""
    return write.answered == PENDING and write.id == calling


class Side(msgspec.Struct, array_like=True, gc=False):
    """One field on one side."""

    known: bool = True
    """False until this side's value was first met (a record that is being linked)."""
    seen: Value = None
    """The last value in this side's own order of changes."""
    seen_at: int = 0
    """When the feed says that value was set (ms, the system's clock)."""
    shows: int = 0
    """The version of the agreement that this side shows, or NEVER."""
    ahead_at: int = 0
    """Set while `seen` comes from a read that is ahead of the feed: the earliest and the latest moment that the read may show."""
    ahead_until: int = 0
    writes: tuple[Write, ...] = ()
    learnt: bool = False
    sent: Value = None
    """With `learnt`: what we sent, and what the system made of it."""
    shown: Value = None
    replaced: Value = None
    """What our last confirmed write replaced; an edit that brings it back undoes our write."""
    undone: int = 0
    refused: int = NEVER
    """The version that the system refused, with its own words in `reason`."""
    reason: str = ""
    forgotten: tuple[Write, ...] = ()
    """Writes that nobody waits for any more though they may still arrive, or come back: kept until the feed is past them."""
    unusable: str = ""
    """Why the value that this side told last could not be taken; "" when it could. `unusable_value`: that value, clipped."""
    unusable_value: str = ""
    unplaced: tuple[tuple[Value, int], ...] | None = None
    """Set while `seen` is ahead of a feed that could not tell something: what it has told since of the reading's own second, and when."""


class Field(msgspec.Struct, array_like=True, gc=False):
    """One field of a pair. The default stands for a field that neither side ever filled: both show version 0, blank."""

    value: Value = None
    """The agreement."""
    version: int = 0
    agreed_at: int = 0
    """When the agreement was made on the side it came from (ms, that side's clock)."""
    salesforce: Side = msgspec.field(default_factory=Side)
    marketo: Side = msgspec.field(default_factory=Side)
    hold: str = ""
    """Why this field waits: `review: …` or `contested: …`."""

    def side(self, system: System) -> Side:
        """The field on one side."""
        return self.salesforce if system is SALESFORCE else self.marketo

    def with_side(self, system: System, side: Side) -> "Field":
        """A copy in which one side is replaced."""
        new = shallow(self)
        if system is SALESFORCE:
            new.salesforce = side
        else:
            new.marketo = side
        return new


class Rest(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A field at rest, as it is stored: both sides show the agreement, to the letter, and nothing else is to be said of it.

    Whatever is as it is by default at its end is not stored.
    """

    value: Value
    version: int = 0
    agreed: int = 0
    """When, as `shortest` has it."""
    salesforce_after: int = 0
    """How much later than the agreement the side's own feed dates it."""
    marketo_after: int = 0
    salesforce_replaced: Value = None
    marketo_replaced: Value = None

    @property
    def agreed_at(self) -> int:
        """When the agreement was made (ms)."""
        return moment(self.agreed)

    def field(self) -> Field:
        """The field in full."""
        return Field(self.value, self.version, self.agreed_at, self.side(SALESFORCE), self.side(MARKETO))

    def side(self, system: System) -> Side:
        """One side of it in full."""
        if system is SALESFORCE:
            after, was = self.salesforce_after, self.salesforce_replaced
        else:
            after, was = self.marketo_after, self.marketo_replaced
        return Side(True, self.value, self.agreed_at + after, self.version, 0, 0, (), False, None, None, was)


_rest_decoder = msgspec.msgpack.Decoder(Rest)
_resting_decoder = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


class Resting:
    """The fields that were at rest when the pair was stored: as they were stored, taken apart when the first of them is asked for."""

    __slots__ = ("_fields", "raw")

    def __init__(self, raw: msgspec.Raw) -> None:
        self.raw = raw
        self._fields: dict[str, msgspec.Raw] | None = None

    def fields(self) -> dict[str, msgspec.Raw]:
        if self._fields is None:
            self._fields = {name_of(code): stored for code, stored in _resting_decoder.decode(self.raw).items()}
        return self._fields


class Fields(Mapping[str, Field]):
    """The fields of a stored pair. Those that were stored at rest are unpacked when they are asked for. Never changed in place."""

    __slots__ = ("resting", "unsettled")

    def __init__(self, unsettled: dict[str, Field], resting: Resting) -> None:
        self.unsettled = unsettled
        """All fields but those at rest; some of them may have come to rest since."""
        self.resting = resting
        """Those at rest, unless they are in `unsettled`, too: that is what they are now."""

    def __getitem__(self, key: str) -> Field:
        field = self.get(key)
        if field is None:
            raise KeyError(key)
        return field

    def get(self, key: str, default: Field | None = None) -> Field | None:  # type: ignore[override]  # one default is enough
        """The field, or the default."""
        field = self.unsettled.get(key)
        if field is not None:
            return field
        stored = self.resting.fields().get(key)
        return default if stored is None else _rest_decoder.decode(stored).field()

    def __contains__(self, key: object) -> bool:
        return key in self.unsettled or key in self.resting.fields()

    def __iter__(self) -> Iterator[str]:
        resting = self.resting.fields()
        yield from resting
        yield from (key for key in self.unsettled if key not in resting)

    def __len__(self) -> int:
        return len(self.resting.fields().keys() | self.unsettled.keys())

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as a dict's

    def __repr__(self) -> str:
        return f"Fields({dict(self)!r})"

    def replaced(self, changed: Mapping[str, Field]) -> "Fields":
        return Fields({**self.unsettled, **changed}, self.resting)

    def at_rest(self, key: str) -> Rest | None:
        if key in self.unsettled:
            return None
        stored = self.resting.fields().get(key)
        return None if stored is None else _rest_decoder.decode(stored)


class Record(msgspec.Struct, array_like=True, gc=False):
    """One side's record of a pair."""

    id: str = ""
    """Empty while the record does not exist (or isn't known) on this side."""
    complete: bool = False
    """All mapped fields were told once (a creation, or a read)."""
    deleted: bool = False
    seq: int = 0
    at: int = 0
    """The newest feed event judged: its order and time; `at` may be that of a reading (`record.seen_alive`)."""
    refs: tuple[int | str, ...] = ()
    """The newest feed events judged, by the prints of the system's own names (`record.prints`)."""
    calling: int = 0
    """A call for this record is under way: the id of its write; 0 when none is."""
    calling_until: int = 0
    """From when on that call is taken for lost (ms, ours)."""
    creating: int = 0
    """The id of the write that creates this record, until the record is known."""
    reread: bool = False
    """Read this record: it is incomplete, or a read and the feed could not be put in order."""
    refused: str = ""
    """Why the system refused to create it, or to take a write of it without naming a field, in its own words."""
    refused_mark: int = 0
    """`plan.row_mark` when the last write was planned: once anything has changed, what was refused is tried again, whole."""
    origin: str = ""
    """`tandem` when we created this record, else empty."""
    made_until: int = 0
    """With `origin`: by when our creation was answered (ms, the system's clock); 0: not known."""
    epoch: int = 0
    """Which numbering `seq` belongs to."""
    caller: int = 0
    """The process that makes the call under way (`callers.number_of`); 0 when none is, or nobody knows."""
    lately: tuple[int, ...] = ()
    """The numbers (`seq`) of the newest feed events judged, growing; the first stands for all before it."""
    heir: int = 0
    """Until it is read: how it came to be this pair's (`identity.SECOND`, `CONVERTED`, `WINNER`)."""
    restored: int = 0
    """When it was last restored, as far as is known (ms, the system's clock); 0: never."""


class Waiting(msgspec.Struct, array_like=True):
    """A feed event that can't be judged yet: a link before it is missing."""

    event: ChangeEvent
    until: int
    """Judge it anyway from then on (ms, ours)."""


class Ended(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How far a record of Salesforce had been judged that is part of another one since, or is to be (`lives.ended`)."""

    id: str
    epoch: int = 0
    seq: int = 0
    at: int = 0
    owed: bool = False
    """It was deleted while it was to be merged: once it is back it is to be merged again."""


class PairState(msgspec.Struct, gc=False):
    """Everything about one pair. Functions of the merge take it and return a new one; nothing else changes it."""

    object: Object = LEAD
    fields: Mapping[str, Field] = {}
    salesforce: Record = msgspec.field(default_factory=Record)
    marketo: Record = msgspec.field(default_factory=Record)
    waiting: tuple[Waiting, ...] = ()
    lane: int = 0
    hold: str = ""
    """Why the pair as a whole waits (ambiguous match, ...)."""
    retract: tuple[tuple[System, str], ...] = ()
    """Records that we created while a person was creating the same one: to be deleted again."""
    due: tuple[int, int, int, int] = (0, 0, 0, 0)
    """As stored beside the pair: from when on (ms, ours; 0: not) a write is owed to Salesforce, to Marketo, a look is due at each."""
    waits: str = ""
    """With an ambiguous match: what may end it when it changes hands, a match key or the id of a record."""
    merges: tuple[tuple[System, str], ...] = ()
    """Records that are to be merged into this pair's on their side; "" is one that a creation in doubt may have made (`joining.join`)."""
    counterpart: Object = PERSON
    """What its Marketo record is called there."""
    wanted: int = 0
    """Somebody has asked for this person to be in Salesforce, whatever the rule says: since then (ms, ours); 0: nobody has."""
    name: str = ""
    """Of what is named in Marketo by its parents: its name there, known once they are, whether it is there itself or not."""
    unmerged: tuple[tuple[str, str, int], ...] = ()
    """Of `merges`, records with which a merge was refused: each with the reason, and what the merge was planned from (`plan.row_mark`)."""
    ended: tuple[Ended, ...] = ()
    """Records of Salesforce that are part of this pair's since, or are to be: how far each had been judged."""

    def named_on(self, system: System) -> Object:
        """What its record on a side is called there."""
        return self.object if system is SALESFORCE else self.counterpart

    def mark(self) -> int:
        """A number that grows with every change of an agreement."""
        return sum(field.version for field in self.fields.values())

    def record(self, system: System) -> Record:
        """One side's record."""
        return self.salesforce if system is SALESFORCE else self.marketo

    def with_record(self, system: System, record: Record) -> "PairState":
        """A copy in which one record is replaced."""
        new = shallow(self)
        if system is SALESFORCE:
            new.salesforce = record
        else:
            new.marketo = record
        return new

    def with_fields(self, changed: Mapping[str, Field]) -> "PairState":
        """A copy in which some fields are replaced."""
        new = shallow(self)
        fields = self.fields
        new.fields = fields.replaced(changed) if type(fields) is Fields else {**fields, **changed}
        return new

    def at_rest(self, key: str) -> Rest | None:
        """The field as it was stored, if it was at rest and still is."""
        return self.fields.at_rest(key) if type(self.fields) is Fields else None

    def unsettled(self) -> Mapping[str, Field]:
        """At least every field for which something is owed, under way, refused or held."""
        return self.fields.unsettled if type(self.fields) is Fields else self.fields
