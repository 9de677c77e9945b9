"""A pair's record on a side is another one now: what was owed stays owed, what the new record holds is told by its reading."""

from typing import Any

import msgspec
import pytest

from consumers.ledger.port import Pair
from consumers.mapping.fields import Direction, FieldType, ObjectMapping
from consumers.merge.events.fold import fold
from consumers.merge.lives.identity import CONVERTED, SECOND, WINNER, rebind
from consumers.merge.pair.state import Field, PairState, Record, Side, Waiting, Write
from consumers.merge.writing.plan import Create, Delete, Update, plan
from consumers.settle.rounds.outcomes import Outcomes
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, PERSON, System
from tests.consumers.merge.person_pair import FIELDS, LINKS, MK, MK_ID, SF, SF_ID, T, agreed, event, mapped, paired, reading, rules, terms

C_ID, W_ID = "003000000000001EAA", "00Q000000000077EAA"
LEAD_ONLY, CONTACT_ONLY = mapped("rating", "Rating"), mapped("born", "Birthdate", FieldType.DATE)
CONTACT_FIELDS = (*FIELDS, CONTACT_ONLY, mapped(LINKS.contact_id, "", direction=Direction.TO_MARKETO))
LEAD_FIELDS = (*FIELDS, LEAD_ONLY, mapped(LINKS.contact_id, "", direction=Direction.TO_MARKETO))
RULES = rules(objects={LEAD: ObjectMapping(object=LEAD, fields=LEAD_FIELDS), CONTACT: ObjectMapping(object=CONTACT, fields=CONTACT_FIELDS)})
TOLD = terms(objects=RULES.objects)
OWED = Side(seen="a", seen_at=T, shows=1)


def converted(state: PairState) -> PairState:
    return rebind(state, (SF, CONTACT, C_ID), TOLD, T + 10_000, came=CONVERTED)


def shown(state: PairState, **values: Value) -> PairState:
    """After the reading of the contact."""
    start: dict[str, Value] = {
        "Email": "ada@example.com",
        "LastName": "Lovelace",
        "Title": "a",
        "Score__c": 10,
        "HasOptedOutOfEmail": False,
    }
    whole = dict.fromkeys(TOLD.rules.objects[CONTACT].by_salesforce) | start | values
    return fold(state, reading(SF, whole, T + 20_000, id=C_ID, object=CONTACT), TOLD, T + 20_000)[0]


def both(state: PairState, **values: Value) -> PairState:
    """After the readings of both."""
    state = shown(state, **values)
    there = {key: field.marketo.seen for key, field in state.fields.items() if field.marketo.known}
    return fold(state, reading(MK, dict.fromkeys(TOLD.rules.objects[CONTACT].by_marketo) | there, T + 30_000), TOLD, T + 30_000)[0]


def sent(state: PairState, system: System) -> dict[str, Value]:
    order = plan(state, system, RULES, exact=False)
    return {out.key: out.value for out in order.fields} if isinstance(order, Update) else {}


def test_a_converted_lead_is_a_contact_that_is_read_before_it_is_written_to() -> None:
    state = converted(paired(title=agreed("b", 2, salesforce=OWED)))
    assert (state.object, state.salesforce.id, state.salesforce.complete, state.salesforce.reread) == (CONTACT, C_ID, False, True)
    assert state.marketo.id == MK_ID
    assert sent(state, SF) == {}


def test_the_link_fields_follow_the_contact() -> None:
    state = converted(paired())
    assert {key: state.fields[key].value for key in (LINKS.lead_id, LINKS.contact_id, LINKS.type)} == {
        LINKS.lead_id: None,
        LINKS.contact_id: C_ID,
        LINKS.type: "Contact",
    }
    assert sent(both(state), MK) == {LINKS.lead_id: None, LINKS.contact_id: C_ID, LINKS.type: "Contact"}


def test_nothing_is_owed_to_a_contact_that_holds_what_the_lead_held() -> None:
    assert sent(shown(converted(paired())), SF) == {}


def test_what_was_owed_to_the_lead_is_owed_to_the_contact() -> None:
    state = shown(converted(paired(title=agreed("b", 2, salesforce=OWED))))
    assert sent(state, SF) == {"title": "b"}


def test_a_write_that_got_there_before_the_conversion_is_not_made_again() -> None:
    under_way = Side(seen="a", seen_at=T, shows=1, writes=(Write(id=7, version=2, value="b", sent=T, look_at=T + 1),))
    state = converted(paired(title=agreed("b", 2, salesforce=under_way)))
    assert sent(shown(state, Title="b"), SF) == {}
    assert sent(shown(state), SF) == {"title": "b"}


def test_a_blank_of_the_contact_clears_nothing_and_is_filled() -> None:
    state = shown(converted(paired()), Title=None, HasOptedOutOfEmail=False)
    assert state.fields["title"].value == "a"
    assert sent(state, SF) == {"title": "a"}


def test_a_value_of_the_contact_alone_reaches_marketo() -> None:
    state = both(converted(paired()), Phone="123")
    assert sent(state, MK)["phone"] == "123"


def test_what_was_added_to_the_contact_since_is_added_here_beside_what_was_added_in_marketo() -> None:
    state, _ = fold(converted(paired()), event(MK, {"leadScore": 15}, before={"leadScore": 10}), TOLD, T + 15_000)
    assert shown(state, Score__c=13).fields["leadScore"].value == 18


@pytest.mark.parametrize("answered", [0, -1, T + 1])
def test_a_score_of_ours_that_was_taken_along_is_not_added_again(answered: int) -> None:
    write = Write(id=7, version=2, value=30, sent=T, look_at=T + 1, answered=answered)
    owed = agreed(30, 2, salesforce=Side(seen=10, seen_at=T, shows=1, writes=(write,)))
    state = converted(paired(leadScore=owed))
    assert shown(state, Score__c=30).fields["leadScore"].value == 30
    if answered > 0:
        assert shown(state, Score__c=31).fields["leadScore"].value == 31


@pytest.mark.parametrize("answered", [0, -1])
def test_an_edit_of_the_contact_is_not_taken_for_a_write_to_the_lead_that_may_still_arrive(answered: int) -> None:
    write = Write(id=7, version=2, value="b", sent=T, look_at=T + 1, answered=answered)
    owed = agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1, writes=(write,)))
    state = converted(paired(title=owed))
    whole: dict[str, Value] = {**dict.fromkeys(TOLD.rules.objects[CONTACT].by_salesforce), "Title": "typed"}
    _, rulings = fold(state, reading(SF, whole, T + 20_000, id=C_ID, object=CONTACT), TOLD, T + 20_000)
    assert [ruling.verdict for ruling in rulings if ruling.field == "title"] == ["lost"]


@pytest.mark.parametrize("came", [CONVERTED, WINNER, SECOND])
@pytest.mark.parametrize("value", [None, "a"])
def test_an_older_reading_of_a_record_that_has_been_read_tells_nothing(came: int, value: Value) -> None:
    """Whatever the reading showed: a blank, or what was taken over from the former record."""
    state = shown(rebind(paired(), (SF, CONTACT, C_ID), TOLD, T + 10_000, came=came), Title=value)
    whole: dict[str, Value] = {**dict.fromkeys(TOLD.rules.objects[CONTACT].by_salesforce), "Title": "old", "Website": "https://old.example"}
    after, rulings = fold(state, reading(SF, whole, T + 19_000, id=C_ID, object=CONTACT), TOLD, T + 20_000)
    assert {key: field.value for key, field in after.fields.items()} == {key: field.value for key, field in state.fields.items()}
    assert {ruling.verdict for ruling in rulings} <= {"superseded", "known"}


def test_a_score_that_was_not_taken_along_is_not_taken_from() -> None:
    state = shown(converted(paired()), Score__c=None)
    assert (state.fields["leadScore"].value, sent(state, SF)) == (10, {"leadScore": 10})


def test_a_second_record_of_the_same_person_adds_nothing_to_what_it_was_counted_for() -> None:
    owed = agreed(30, 2, salesforce=Side(seen=10, seen_at=T, shows=1))
    state = rebind(paired(leadScore=owed), (SF, CONTACT, C_ID), TOLD, T + 10_000, came=SECOND)
    assert shown(state, Score__c=20).fields["leadScore"].value == 30


def test_a_field_that_only_leads_have_stays_as_it_is() -> None:
    state = both(converted(paired(rating=agreed("Hot"))))
    assert state.fields["rating"] == agreed("Hot")
    assert "rating" not in sent(state, MK)


def test_a_field_that_only_contacts_have_is_looked_at_in_marketo_before_it_is_written_there() -> None:
    state = converted(paired())
    assert state.marketo.reread
    state = shown(state, Birthdate="1815-12-10")
    assert sent(state, MK) == {}
    names = dict.fromkeys(TOLD.rules.objects[CONTACT].by_marketo) | {
        key: field.value for key, field in state.fields.items() if key != "born"
    }
    there = fold(state, reading(MK, names | {"born": "1816-01-01"}, T + 30_000), TOLD, T + 30_000)[0]
    assert there.fields["born"].value == "1816-01-01"  # nobody had seen anybody: the rule of the field decides
    assert sent(there, SF) == {"born": "1816-01-01"}


def test_calls_and_places_in_the_feed_were_the_former_records() -> None:
    state = paired()
    old = msgspec.structs.replace(state.salesforce, calling=9, calling_until=T + 1, caller=3, refused="no", lately=(1,), origin="tandem")
    assert converted(state.with_record(SF, old)).salesforce == Record(id=C_ID, reread=True, heir=CONVERTED)


def test_what_waits_in_the_feed_of_the_former_record_is_dropped_and_the_other_sides_kept() -> None:
    waiting = tuple(Waiting(event=event(system, {"title": "x"}), until=T) for system in System)
    state = converted(msgspec.structs.replace(paired(), waiting=waiting))
    assert [entry.event.system for entry in state.waiting] == [MK]


def test_told_twice_it_is_the_same() -> None:
    state = converted(paired())
    assert converted(state) is state


def test_a_person_made_again_in_marketo_is_the_same_person() -> None:
    gone = paired().with_record(MK, Record(id=MK_ID, complete=True, deleted=True))
    state = rebind(gone, (MK, PERSON, "1002"), TOLD, T + 10_000, came=CONVERTED)
    assert (state.object, state.marketo.id, state.marketo.deleted, state.salesforce.id) == (LEAD, "1002", False, SF_ID)
    whole: dict[str, Value] = {"email": "ada@example.com", "lastName": "Lovelace", "leadScore": 10}
    met = fold(state, reading(MK, whole, T + 20_000, id="1002"), TOLD, T + 20_000)[0]
    assert sent(met, MK) == {"title": "a", LINKS.lead_id: SF_ID, LINKS.type: "Lead"}


# -- the winner of a merge that nobody had heard of ---------------------------------------------------------------------------


def won(**fields: Field) -> PairState:
    return rebind(paired(**fields), (SF, LEAD, W_ID), TOLD, T + 10_000, came=WINNER)


def told(state: PairState, change: ChangeEvent) -> PairState:
    return fold(state, change, TOLD, T + 20_000)[0]


def of_winner(**values: Value) -> ChangeEvent:
    return reading(SF, {"LastName": "Byron", "Email": "ada@example.com", **values}, T + 20_000, id=W_ID)


def test_the_winners_values_win_and_its_blanks_are_filled() -> None:
    state = told(won(), of_winner(Title=None, Score__c=5))
    assert {key: state.fields[key].value for key in ("lastName", "title", "leadScore")} == {
        "lastName": "Byron",
        "title": "a",
        "leadScore": 15,
    }
    assert sent(state, SF) == {"title": "a", "leadScore": 15}
    assert {"lastName": "Byron", "leadScore": 15}.items() <= sent(state, MK).items()
    assert not state.salesforce.heir


@pytest.mark.parametrize("changes", [{"Title": "z"}, {"LastName": "King"}])
def test_a_change_of_the_winner_before_its_reading_wins_too(changes: dict[str, Any]) -> None:
    state = told(won(), event(SF, changes, T + 15_000, id=W_ID))
    state = told(state, of_winner(Title="t", Score__c=5) if "LastName" in changes else of_winner(Title="z", Score__c=5))
    assert state.fields["leadScore"].value == 15
    assert state.fields["title"].value == ("t" if "LastName" in changes else "z")


def test_the_winners_ticked_box_wins_and_an_unticked_one_unticks_nothing() -> None:
    assert told(won(), of_winner(HasOptedOutOfEmail=True)).fields["unsubscribed"].value is True
    kept = told(won(unsubscribed=agreed(True)), of_winner(HasOptedOutOfEmail=False))
    assert kept.fields["unsubscribed"].value is True
    assert sent(kept, SF)["unsubscribed"] is True


def test_the_winner_is_heir_until_it_was_read() -> None:
    state = told(won(), event(SF, {"Title": "z"}, T + 15_000, id=W_ID, kind=Happened.UPDATED))
    assert state.salesforce.heir
    assert not told(state, of_winner(Title="z")).salesforce.heir


@pytest.mark.parametrize("told", ["undeleted", "changed", "read"])
def test_who_comes_out_of_the_recycle_bin_gets_a_new_person_where_the_former_one_is_gone(told: str) -> None:
    gone = paired().with_record(SF, Record(id=SF_ID, complete=True, deleted=True, seq=5, at=T + 5_000))
    gone = gone.with_record(MK, Record(id=MK_ID, complete=True, deleted=True, at=T + 5_000))
    kind = {"undeleted": Happened.UNDELETED, "changed": Happened.UPDATED}.get(told)
    whole: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10}
    back = reading(SF, whole) if kind is None else event(SF, {"Title": "a"}, kind=kind)
    state, _ = fold(gone, back, terms(), T + 9_200)
    state, _ = fold(state, reading(SF, whole, T + 9_300), terms(), T + 9_400)
    order = plan(state, MK, terms().rules, exact=False)
    assert isinstance(order, Create)
    sent = {out.key: out.value for out in order.fields}
    assert (sent["email"], sent["title"], sent["leadScore"], sent[LINKS.lead_id]) == ("ada@example.com", "a", 10, SF_ID)


@pytest.mark.parametrize("told", [Happened.UPDATED, Happened.UNDELETED])
def test_nobody_who_was_deleted_in_marketo_comes_back_since_his_lead_is_edited(told: Happened) -> None:
    gone = paired().with_record(MK, Record(id=MK_ID, complete=True, deleted=True, at=T + 5_000))
    state, _ = fold(gone, event(SF, {"Title": "b"}, kind=told), terms(), T + 9_200)
    assert state.marketo.deleted
    assert not isinstance(plan(state, MK, terms().rules, exact=False), Create)


@pytest.mark.parametrize("fate", [Fate.DONE, Fate.GONE])
@pytest.mark.parametrize("late", [Happened.UPDATED, Happened.READ])
def test_what_is_told_late_of_a_lead_that_we_deleted_is_no_sign_of_life(fate: Fate, late: Happened) -> None:
    """The answer to the deletion came before the stream (or a poll's reading) told what had been changed before it."""
    state = paired().with_record(MK, Record(id=MK_ID, complete=True, deleted=True, at=T + 5_000))
    pair, item = Pair(id=1, state=state, loaded=None), Item(write=7, pair=1, order=Delete(object=LEAD, id=SF_ID, why="deleted in marketo"))
    Outcomes(SF, terms()).take(pair, item, Outcome(fate=fate, until=T + 8_000), "", now=T + 9_000, after_ms=0)
    whole: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "b"}
    told = reading(SF, whole, T + 7_000) if late is Happened.READ else event(SF, {"Title": "b"}, T + 7_000)
    state, _ = fold(pair.state, told, terms(), T + 10_000)
    assert (state.salesforce.deleted, state.marketo.id, state.marketo.deleted) == (True, MK_ID, True)
    state, _ = fold(state, event(SF, {"Title": "c"}, T + 8_100), terms(), T + 10_000)
    assert not state.salesforce.deleted, "somebody has restored it since"
