"""What goes into storage comes out again, whatever stood in it, and a stored pair is as good as one that never was stored."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.merge.pair.prints import prints
from consumers.merge.pair.shortened import CODES, NAMES, moment, shortest
from consumers.merge.pair.state import NEVER, Field, Fields, PairState, Record, Rest, Side, Waiting, Write
from consumers.merge.pair.stored import pack, unpack
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import CONTACT, PERSON, System

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False).map(lambda number: number + 0.0), st.text(max_size=5)
)
FEW = st.integers(-1, 2)
WRITES = st.builds(Write, id=FEW, version=FEW, value=VALUES, sent=FEW, look_at=FEW, answered=FEW, moved=st.booleans(), read=st.booleans())
SIDES = st.builds(
    Side,
    known=st.booleans(),
    seen=VALUES,
    seen_at=FEW,
    shows=FEW,
    ahead_at=FEW,
    ahead_until=FEW,
    writes=st.lists(WRITES, max_size=2).map(tuple),
    learnt=st.booleans(),
    sent=VALUES,
    shown=VALUES,
    replaced=VALUES,
    undone=FEW,
    refused=FEW,
    reason=st.text(max_size=3),
)
ANY_FIELD = st.builds(Field, value=VALUES, version=FEW, agreed_at=FEW, salesforce=SIDES, marketo=SIDES, hold=st.text(max_size=3))
AT_REST = st.builds(
    lambda value, version, agreed_at, first, second, third, fourth: Rest(value, version, agreed_at, first, second, third, fourth).field(),
    VALUES,
    FEW,
    FEW,
    FEW,
    FEW,
    VALUES,
    VALUES,
)
BUT_FOR_ONE_THING = st.builds(
    lambda field, side, change: field.with_side(side, msgspec.structs.replace(field.side(side), **change)),
    AT_REST,
    st.sampled_from(System),
    st.one_of(
        st.fixed_dictionaries({"known": st.just(False)}),
        st.fixed_dictionaries({"seen": VALUES}),
        st.fixed_dictionaries({"shows": FEW}),
        st.fixed_dictionaries({"ahead_at": FEW, "ahead_until": FEW}),
        st.fixed_dictionaries({"learnt": st.booleans(), "sent": VALUES, "shown": VALUES}),
        st.fixed_dictionaries({"undone": FEW}),
        st.fixed_dictionaries({"refused": FEW, "reason": st.text(max_size=2)}),
    ),
)
FIELDS = st.dictionaries(st.sampled_from([*"abc", "title", "email", "city"]), st.one_of(ANY_FIELD, AT_REST, BUT_FOR_ONE_THING), max_size=5)


def exact(fields: dict[str, Field]) -> bytes:
    """Equal only for what is equal to the type of every value (1 is not True, nor 1.0)."""
    return msgspec.msgpack.encode(sorted(fields.items()))


@given(FIELDS)
def test_fields_come_back_to_the_letter(fields: dict[str, Field]) -> None:
    found = unpack(pack(PairState(fields=fields)))
    assert exact(dict(found.fields)) == exact(fields)
    assert found == PairState(fields=fields)
    assert len(found.fields) == len(fields)
    assert exact({key: found.fields[key] for key in fields}) == exact(fields)


@given(FIELDS, FIELDS, FIELDS)
def test_a_stored_pair_changes_like_any_other(stored: dict[str, Field], first: dict[str, Field], second: dict[str, Field]) -> None:
    plain = PairState(fields=stored).with_fields(first).with_fields(second)
    lazy = unpack(pack(unpack(pack(PairState(fields=stored))).with_fields(first))).with_fields(second)
    assert exact(dict(lazy.fields)) == exact(dict(plain.fields))
    assert exact(dict(unpack(pack(lazy)).fields)) == exact(dict(plain.fields))


@given(FIELDS)
def test_whatever_is_open_is_among_the_unsettled(fields: dict[str, Field]) -> None:
    unsettled = unpack(pack(PairState(fields=fields))).unsettled()
    for key, field in fields.items():
        sides = (field.salesforce, field.marketo)
        if field.hold or any(side.shows != field.version or side.writes or side.reason or not side.known for side in sides):
            assert unsettled[key] == field


def test_a_pair_at_rest_is_short_and_unpacks_nothing() -> None:
    fields = {f"field{number}": Rest("Example", 2, 1_700_000_000_000, 0, 2_000, None, None).field() for number in range(20)}
    packed = pack(PairState(fields=fields))
    assert len(packed) < 20 * 55 + 100
    assert unpack(packed).unsettled() == {}


def test_all_the_rest_of_a_pair_comes_back() -> None:
    event = ChangeEvent(system=System.MARKETO, object=PERSON, id="17", kind=Happened.UPDATED, source="activities", at=5, fields={"a": None})
    state = PairState(
        object=CONTACT,
        fields={"a": Field(hold="review: two")},
        salesforce=Record(id="003000000000000001", complete=True, refs=prints("a,b"), origin="tandem"),
        marketo=Record(id="17", refused_mark=3, refused="no"),
        waiting=(Waiting(event=event, until=9),),
        lane=2,
        hold="ambiguous match: two",
        retract=((System.MARKETO, "18"),),
        due=(1, 2, 3, 4),
    )
    assert unpack(pack(state)) == state
    assert unpack(pack(state)).retract[0][0] is System.MARKETO


def test_fields_are_a_mapping_like_any_other() -> None:
    resting = Rest("a", 1, 0, 0, 0, None, None).field()
    open_one = Field(value="b", version=2, salesforce=Side(shows=NEVER))
    fields = unpack(pack(PairState(fields={"x": resting, "y": open_one}))).fields
    assert isinstance(fields, Fields)
    assert fields == {"x": resting, "y": open_one} == fields
    assert fields != {"x": resting}
    assert (fields.get("x"), fields.get("z"), fields.get("z", open_one)) == (resting, None, open_one)
    assert ("x" in fields, "z" in fields, sorted(fields)) == (True, False, ["x", "y"])
    assert [*fields.values()] == [fields[key] for key in fields]
    with pytest.raises(KeyError):
        fields["z"]
    replaced = fields.replaced({"x": open_one})
    assert {**replaced} == {"x": open_one, "y": open_one}
    assert fields["x"] == resting


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x93\x01\x02\x03", msgspec.msgpack.encode({"fields": {}})])
def test_what_is_no_state_is_refused(data: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
        unpack(data)


@given(FIELDS, FEW)
def test_a_state_of_the_version_before_says_the_same(fields: dict[str, Field], at: int) -> None:
    at_rest = {key: rest for key, field in fields.items() if (rest := as_it_was_at_rest(field)) is not None}
    unsettled = {key: field for key, field in fields.items() if key not in at_rest}
    out_of_date = dict.fromkeys(list(unsettled)[:1], ("old", 1, 2, 3, 4, None, None))
    record = Record(id="00Q1", complete=True, seq=7, at=at)
    told = (CONTACT, unsettled, {**at_rest, **out_of_date}, record, Record(id="8", refs=("a", "b")), (), 1, "held", (), (0, 5, 0, 0))
    before = PairState(
        object=CONTACT, fields=fields, salesforce=record, marketo=Record(id="8", refs=prints("a,b")), lane=1, hold="held", due=(0, 5, 0, 0)
    )
    found = unpack(msgspec.msgpack.encode(told))
    assert found == before
    assert exact(dict(found.fields)) == exact(fields)
    assert exact(dict(unpack(pack(found)).fields)) == exact(fields)


def as_it_was_at_rest(field: Field) -> tuple[object, ...] | None:
    one, other = field.salesforce, field.marketo
    if type(one.seen) is not type(field.value) or type(other.seen) is not type(field.value):
        return None
    at = field.agreed_at
    rest = Rest(field.value, field.version, shortest(at), one.seen_at - at, other.seen_at - at, one.replaced, other.replaced)
    told = (field.value, field.version, at, one.seen_at, other.seen_at, one.replaced, other.replaced)
    return told if rest.field() == field else None


@given(st.integers(-3, 2**53))
def test_a_moment_comes_back(at: int) -> None:
    assert moment(shortest(at)) == at or at < 0


def test_names_keep_the_characters_that_stand_for_them() -> None:
    assert (CODES["salutation"], CODES["sfIsDeleted"], CODES["dateOfBirth"], len(NAMES)) == ("!", "|", "0", 30)
