"""The short ways of judging a plain edit say what the judge says, or nothing."""

from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.mapping.fields import Direction, FieldMapping, FieldType, Rule, RuleName
from consumers.merge.edits.forgotten import FORGOTTEN_MS
from consumers.merge.edits.judge import accepted_at_once, accepted_from_rest, judge_feed
from consumers.merge.edits.values import canonical, equal
from consumers.merge.edits.verdicts import Edit
from consumers.merge.pair.state import NEVER, Field, PairState, Rest, Side, Write
from consumers.merge.pair.stored import pack, unpack
from streams.wire.events import Value
from streams.wire.systems import LEAD, System

PLAIN = FieldMapping(
    key="title", salesforce="Title", marketo="title", type=FieldType.TEXT, direction=Direction.BOTH,
    rule=Rule(name=RuleName.MARKETO, default=System.MARKETO),
)  # fmt: skip
VALUES: st.SearchStrategy[Value] = st.sampled_from([None, "a", " a", "b", "b\r\n", "é", "e\u0301", ""])
TIMES = st.integers(0, 5_000)
WRITES = st.builds(Write, id=st.integers(1, 3), version=st.integers(0, 3), value=VALUES, sent=TIMES, look_at=TIMES, done_by=TIMES)
SIDES = st.builds(
    Side,
    known=st.booleans(),
    seen=VALUES,
    seen_at=TIMES,
    shows=st.integers(NEVER, 3),
    ahead_at=st.sampled_from([0, 0, 0, 1_000]),
    ahead_until=st.sampled_from([0, 2_000]),
    writes=st.lists(WRITES, max_size=1).map(tuple),
    learnt=st.booleans(),
    sent=VALUES,
    shown=VALUES,
    replaced=VALUES,
    undone=st.integers(0, 2),
    refused=st.integers(NEVER, 3),
)
FIELDS = st.builds(
    Field,
    value=VALUES,
    version=st.integers(0, 3),
    agreed_at=TIMES,
    salesforce=SIDES,
    marketo=SIDES,
    hold=st.sampled_from(["", "", "review: x", "contested: y"]),
)


def sent_at(write: Write, sent: int) -> Write:
    """The write, sent at that moment: long ago, the feed is past it."""
    return msgspec.structs.replace(write, sent=sent)


ODD: dict[str, st.SearchStrategy[object]] = {
    "known": st.just(False),
    "shows": st.integers(NEVER, 3),
    "ahead_at": st.sampled_from([1, 1_000]),
    "writes": WRITES.map(lambda write: (write,)),
    "learnt": st.just(True),
    "replaced": VALUES,
    "undone": st.integers(1, 3),
    "refused": st.integers(0, 3),
    "forgotten": st.builds(sent_at, WRITES, st.integers(-FORGOTTEN_MS, 1_000)).map(lambda write: (write,)),
}
"""What may be to be remembered of a side; one thing at a time, so that each is met alone."""


@st.composite
def nearly_plain(draw: st.DrawFn) -> Field:
    """A field whose sides show the agreement, but for one thing on each at the most."""
    value, version = draw(VALUES), draw(st.integers(0, 3))
    sides = []
    for _ in System:
        side = Side(seen=value, seen_at=draw(TIMES), shows=version, ahead_until=2_000, sent=draw(VALUES), shown=draw(VALUES))
        name = draw(st.sampled_from([None, *ODD]))
        if name is not None:
            setattr(side, name, draw(ODD[name]))
        sides.append(side)
    hold = draw(st.sampled_from(["", "", "", "review: x", "contested: y"]))
    return Field(value=value, version=version, agreed_at=draw(TIMES), salesforce=sides[0], marketo=sides[1], hold=hold)


RESTS = st.builds(
    Rest, value=VALUES, version=st.integers(0, 3), agreed=TIMES, salesforce_after=TIMES, marketo_after=TIMES,
    salesforce_replaced=VALUES, marketo_replaced=VALUES,
)  # fmt: skip
SYSTEMS = st.sampled_from(System)
TYPES = st.sampled_from(FieldType)


@given(FIELDS | nearly_plain(), SYSTEMS, VALUES, TIMES)
@settings(max_examples=400)
def test_an_edit_judged_at_once_is_judged_as_in_full(field: Field, system: System, value: Value, at: int) -> None:
    short = accepted_at_once(PLAIN, field, system, value, at)
    if short is not None:
        assert short == judge_feed(PLAIN, field, Edit(side=system, object=LEAD, value=value, at=at))


@given(RESTS, SYSTEMS, VALUES, TIMES)
def test_an_edit_of_a_field_at_rest_is_judged_as_in_full(rest: Rest, system: System, value: Value, at: int) -> None:
    field = rest.field()
    short = accepted_from_rest(PLAIN, rest, system, value, at)
    assert short == accepted_at_once(PLAIN, field, system, value, at)
    if short is not None:
        assert short == judge_feed(PLAIN, field, Edit(side=system, object=LEAD, value=value, at=at))


def test_the_plainest_edit_takes_the_short_way() -> None:
    field = Field(value="a", version=2, salesforce=Side(seen="a", shows=2), marketo=Side(seen="a", shows=2))
    told = accepted_at_once(PLAIN, field, System.SALESFORCE, "b", 7)
    assert told is not None
    assert (told[0].value, told[0].version, told[0].salesforce.shows, told[0].marketo.shows) == ("b", 3, 3, 2)
    stored = unpack(pack(PairState(fields={"title": field})))
    rest = stored.at_rest("title")
    assert rest is not None
    assert accepted_from_rest(PLAIN, rest, System.SALESFORCE, "b", 7) == told


@given(TYPES, VALUES, VALUES)
def test_equal_is_the_same_canonical_form(kind: FieldType, one: Value, other: Value) -> None:
    mapping = replace(PLAIN, type=kind)
    assert equal(mapping, one, other) == (one is other or canonical(mapping, one) == canonical(mapping, other))
