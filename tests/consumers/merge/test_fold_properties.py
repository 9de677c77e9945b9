"""Events against a pair: a redelivery is a no-op, an echo changes nothing owed, both sides converge, inputs are never changed."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.merge.events.feed import rejudge
from consumers.merge.events.fold import fold
from consumers.merge.lives.link import link_values
from consumers.merge.pair.decision import Folded, Verdict
from consumers.merge.pair.state import PairState, Record, Side, Write
from consumers.merge.pair.stored import pack
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Create, Nothing, Update, plan
from consumers.merge.writing.writes import answered, intend
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, System
from tests.consumers.merge.person_pair import (
    LINKS,
    MK,
    MK_USER,
    SF,
    SF_ID,
    SF_USER,
    T,
    agreed,
    event,
    mapped,
    paired,
    reading,
    rules,
    terms,
)

TERMS = terms()
VALUES = st.sampled_from(["a", "b", "c", None])
NAMES = {SF: "Title", MK: "title"}


class Both:
    """Two systems that do what they are told, and tell of it in order: what is typed, what is written."""

    def __init__(self, state: PairState, told: Terms = TERMS) -> None:
        self.state, self.terms, self.now, self.writes = state, told, T, 100
        self.values: dict[System, dict[str, Value]] = {
            system: {key: field.side(system).seen for key, field in state.fields.items()} for system in System
        }
        self.told: list[ChangeEvent] = []

    def types(self, system: System, key: str, value: Value, author: str = "person") -> ChangeEvent | None:
        self.now += 1_000
        before = self.values[system].get(key)
        if before == value:
            return None
        self.values[system][key] = value
        name = rules().objects[LEAD].by_key[key].name_on(system)
        return event(system, {name: value}, self.now, before={name: before} if system is MK else None, author=author)

    def hears(self, arrived: ChangeEvent) -> tuple[Verdict, ...]:
        self.state, rulings = unchanged(self.state, arrived, self.terms)
        self.told.append(arrived)
        return tuple(ruling.verdict for ruling in rulings)

    def settles(self) -> None:
        """Writes until nothing is owed."""
        for _ in range(6):
            for system, user in ((SF, SF_USER), (MK, MK_USER)):
                planned = plan(self.state, system, self.terms.rules, exact=False)
                if not isinstance(planned, Update):
                    continue
                self.writes += 1
                patience = self.terms.patience(system)
                self.state = intend(self.state, system, planned, write=self.writes, now=self.now, patience=patience)
                self.state = answered(self.state, system, self.writes, self.now)
                for out in planned.fields:
                    told = self.types(system, out.key, out.value, user)
                    if told is not None:
                        self.hears(told)


def unchanged(state: PairState, arrived: ChangeEvent, told: Terms = TERMS) -> Folded:
    """The fold, watched: its inputs stay as they were, and it gives the same again."""
    before, sent = pack(state), msgspec.json.encode(arrived)
    new, rulings = fold(state, arrived, told, arrived.at)
    assert (pack(state), msgspec.json.encode(arrived)) == (before, sent), "inputs are never changed"
    again, same = fold(state, arrived, told, arrived.at)
    assert (pack(again), same) == (pack(new), rulings)
    return new, rulings


EDITED = ("title", "lastName", "leadScore", "unsubscribed")
EDITS = st.lists(st.tuples(st.sampled_from(System), st.sampled_from(EDITED), VALUES), max_size=8)


def _typed(key: str, value: Value, place: int) -> Value:
    return {"leadScore": 10 + place * 7, "unsubscribed": value in ("a", "b")}.get(key, value)


TURNS = [(System.MARKETO, "unsubscribed", "a"), (System.SALESFORCE, "unsubscribed", "c")]


@example(edits=TURNS * 3, at_once=False)
@given(EDITS, st.booleans())
def test_both_sides_converge_and_nothing_is_owed_after(edits: list[tuple[System, str, Value]], at_once: bool) -> None:
    both = Both(paired())
    late: list[ChangeEvent] = []
    for place, (system, key, value) in enumerate(edits):
        told = both.types(system, key, _typed(key, value, place))
        if told is not None:
            late.append(told)
        if not at_once:
            _hear_all(both, late)
            both.settles()
    _hear_all(both, late)
    both.settles()
    for key in EDITED:
        if hold := both.state.fields[key].hold:
            assert hold.startswith("contested"), "nothing else holds a field here"
            assert sum(edited == key for _, edited, _ in edits) >= 4, "who puts another value back time and again is taken to fight"
            continue
        assert both.values[SF][key] == both.values[MK][key] == both.state.fields[key].value, key
    assert not any(isinstance(plan(both.state, system, both.terms.rules, exact=False), Create | Update) for system in System)


def _hear_all(both: Both, late: list[ChangeEvent]) -> None:
    while late:
        both.hears(late.pop(0))


@given(EDITS)
def test_a_redelivery_is_a_no_op(edits: list[tuple[System, str, Value]]) -> None:
    both = Both(paired())
    for place, (system, key, value) in enumerate(edits):
        told = both.types(system, key, _typed(key, value, place))
        if told is not None:
            both.hears(told)
    before = pack(both.state)
    for told in list(both.told):
        assert both.hears(told) == (Verdict.SUPERSEDED,)
    assert pack(both.state) == before


@given(EDITS)
def test_a_reading_equal_to_what_was_seen_changes_nothing(edits: list[tuple[System, str, Value]]) -> None:
    both = Both(paired())
    for place, (system, key, value) in enumerate(edits):
        told = both.types(system, key, _typed(key, value, place))
        if told is not None:
            both.hears(told)
    names = rules().objects[LEAD].by_key
    for system in System:
        before = both.state
        row = {names[key].name_on(system): value for key, value in both.values[system].items() if names[key].name_on(system)}
        new, rulings = unchanged(before, reading(system, row, both.now + 5_000))
        assert rulings == ()
        assert new.fields == before.fields


@given(VALUES.filter(lambda value: value != "a"))
def test_an_echo_changes_nothing_owed_elsewhere(value: Value) -> None:
    both = Both(paired())
    told = both.types(SF, "title", value)
    assert told is not None
    assert both.hears(told) == (Verdict.ACCEPTED,)
    both.settles()
    assert not isinstance(plan(both.state, SF, both.terms.rules, exact=False), Update)
    assert both.state.fields["title"].version == 2


# -- whose change it is ------------------------------------------------------------------------------------------------------
def _sent(system: System, write: int = 7) -> PairState:
    source = system.other
    state, _ = fold(paired(), event(source, {NAMES[source]: "b"}, T + 1_000), TERMS, T + 1_000)
    planned = plan(state, system, TERMS.rules, exact=False)
    assert isinstance(planned, Update)
    return intend(state, system, planned, write=write, now=T + 1_500, patience=TERMS.patience(system))


@pytest.mark.parametrize("system", System)
def test_our_own_change_is_an_echo_and_another_field_of_the_same_event_is_a_flows_edit(system: System) -> None:
    user = SF_USER if system is SF else MK_USER
    phone = {SF: "Phone", MK: "phone"}[system]
    arrived = event(system, {NAMES[system]: "b", phone: "1"}, T + 2_000, author=user)
    state, rulings = fold(_sent(system), arrived, TERMS, T + 2_000)
    assert [(ruling.field, ruling.verdict) for ruling in rulings] == [("title", Verdict.ECHO), ("phone", Verdict.ACCEPTED)]
    assert state.record(system).calling == 0, "the feed has answered the call"


@pytest.mark.parametrize("system", System)
def test_the_same_value_by_somebody_else_is_no_echo(system: System) -> None:
    _, rulings = fold(_sent(system), event(system, {NAMES[system]: "b"}, T + 2_000), TERMS, T + 2_000)
    assert [ruling.verdict for ruling in rulings] == [Verdict.SAME]


def test_a_stamp_names_the_write_where_the_system_names_nobody() -> None:
    stamped = terms(stamp="tandemStamp")
    ours = event(MK, {"title": "b", "tandemStamp": "7"}, T + 2_000, author=None)
    theirs = event(MK, {"title": "c"}, T + 2_000, author=None)
    assert [r.verdict for r in fold(_sent(MK), ours, stamped, T)[1]] == [Verdict.ECHO]
    assert [r.verdict for r in fold(_sent(MK), theirs, stamped, T)[1]] == [Verdict.WON]


# -- order -------------------------------------------------------------------------------------------------------------------
def test_links_that_come_late_are_put_in_order_again() -> None:
    first = event(MK, {"title": "b"}, T + 9_000, before={"title": "a"}, ref="x1")
    second = event(MK, {"title": "c"}, T + 9_000, before={"title": "b"}, ref="x2")
    state, waiting = unchanged(paired(), second)
    state, rulings = unchanged(state, first)
    state, ((late, told),) = rejudge(state, TERMS, T)
    assert [ruling.verdict for ruling in (*waiting, *rulings, *told)] == [Verdict.WAITING, Verdict.ACCEPTED, Verdict.ACCEPTED]
    assert (state.fields["title"].value, state.waiting, late.ref) == ("c", (), "x2")


def test_a_link_that_never_comes_is_waited_for_no_longer_than_the_lateness() -> None:
    state, _ = fold(paired(), event(MK, {"title": "c"}, before={"title": "b"}), TERMS, T + 10_000)
    assert rejudge(state, TERMS, T + 39_999)[0].fields["title"].value == "a"
    late, told = rejudge(state, TERMS, T + 40_000)
    assert (late.fields["title"].value, late.waiting, len(told)) == ("c", (), 1)


def test_a_link_that_never_came_is_named_beside_the_change_that_told_of_it() -> None:
    """Marketo's Old Value is all that anybody will ever know of the edit before."""
    state, _ = fold(paired(), event(MK, {"title": "c"}, before={"title": "b"}), TERMS, T + 10_000)
    _, ((_, rulings),) = rejudge(state, TERMS, T + 40_000)
    assert [(ruling.verdict, ruling.value) for ruling in rulings] == [(Verdict.ACCEPTED, "b"), (Verdict.ACCEPTED, "c")]


def test_a_link_that_never_came_is_our_own_write_where_it_carries_its_value() -> None:
    """The feed has lost our write; a person went on from it. Taken for a person's, it would be counted twice in a sum."""
    sent = Write(id=7, version=2, value=5, sent=T, look_at=T + 60_000, answered=T + 100)
    score = agreed(5, 2, marketo=Side(seen=0, seen_at=T, shows=1, writes=(sent,)))
    state, _ = fold(paired(leadScore=score), event(MK, {"leadScore": 8}, before={"leadScore": 5}), TERMS, T + 10_000)
    late, ((_, rulings),) = rejudge(state, TERMS, T + 40_000)
    assert [ruling.verdict for ruling in rulings] == [Verdict.ECHO, Verdict.ACCEPTED]
    assert (late.fields["leadScore"].value, late.fields["leadScore"].marketo.writes) == (8, ())


def test_what_waited_until_its_record_was_deleted_is_named() -> None:
    waits = event(MK, {"title": "c", "leadScore": "a lot"}, T + 9_000, before={"title": "b", "leadScore": 1})
    state, _ = unchanged(paired(), waits)
    state, _ = unchanged(state, event(MK, {}, T + 10_000, kind=Happened.DELETED, ref="d1"))
    gone, ((late, rulings),) = rejudge(state, TERMS, T)
    assert [(ruling.field, ruling.verdict, ruling.value) for ruling in rulings] == [("title", Verdict.SUPERSEDED, "c")]
    assert (late.system, gone.waiting, gone.fields["title"].value) == (MK, (), "a")


def test_what_can_not_be_put_in_order_makes_the_record_be_read_again() -> None:
    state, _ = fold(paired(), event(MK, {"title": "c"}, T, before={"title": "b"}), TERMS, T)
    late, _ = rejudge(state, TERMS, T + 40_000)
    assert (late.fields["title"].value, late.marketo.reread) == ("a", True)


# -- the record's own life -----------------------------------------------------------------------------------------------------
def test_a_deletion_in_salesforce_is_told_to_marketo_and_an_undeletion_too() -> None:
    gone, _ = unchanged(paired(), event(SF, {}, kind=Happened.DELETED, source="poll"))
    planned = plan(gone, MK, TERMS.rules, exact=False)
    assert isinstance(planned, Update)
    assert [(out.name, out.value) for out in planned.fields] == [(LINKS.is_deleted, True)]
    back, _ = unchanged(gone, event(SF, {}, T + 12_000, kind=Happened.UNDELETED))
    assert (back.salesforce.deleted, back.salesforce.reread) == (False, True)
    assert plan(back, SF, TERMS.rules, exact=False) == plan(paired(), SF, TERMS.rules, exact=False)


def test_a_reading_from_before_a_deletion_does_not_bring_the_record_back() -> None:
    gone, _ = unchanged(paired(), event(SF, {}, T + 9_000, kind=Happened.DELETED, source="poll"))
    same, rulings = unchanged(gone, reading(SF, {"Title": "b"}, T + 8_000))
    assert (pack(same), [ruling.verdict for ruling in rulings]) == (pack(gone), [Verdict.SUPERSEDED])
    back, _ = unchanged(gone, reading(SF, {"Title": "b", "Email": "ada@example.com", "LastName": "Lovelace"}, T + 20_000))
    assert (back.salesforce.deleted, back.fields["title"].value) == (False, "b")


def test_a_record_that_was_taken_for_deleted_and_changes_afterwards_is_read() -> None:
    gone, _ = unchanged(paired(), event(MK, {}, T + 9_000, kind=Happened.DELETED, ref="d1"))
    alive, _ = unchanged(gone, event(MK, {"title": "b"}, T + 20_000, before={"title": "a"}))
    assert (alive.marketo.deleted, alive.marketo.reread) == (False, True)
    late, _ = unchanged(gone, event(MK, {"title": "b"}, T + 5_000, before={"title": "a"}))
    assert late.marketo.deleted, "told late, from before its deletion"


@pytest.mark.parametrize("kind", [Happened.CREATED, Happened.UPDATED])
@pytest.mark.parametrize("system", [SF, MK])
def test_a_change_from_before_a_deletion_that_had_no_place_in_the_feed_changes_nothing(system: System, kind: Happened) -> None:
    unseen = paired(title=agreed("a").with_side(system, Side()))
    record = msgspec.structs.replace(unseen.record(system), seq=0, complete=False)
    gone, _ = unchanged(unseen.with_record(system, record), event(system, {}, kind=Happened.DELETED, source="read", seq=0, ref=""))
    late, rulings = unchanged(gone, event(system, {NAMES[system]: "b"}, T + 5_000, kind=kind))
    assert [ruling.verdict for ruling in rulings] == [Verdict.SUPERSEDED]
    assert (late.record(system).deleted, late.fields["title"]) == (True, gone.fields["title"])


def test_a_gap_makes_the_record_be_read() -> None:
    state, rulings = unchanged(paired(), event(SF, {}, kind=Happened.GAP))
    assert (state.salesforce.reread, state.fields) == (True, paired().fields)
    assert rulings


def test_changes_of_a_record_that_nobody_knows_wait_for_its_reading() -> None:
    stranger = PairState(marketo=Record(id="1001"))
    state, _ = unchanged(stranger, event(MK, {"title": "b"}, T + 1_000, before={"title": "a"}))
    state, _ = unchanged(state, event(MK, {"title": "c"}, T + 2_000, before={"title": "b"}))
    assert (len(state.waiting), state.marketo.reread, state.fields) == (2, True, {})
    for now in (T, T + 100_000):
        kept, told = rejudge(state, TERMS, now)
        assert (len(kept.waiting), told) == (2, [])
        assert all(entry.until > now for entry in kept.waiting), "or it would be looked at without end"
    state, _ = unchanged(state, reading(MK, {"title": "c"}, T + 20_000))
    assert state.fields["title"].value == "c"


@pytest.mark.parametrize("told", ["feed", "reading"])
def test_what_a_record_refused_is_tried_again_once_somebody_has_worked_on_it(told: str) -> None:
    """The rule that refused it may be satisfied now."""
    refused = paired(title=agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1, refused=2, reason="not like this")))
    assert isinstance(plan(refused, SF, TERMS.rules, exact=False), Nothing)
    row: dict[str, Value] = {"Email": "ada@example.com", "LastName": "King", "Title": "a", "Score__c": 10}
    state, _ = unchanged(refused, event(SF, {"LastName": "King"}) if told == "feed" else reading(SF, row))
    planned = plan(state, SF, TERMS.rules, exact=False)
    assert isinstance(planned, Update)
    assert [out.name for out in planned.fields] == ["Title"]
    ours, _ = unchanged(refused, event(MK, {"lastName": "King"}))
    assert ours.fields["title"].salesforce.refused == 2, "the other side's edits change nothing about it"


def test_an_unusable_value_spoils_only_its_field() -> None:
    state, rulings = unchanged(paired(), event(SF, {"Score__c": "many", "Title": "b"}))
    assert {ruling.field: ruling.verdict for ruling in rulings} == {"leadScore": Verdict.UNUSABLE, "title": Verdict.ACCEPTED}
    assert state.fields["title"].value == "b"


def test_unmapped_fields_are_nobodys_business() -> None:
    state, rulings = unchanged(paired(), event(SF, {"Fax": "1"}))
    assert (rulings, state.fields) == ((), paired().fields)


def test_the_link_fields_follow_the_salesforce_record() -> None:
    lone = paired(**{LINKS.lead_id: agreed(None, 0), LINKS.type: agreed(None, 0)})
    state, _ = fold(lone, event(SF, {"Title": "b"}), TERMS, T)
    planned = plan(state, MK, TERMS.rules, exact=False)
    assert isinstance(planned, Update)
    wanted = link_values(LINKS, LEAD, SF_ID, deleted=False)
    assert {out.name: out.value for out in planned.fields} == {"title": "b", LINKS.lead_id: wanted[LINKS.lead_id], LINKS.type: "Lead"}
    assert mapped("x", "X").key == "x"
