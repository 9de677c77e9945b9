"""The table of verdicts, case by case: what a field was, what arrived, what was judged, and what stands after."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from consumers.mapping.fields import Conflict, Direction, FieldMapping, FieldType, Rule, RuleName, Unwanted
from consumers.merge.edits.judge import judge_echo, judge_feed
from consumers.merge.edits.judge_reading import judge_look, judge_read
from consumers.merge.edits.verdicts import Edit
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import FAILED, NEVER, Field, Side, Write
from streams.wire.events import Value
from streams.wire.systems import LEAD, System

SF, MK = System.SALESFORCE, System.MARKETO
T = 1_700_000_000_000  # a moment; stamps are full seconds
V = Verdict


def mapping(rule: RuleName | Rule = RuleName.MARKETO, **changes: Any) -> FieldMapping:
    made: dict[str, Any] = {
        "key": "title",
        "salesforce": "Title",
        "marketo": "title",
        "type": FieldType.TEXT,
        "direction": Direction.BOTH,
        "rule": Rule(name=rule, default=MK) if isinstance(rule, RuleName) else rule,
    }
    made.update(changes)
    return FieldMapping(**made)


def edit(side: System, value: Value, at: int = T + 9_000, **changes: Any) -> Edit:
    return Edit(**{"side": side, "object": LEAD, "value": value, "at": at, **changes})


def write(value: Value, version: int, **changes: Any) -> Write:
    return Write(**{"id": 7, "version": version, "value": value, "sent": T, "look_at": T + 60_000, "answered": T + 300, **changes})


def side(seen: Value, shows: int, **changes: Any) -> Side:
    return Side(**{"seen": seen, "shows": shows, "seen_at": T, **changes})


def field(value: Value, version: int, salesforce: Side, marketo: Side, **changes: Any) -> Field:
    return Field(**{"value": value, "version": version, "agreed_at": T, "salesforce": salesforce, "marketo": marketo, **changes})


AGREED = field("a", 1, side("a", 1), side("a", 1))
OWED_TO_MK = field("b", 2, side("b", 2), side("a", 1))
SENT_TO_MK = field("b", 2, side("b", 2), side("a", 1, writes=(write("b", 2),)))
LEARNT_MK = field("b", 2, side("b", 2), side("b~", 2, learnt=True, sent="b", shown="b~"))
LOST_SF = field("m", 2, side("s", NEVER), side("m", 2))
NEW_MK = field("a", 1, side("a", 1), Side(known=False, shows=NEVER))
ONE_WAY: dict[str, Any] = {"direction": Direction.TO_MARKETO}


@dataclass(frozen=True, kw_only=True)
class After:
    """What must stand afterwards: the agreement, its version, and which version each side shows."""

    value: Value
    version: int
    salesforce: int
    marketo: int


def after(value: Value, version: int, salesforce: int, marketo: int) -> After:
    return After(value=value, version=version, salesforce=salesforce, marketo=marketo)


FEED: dict[str, tuple[FieldMapping, Field, Edit, Verdict, After]] = {
    # an edit, and the side shows the agreement: it is the new agreement, the other side is owed
    "edit in Salesforce": (mapping(), AGREED, edit(SF, "b"), V.ACCEPTED, after("b", 2, 2, 1)),
    "edit in Marketo": (mapping(), AGREED, edit(MK, "b"), V.ACCEPTED, after("b", 2, 1, 2)),
    "clearing is an edit": (mapping(), AGREED, edit(SF, None), V.ACCEPTED, after(None, 2, 2, 1)),
    "the same in other characters": (mapping(), AGREED, edit(MK, " a "), V.SAME, after("a", 1, 1, 1)),
    # an edit, the side does not show the agreement, same value: now it does
    "both typed the same": (mapping(), OWED_TO_MK, edit(MK, "b"), V.SAME, after("b", 2, 2, 2)),
    # an edit, the side does not show it, another value: neither had seen the other, the rule decides
    "conflict won": (mapping(), OWED_TO_MK, edit(MK, "c"), V.WON, after("c", 3, 2, 3)),
    "conflict lost": (mapping(RuleName.SALESFORCE), OWED_TO_MK, edit(MK, "c"), V.LOST, after("b", 2, 2, NEVER)),
    "conflict while our write is under way": (mapping(), SENT_TO_MK, edit(MK, "c"), V.WON, after("c", 3, 2, 3)),
    "the loser types again": (mapping(), LOST_SF, edit(SF, "t"), V.LOST, after("m", 2, NEVER, 2)),
    "for review": (mapping(RuleName.REVIEW), OWED_TO_MK, edit(MK, "c"), V.REVIEW, after("b", 2, 2, NEVER)),
    # what the system made of our value
    "back to what it made of it": (mapping(), LEARNT_MK, edit(MK, "b"), V.SAME, after("b", 2, 2, 2)),
    # an edit of a one-way field on its receiving side
    "put back": (mapping(**ONE_WAY), AGREED, edit(MK, "c"), V.PUT_BACK, after("a", 1, 1, NEVER)),
    "left": (mapping(**ONE_WAY, unwanted=Unwanted.LEAVE), AGREED, edit(MK, "c"), V.LEFT, after("a", 1, 1, 1)),
    "nobody on the other side yet": (mapping(**ONE_WAY), AGREED, edit(MK, "c", alone=True), V.LEFT, after("a", 1, 1, 1)),
    "one-way, from its own side": (mapping(**ONE_WAY), AGREED, edit(SF, "c"), V.ACCEPTED, after("c", 2, 2, 1)),
    # Marketo's feed is chained: what stood there before must be what was seen
    "linked": (mapping(), AGREED, edit(MK, "b", before="a"), V.ACCEPTED, after("b", 2, 1, 2)),
    "link missing": (mapping(), AGREED, edit(MK, "c", before="b"), V.WAITING, after("a", 1, 1, 1)),
    "link given up": (mapping(), AGREED, edit(MK, "c", before="b", patient=False), V.ACCEPTED, after("c", 3, 1, 3)),
    "older than what was judged": (mapping(), AGREED, edit(MK, "c", T - 5_000, before="b"), V.SUPERSEDED, after("a", 1, 1, 1)),
    "older, though its old value fits": (mapping(), AGREED, edit(MK, "c", T - 5_000, before="a"), V.SUPERSEDED, after("a", 1, 1, 1)),
    "of the same second, never linked": (mapping(), AGREED, edit(MK, "c", T, before="b", patient=False), V.SUPERSEDED, after("a", 1, 1, 1)),
    # behind a reading
    "before a reading": (
        mapping(),
        field("r", 2, side("a", 1), side("r", 2, ahead_at=T + 20_000, ahead_until=T + 20_500)),
        edit(MK, "b"),
        V.SUPERSEDED,
        after("r", 2, 1, 2),
    ),
    "what a reading has shown": (
        mapping(),
        field("r", 2, side("a", 1), side("r", 2, ahead_at=T + 9_200, ahead_until=T + 9_700)),
        edit(MK, "r"),
        V.SUPERSEDED,
        after("r", 2, 1, 2),
    ),
    "after a reading": (
        mapping(),
        field("r", 2, side("a", 1), side("r", 2, ahead_at=T + 5_000, ahead_until=T + 5_500)),
        edit(MK, "c"),
        V.ACCEPTED,
        after("c", 3, 1, 3),
    ),
    # rules that add: what the edit changed is added, conflict or not
    "scores add up": (
        mapping(RuleName.SUM_DELTAS, type=FieldType.NUMBER),
        field(15, 2, side(15, 2), side(10, 1)),
        edit(MK, 13),
        V.WON,
        after(18, 3, 2, NEVER),
    ),
    "a score that nobody else moved": (
        mapping(RuleName.SUM_DELTAS, type=FieldType.NUMBER),
        field(10, 1, side(10, 1), side(10, 1)),
        edit(MK, 13),
        V.ACCEPTED,
        after(13, 2, 1, 2),
    ),
    "choices unite": (
        mapping(RuleName.UNION, type=FieldType.MULTIPICKLIST),
        field("a;b", 2, side("a;b", 2), side("a", 1)),
        edit(MK, "c"),
        V.WON,
        after("b;c", 3, 2, NEVER),
    ),
    # undone again and again: held, not fought over
    "undone twice": (
        mapping(RuleName.SALESFORCE),
        field("b", 2, side("b", 2), side("b", NEVER, replaced="c", undone=1)),
        edit(MK, "c"),
        V.CONTESTED,
        after("b", 2, 2, NEVER),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FEED)
def test_an_edit_in_the_feed(name: str) -> None:
    rule, state, arrived, verdict, wanted = FEED[name]
    before = msgspec.msgpack.encode(state)
    new, ruling = judge_feed(rule, state, arrived)
    assert ruling.verdict is verdict, ruling.reason
    assert after(new.value, new.version, new.salesforce.shows, new.marketo.shows) == wanted
    assert ruling.reason
    assert msgspec.msgpack.encode(state) == before, "the state that was judged is untouched"


def test_the_loser_of_a_conflict_stays_in_the_ruling() -> None:
    _, won = judge_feed(mapping(), OWED_TO_MK, edit(MK, "c"))
    _, lost = judge_feed(mapping(RuleName.SALESFORCE), OWED_TO_MK, edit(MK, "c"))
    assert (won.lost, won.agreed, won.rule) == ("b", "c", "marketo@1")
    assert (lost.lost, lost.agreed, lost.rule) == ("c", "b", "salesforce@1")


def _function(conflict: Conflict) -> System | None:
    return SF if conflict.salesforce == "b" and conflict.marketo == "c" and conflict.salesforce_at == T else None


RULES: dict[str, tuple[FieldMapping, Value, Value, Value]] = {
    # rule, what Salesforce has (agreed), what Marketo typed without having seen it -> who stands
    "salesforce": (mapping(RuleName.SALESFORCE), "b", "c", "b"),
    "marketo": (mapping(RuleName.MARKETO), "b", "c", "c"),
    "newest": (mapping(RuleName.NEWEST), "b", "c", "c"),
    "newest, clocks too close": (mapping(rule=Rule(name=RuleName.NEWEST, default=SF, tolerance_ms=60_000)), "b", "c", "b"),
    "non_blank": (mapping(rule=Rule(name=RuleName.NON_BLANK, default=MK)), "b", None, "b"),
    "non_blank, both filled": (mapping(rule=Rule(name=RuleName.NON_BLANK, default=SF)), "b", "c", "b"),
    "max": (mapping(RuleName.MAX, type=FieldType.NUMBER), 5, 7, 7),
    "min": (mapping(RuleName.MIN, type=FieldType.NUMBER), 5, 7, 5),
    "sum_deltas": (mapping(RuleName.SUM_DELTAS, type=FieldType.NUMBER), 5, 7, 12),
    "union": (mapping(RuleName.UNION, type=FieldType.MULTIPICKLIST), "x;b", "x;c", "x;b;c"),
    "never_backwards": (mapping(rule=Rule(name=RuleName.NEVER_BACKWARDS, default=MK, order=("New", "Open", "Won"))), "Won", "Open", "Won"),
    "review": (mapping(RuleName.REVIEW), "b", "c", "b"),
    "function": (mapping(rule=Rule(name=RuleName.FUNCTION, default=MK, function=_function)), "b", "c", "b"),
}


@pytest.mark.parametrize("name", RULES)
def test_all_rules_decide_a_conflict(name: str) -> None:
    rule, salesforce, marketo, wanted = RULES[name]
    shown: dict[str, Value] = {"sum_deltas": 0, "union": "x"}
    seen = shown.get(name, "a" if isinstance(salesforce, str) else 1)
    state = field(salesforce, 2, side(salesforce, 2), side(seen, 1))
    new, ruling = judge_feed(rule, state, edit(MK, marketo, T + 30_000))
    assert new.value == wanted
    assert ruling.verdict in (V.WON, V.LOST, V.REVIEW)
    assert bool(new.hold) == (name == "review")


def test_a_held_field_is_released_by_agreement() -> None:
    held, _ = judge_feed(mapping(RuleName.REVIEW), OWED_TO_MK, edit(MK, "c"))
    assert held.hold.startswith("review")
    released, ruling = judge_feed(mapping(RuleName.REVIEW), held, edit(MK, "b", T + 20_000))
    assert (released.hold, ruling.verdict) == ("", V.SAME)


# -- our own write coming back ---------------------------------------------------------------------------------------------
def test_an_echo_shows_the_version_of_its_write_and_moves_no_agreement() -> None:
    new, ruling = judge_echo(mapping(), SENT_TO_MK, edit(MK, "b", before="a"), SENT_TO_MK.marketo.writes[0])
    assert (ruling.verdict, new.value, new.version, new.marketo.shows, new.marketo.writes) == (V.ECHO, "b", 2, 2, ())
    assert new.marketo.replaced == "a"


def test_what_the_system_made_of_our_value_is_learnt_and_bounces_nowhere() -> None:
    new, _ = judge_echo(mapping(), SENT_TO_MK, edit(MK, "b~", before="a"), SENT_TO_MK.marketo.writes[0])
    assert (new.value, new.version, new.marketo.shows, new.salesforce.shows) == ("b", 2, 2, 2)
    read, ruling = judge_read(mapping(), new, edit(MK, "b~", T + 20_000, until=T + 20_100))
    assert (read, ruling.verdict) == (new, V.KNOWN)


def test_the_echo_of_an_old_write_leaves_the_newer_one_owed() -> None:
    state = field("c", 3, side("c", 3), side("a", 1, writes=(write("b", 2),)))
    new, _ = judge_echo(mapping(), state, edit(MK, "b", before="a"), state.marketo.writes[0])
    assert (new.marketo.shows, new.version) == (2, 3)


def test_an_edit_that_our_write_overwrote_unawares_is_judged_before_it_and_restored() -> None:
    edited, ruling = judge_feed(mapping(), SENT_TO_MK, edit(MK, "c", T + 1_000, before="a"))
    assert ruling.verdict is V.WON
    restored, _ = judge_echo(mapping(), edited, edit(MK, "b", T + 2_000, before="c"), edited.marketo.writes[0])
    assert (restored.value, restored.version, restored.marketo.shows) == ("c", 3, 2), "Marketo shows what lost: it is owed"


def test_an_echo_without_its_link_waits_and_then_takes_what_stood_before_for_an_edit() -> None:
    waiting, ruling = judge_echo(mapping(), SENT_TO_MK, edit(MK, "b", before="c"), SENT_TO_MK.marketo.writes[0])
    assert (waiting, ruling.verdict) == (SENT_TO_MK, V.WAITING)
    given_up, _ = judge_echo(mapping(), SENT_TO_MK, edit(MK, "b", before="c", patient=False), SENT_TO_MK.marketo.writes[0])
    assert (given_up.value, given_up.version, given_up.marketo.shows) == ("c", 3, 2)


def test_what_marketo_made_of_a_text_at_creation_is_nobodys_edit() -> None:
    """A creation tells no values: the first change of the field tells what stood there."""
    created = field("b", 2, side("b", 2), side("a", 1, seen_at=0, writes=(write("b", 2),)))
    waiting, ruling = judge_echo(mapping(), created, edit(MK, "b", before="a~"), created.marketo.writes[0])
    assert ruling.verdict is V.WAITING
    new, ruling = judge_echo(mapping(), waiting, edit(MK, "b", before="a~", patient=False), created.marketo.writes[0])
    assert (ruling.verdict, new.value, new.version, new.marketo.shows) == (V.ECHO, "b", 2, 2)


# -- readings --------------------------------------------------------------------------------------------------------------
READ: dict[str, tuple[Field, Edit, Verdict, After]] = {
    "equal to seen": (AGREED, edit(MK, "a", until=T + 9_100), V.KNOWN, after("a", 1, 1, 1)),
    "an edit, at once": (AGREED, edit(MK, "b", until=T + 9_100), V.ACCEPTED, after("b", 2, 1, 2)),
    "a conflict": (OWED_TO_MK, edit(MK, "c", until=T + 9_100), V.WON, after("c", 3, 2, 3)),
    "a write of ours is under way": (SENT_TO_MK, edit(MK, "c", until=T + 9_100), V.WAITING, after("b", 2, 2, 1)),
    "older than the feed": (AGREED, edit(MK, "b", T - 5_000, until=T - 4_000), V.SUPERSEDED, after("a", 1, 1, 1)),
    "of the second that the feed tells of": (AGREED, edit(MK, "b", T + 400, until=T + 600), V.SUPERSEDED, after("a", 1, 1, 1)),
    "older than a later reading": (
        field("r", 2, side("a", 1), side("r", 2, ahead_at=T + 9_500, ahead_until=T + 9_600)),
        edit(MK, "a", until=T + 9_400),
        V.SUPERSEDED,
        after("r", 2, 1, 2),
    ),
    "perhaps older than another reading": (
        field("r", 2, side("a", 1), side("r", 2, ahead_at=T + 9_500, ahead_until=T + 9_600)),
        edit(MK, "a", T + 9_550, until=T + 9_700),
        V.SUPERSEDED,
        after("r", 2, 1, 2),
    ),
    "perhaps made at creation": (
        field("b", 2, side("b", 2), side("a", 1, seen_at=0)),
        edit(MK, "a~", until=T + 9_100),
        V.WAITING,
        after("b", 2, 2, 1),
    ),
    # a first meeting: nobody has seen anybody, a value beats no value
    "met with a value": (NEW_MK, edit(MK, "m", until=T + 9_100), V.WON, after("m", 2, 1, 2)),
    "met without one": (NEW_MK, edit(MK, None, until=T + 9_100), V.LOST, after("a", 1, 1, NEVER)),
    "met with the same": (NEW_MK, edit(MK, "a", until=T + 9_100), V.SAME, after("a", 1, 1, 1)),
}


@pytest.mark.parametrize("name", READ)
def test_a_reading(name: str) -> None:
    state, arrived, verdict, wanted = READ[name]
    before = msgspec.msgpack.encode(state)
    new, ruling = judge_read(mapping(), state, arrived)
    assert ruling.verdict is verdict, ruling.reason
    assert after(new.value, new.version, new.salesforce.shows, new.marketo.shows) == wanted
    assert msgspec.msgpack.encode(state) == before


def test_the_feeds_copy_of_a_reading_is_skipped_and_what_follows_is_not() -> None:
    read, _ = judge_read(mapping(), AGREED, edit(MK, "c", T + 9_000, until=T + 9_100))
    skipped, first = judge_feed(mapping(), read, edit(MK, "b", T + 7_000, before="a"))
    again, second = judge_feed(mapping(), skipped, edit(MK, "c", T + 8_000, before="b"))
    later, third = judge_feed(mapping(), again, edit(MK, "d", T + 12_000, before="c"))
    assert [ruling.verdict for ruling in (first, second, third)] == [V.SUPERSEDED, V.SUPERSEDED, V.ACCEPTED]
    assert (later.value, later.version) == ("d", 3)


# -- looks: the feed is silent about a write --------------------------------------------------------------------------------
LOOK: dict[str, tuple[Write, Value, bool, Verdict, After, int]] = {
    # our write, what stands there, feed known to have lost it -> verdict, after, writes left
    "answered, and nothing moved: it changed nothing": (write("b", 2), "a", False, V.KNOWN, after("b", 2, 2, 2), 0),
    "never answered: it never arrived": (write("b", 2, answered=FAILED), "a", False, V.KNOWN, after("b", 2, 2, 1), 0),
    "it stands there: the feed is late": (write("b", 2), "b", False, V.WAITING, after("b", 2, 2, 1), 1),
    "something else stands there": (write("b", 2), "c", False, V.WAITING, after("b", 2, 2, 1), 1),
    "it stands there, the feed lost it": (write("b", 2), "b", True, V.ECHO, after("b", 2, 2, 2), 0),
    "a person's edit, the feed lost all": (write("b", 2), "c", True, V.ACCEPTED, after("c", 3, 2, 3), 0),
    "never arrived, an edit, the feed lost all": (write("b", 2, answered=FAILED), "c", True, V.WON, after("c", 3, 2, 3), 0),
}


@pytest.mark.parametrize("name", LOOK)
def test_a_look(name: str) -> None:
    ours, stands, lost, verdict, wanted, left = LOOK[name]
    state = field("b", 2, side("b", 2), side("a", 1, writes=(ours,)))
    new, ruling = judge_look(mapping(), state, edit(MK, stands, T + 70_000, until=T + 70_100), look_again_at=T + 130_000, feed_lost=lost)
    assert ruling.verdict is verdict
    assert after(new.value, new.version, new.salesforce.shows, new.marketo.shows) == wanted
    assert len(new.marketo.writes) == left
    assert all(entry.look_at == T + 130_000 for entry in new.marketo.writes)


@pytest.mark.parametrize("made", [{"done_by": T + 1_000}, {"read": True}, {"answered": T + 300}])
@pytest.mark.parametrize(
    ("stands", "verdict", "wanted"),
    [
        (15, V.ECHO, after(20, 3, 3, 2)),  # the later one never arrived
        (20, V.ECHO, after(20, 3, 3, 3)),
        (17, V.WON, after(22, 4, 3, NEVER)),  # somebody has added 2 to the earlier one
    ],
)
def test_of_two_writes_the_first_may_be_known_to_be_made(made: dict[str, Any], stands: int, verdict: Verdict, wanted: After) -> None:
    """The feed has lost both. What is read is told from the last that is known to be made, not from what stood there before it."""
    first, second = write(15, 2, **({"answered": FAILED} | made)), write(20, 3, id=8, answered=FAILED)
    state = field(20, 3, side(20, 3), side(10, 1, writes=(first, second)))
    rule = mapping(RuleName.SUM_DELTAS, type=FieldType.NUMBER)
    new, ruling = judge_look(rule, state, edit(MK, stands, T + 700_000, until=T + 700_100), look_again_at=T + 800_000, feed_lost=True)
    assert (ruling.verdict, after(new.value, new.version, new.salesforce.shows, new.marketo.shows)) == (verdict, wanted)
