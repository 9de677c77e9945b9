"""Two pairs are one: the winner's value, else the loser's; sums; the side where both records still stand is owed a merge of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Rule, RuleName
from consumers.merge.edits.values import blank, equal
from consumers.merge.events.fold import fold
from consumers.merge.lives.joining import IN_DOUBT, after_merge, came_up, join, merged, not_merged
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side, Waiting, Write
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.due import due
from consumers.merge.writing.plan import Merge, Update, plan, row_mark
from consumers.merge.writing.refused import MERGE, refusals
from streams.wire.events import Value
from streams.wire.systems import CONTACT, LEAD, System
from tests.consumers.merge.person_pair import FIELDS, LINKS, MK, MK_ID, SF, SF_ID, T, agreed, event, mapped, paired, reading, terms
from tests.consumers.pairs_in_memory import ids, lone, renamed

CHOSEN = mapped("chosen", "Chosen__c", FieldType.MULTIPICKLIST, rule=Rule(name=RuleName.UNION, default=MK))
TERMS = terms(objects={LEAD: ObjectMapping(object=LEAD, fields=(*FIELDS, CHOSEN))})


def joined(winner: PairState, *losers: PairState, side: System = SF) -> PairState:
    for loser in losers:
        winner = join(winner, loser, side, TERMS, T + 10_000)
    return winner


def other(number: int = 2, **fields: Field) -> PairState:
    return renamed(paired(**fields), number)


def sent(state: PairState, system: System) -> dict[str, Value]:
    order = plan(msgspec.structs.replace(state, merges=()), system, TERMS.rules, exact=False)
    return {out.key: out.value for out in order.fields} if isinstance(order, Update) else {}


def read(state: PairState, system: System) -> PairState:
    """After a reading of a record that shows what was last seen there."""
    names = {mapping.name_on(system): key for key, mapping in TERMS.rules.objects[LEAD].by_key.items() if mapping.name_on(system)}
    values = {name: state.fields[key].side(system).seen for name, key in names.items() if key in state.fields}
    return fold(state, reading(system, values, T + 20_000, id=state.record(system).id), TERMS, T + 20_000)[0]


# -- whose record it is -----------------------------------------------------------------------------------------------------------


def test_whoever_was_only_in_marketo_and_takes_over_a_contact_is_one_with_the_contacts_own_values() -> None:
    owner = mapped("owner", "Owner__c", direction=Direction.TO_MARKETO)
    kinds = {obj: ObjectMapping(object=obj, fields=(*FIELDS, owner)) for obj in (LEAD, CONTACT)}
    loser = msgspec.structs.replace(other(owner=agreed("hers")), object=CONTACT)
    state = join(lone(1, MK), loser, MK, terms(objects=kinds), T + 10_000)
    assert (state.object, state.salesforce.id, state.marketo.id) == (CONTACT, ids(2)[SF], ids(1)[MK])
    assert state.fields["owner"].value == "hers"


# -- values ---------------------------------------------------------------------------------------------------------------------


def test_the_winners_value_stays_and_a_value_of_the_loser_fills_a_blank() -> None:
    state = joined(paired(phone=agreed(None)), other(title=agreed("loser's"), phone=agreed("123")))
    assert {key: state.fields[key].value for key in ("title", "phone")} == {"title": "a", "phone": "123"}
    assert sent(state, SF).items() >= {"phone": "123"}.items()
    assert "title" not in sent(state, SF)


def test_three_of_ten_make_thirty() -> None:
    state = joined(paired(), other(2), other(3))
    assert state.fields["leadScore"].value == 30
    assert (sent(state, SF), sent(state, MK)["leadScore"]) == ({"leadScore": 30}, 30)


def test_an_edit_of_the_score_under_way_is_added_after_the_join() -> None:
    state = joined(paired(), other())
    state, _ = fold(state, event(MK, {"leadScore": 13}, before={"leadScore": 10}), TERMS, T + 20_000)
    assert state.fields["leadScore"].value == 23


def test_choices_of_both_are_kept_where_the_field_adds_them_up() -> None:
    assert joined(paired(chosen=agreed("a;b")), other(chosen=agreed("b;c"))).fields["chosen"].value == "a;b;c"


def test_a_ticked_box_stays_ticked() -> None:
    assert joined(paired(), other(unsubscribed=agreed(True))).fields["unsubscribed"].value is True


def test_a_field_that_flows_one_way_is_what_its_source_says() -> None:
    state = joined(paired(website=agreed(None)), other(website=agreed("https://x.example")))
    assert state.fields["website"].value is None


def test_a_sum_that_is_more_than_can_be_carried_leaves_the_winners() -> None:
    state = joined(paired(leadScore=agreed(9e17)), other(leadScore=agreed(9e17)))
    assert state.fields["leadScore"].value == 9e17


def test_an_edit_that_the_winner_was_owed_is_owed_still() -> None:
    owed = agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1))
    assert sent(joined(paired(title=owed), other()), SF)["title"] == "b"


def test_a_write_under_way_of_a_value_that_lost_does_not_pass_for_the_agreement() -> None:
    under_way = Side(seen=10, seen_at=T, shows=1, writes=(Write(id=7, version=2, value=12, sent=T, look_at=T),))
    state = joined(paired(leadScore=agreed(12, 2, marketo=under_way)), other())
    state, _ = fold(state, event(MK, {"leadScore": 12}, author="tandem@example.com"), TERMS, T + 20_000)
    assert sent(state, MK)["leadScore"] == 22


# -- records ----------------------------------------------------------------------------------------------------------------------


def test_where_both_records_stand_that_side_is_owed_a_merge() -> None:
    state = joined(paired(), other())
    assert (state.salesforce.id, state.marketo.id) == (SF_ID, MK_ID)
    assert state.merges == ((MK, ids(2)[MK]),)


@pytest.mark.parametrize("side", System)
def test_a_merge_is_planned_and_due_before_anything_is_written(side: System) -> None:
    state = joined(paired(), other(), side=side)
    order = plan(state, side.other, TERMS.rules, exact=False)
    assert isinstance(order, Merge)
    assert (order.object, order.id, order.losers) == (state.named_on(side.other), state.record(side.other).id, (ids(2)[side.other],))
    assert due(state, TERMS.rules, T, exact=False)[0 if side is MK else 1] == T


def test_a_call_takes_as_many_losers_as_its_system_allows() -> None:
    many = joined(paired(), *(other(number) for number in range(2, 30)))
    order = plan(many, MK, TERMS.rules, exact=False)
    assert isinstance(order, Merge)
    assert len(order.losers) == 25
    few = joined(paired(), *(other(number) for number in range(2, 6)), side=MK)
    order = plan(few, SF, TERMS.rules, exact=False)
    assert isinstance(order, Merge)
    assert len(order.losers) == 2


def test_a_lead_is_not_merged_into_a_contact_by_salesforce_and_that_is_said() -> None:
    contact = other(1).with_record(SF, msgspec.structs.replace(other(1).salesforce, id="003000000000001EAA"))
    state = joined(contact, other(2), side=MK)
    assert not isinstance(plan(state, SF, TERMS.rules, exact=False), Merge)
    assert "Convert the lead into the contact" in refusals(state)[SF, MERGE]


def test_a_merge_that_is_refused_waits_until_anything_changes_and_the_rest_is_written() -> None:
    state = joined(paired(), other())
    state = not_merged(state, ["1002"], "1079 no", row_mark(state, TERMS.rules))
    assert isinstance(plan(state, MK, TERMS.rules, exact=False), Update)
    assert "1079 no" in refusals(state)[MK, MERGE]
    state, _ = fold(state, event(SF, {"Title": "new"}, T + 60_000), TERMS, T + 60_000)
    assert isinstance(plan(state, MK, TERMS.rules, exact=False), Merge)


def test_merged_in_marketo_it_is_the_salesforce_records_that_are_owed_a_merge() -> None:
    assert joined(paired(), other(), side=MK).merges == ((SF, ids(2)[SF]),)


def test_the_losers_record_is_taken_where_the_winner_has_none() -> None:
    state = joined(lone(1, SF), other(title=agreed("loser's")))
    assert (state.marketo.id, state.marketo.reread, state.merges) == (ids(2)[MK], True, ())
    assert sent(read(state, MK), MK) == {"title": "a", "email": "p1@example.com", LINKS.lead_id: ids(1)[SF], "leadScore": 20}


@pytest.mark.parametrize("gone", [1, 2])
def test_a_deleted_record_is_owed_no_merge_and_gives_way_to_one_that_is_there(gone: int) -> None:
    pairs = {number: other(number) for number in (1, 2)}
    deleted = msgspec.structs.replace(pairs[gone].marketo, deleted=True)
    pairs[gone] = pairs[gone].with_record(MK, deleted)
    state = joined(pairs[1], pairs[2])
    assert (state.marketo.id, state.marketo.deleted, state.merges) == (ids(3 - gone)[MK], False, ())


def test_calls_for_a_record_that_is_taken_were_the_losers_and_may_still_arrive() -> None:
    write = Write(id=7, version=2, value="b", sent=T, look_at=T)
    loser = other(title=agreed("b", 2, marketo=Side(seen="a", seen_at=T, shows=1, writes=(write,))))
    calling = msgspec.structs.replace(loser.marketo, calling=7, calling_until=T + 9, caller=1)
    state = joined(lone(1, SF), loser.with_record(MK, calling))
    side = state.fields["title"].marketo
    assert (state.marketo.calling, side.writes, [(each.id, each.version) for each in side.forgotten]) == (0, (), [(7, NEVER)])


def test_a_creation_under_way_for_the_loser_may_still_come_up() -> None:
    creating = lone(2, SF).with_record(MK, Record(creating=5))
    state = joined(paired(), creating)
    assert state.merges == ((MK, IN_DOUBT),)
    assert plan(state, MK, TERMS.rules, exact=False) == plan(joined(paired(), lone(2, SF)), MK, TERMS.rules, exact=False)
    assert came_up(state, MK, "1009").merges == ((MK, "1009"),)


def test_a_winner_that_was_never_read_wins_once_it_is() -> None:
    stub = PairState(object=LEAD).with_record(SF, Record(id=SF_ID, reread=True))
    state = joined(stub, other(title=agreed("loser's"), phone=agreed("123")))
    assert state.salesforce.heir
    shown = reading(SF, {"Title": "winner's", "LastName": "King", "Score__c": 5}, T + 20_000)
    state, _ = fold(state, shown, TERMS, T + 20_000)
    values = {key: state.fields[key].value for key in ("title", "phone", "lastName", "leadScore")}
    assert values == {"title": "winner's", "phone": "123", "lastName": "King", "leadScore": 15}


def test_the_link_of_a_record_that_is_taken_is_the_winners() -> None:
    assert sent(read(joined(lone(1, SF), other()), MK), MK)[LINKS.lead_id] == ids(1)[SF]


def test_what_waits_is_kept_for_the_records_that_stay() -> None:
    mine = Waiting(event=event(MK, {"title": "x"}, id=ids(1)[MK]), until=T)
    theirs = Waiting(event=event(MK, {"title": "y"}, id=ids(2)[MK]), until=T)
    one, two = (msgspec.structs.replace(other(number), waiting=(entry,)) for number, entry in ((1, mine), (2, theirs)))
    assert joined(one, two).waiting == (mine,)
    assert joined(lone(1, SF), two).waiting == (theirs,)


def test_records_of_ours_to_be_withdrawn_merges_owed_and_the_first_lane_are_both_pairs() -> None:
    one = msgspec.structs.replace(paired(), retract=((MK, "5"),), merges=((MK, "6"),), lane=2)
    two = msgspec.structs.replace(other(), retract=((MK, "7"), (MK, "5")), merges=((MK, "8"), (MK, "6")), lane=1)
    state = joined(one, two)
    assert (state.retract, state.merges, state.lane) == (((MK, "5"), (MK, "7")), ((MK, "6"), (MK, "8"), (MK, ids(2)[MK])), 1)


def test_a_record_that_is_merged_or_gone_is_owed_no_merge_and_the_winner_is_read_again() -> None:
    state = after_merge(joined(paired(), other()), MK, (ids(2)[MK],), T)
    assert (state.merges, state.marketo.reread) == ((), True)
    assert merged(state, MK, ids(2)[MK]) is state


def test_what_is_owed_survives_storage() -> None:
    state = joined(paired(), other())
    assert unpack(pack(state)).merges == state.merges


# -- whatever they hold -------------------------------------------------------------------------------------------------------------

VALUES: dict[str, st.SearchStrategy[Value]] = {
    "title": st.sampled_from([None, "a", " a", "b", ""]),
    "phone": st.sampled_from([None, "1", "2"]),
    "leadScore": st.sampled_from([None, 0, 3, 10, -4]),
    "unsubscribed": st.booleans(),
    "chosen": st.sampled_from([None, "a", "a;b", "c"]),
}


@st.composite
def sides(draw: st.DrawFn, value: Value, version: int) -> Side:
    if draw(st.booleans()):
        return Side(seen=value, seen_at=T, shows=version)
    write = Write(id=draw(st.integers(1, 9)), version=version, value=value, sent=T, look_at=T)
    return Side(seen=draw(st.sampled_from([None, value])), seen_at=T, shows=NEVER, writes=(write,) if draw(st.booleans()) else ())


@st.composite
def pairs(draw: st.DrawFn, number: int) -> PairState:
    fields: dict[str, Field] = {}
    for key, values in VALUES.items():
        if draw(st.booleans()):
            value, version = draw(values), draw(st.integers(1, 3))
            fields[key] = Field(value=value, version=version, salesforce=draw(sides(value, version)), marketo=draw(sides(value, version)))
    state = renamed(paired(**fields), number)
    if draw(st.integers(0, 3)) == 0:
        system = draw(st.sampled_from(System))
        state = state.with_record(system, msgspec.structs.replace(state.record(system), deleted=True))
    return state


def _mapping(key: str) -> FieldMapping:
    return TERMS.rules.objects[LEAD].by_key[key]


@given(pairs(1), pairs(2), st.sampled_from(System))
def test_no_value_is_lost_to_a_blank(one: PairState, two: PairState, side: System) -> None:
    state = joined(one, two, side=side)
    for key in VALUES:
        mapping = _mapping(key)
        if mapping.direction is not Direction.BOTH or mapping.rule.name in (RuleName.SUM_DELTAS, RuleName.UNION):
            continue
        values = [each.fields[key].value if key in each.fields else None for each in (one, two)]
        wanted = values[0] if not blank(mapping, values[0]) else values[1]
        assert equal(mapping, state.fields[key].value if key in state.fields else None, wanted)


@given(pairs(1), pairs(2), pairs(3), st.sampled_from(System))
def test_sums_are_the_same_in_any_order(one: PairState, two: PairState, three: PairState, side: System) -> None:
    scores = [joined(first, *rest, side=side).fields["leadScore"].value for first, *rest in ((one, two, three), (one, three, two))]
    assert scores[0] == scores[1] or (not scores[0] and not scores[1])
    assert (scores[0] or 0) == sum(int(each.fields["leadScore"].value or 0) for each in (one, two, three))


@given(pairs(1), pairs(2), st.sampled_from(System))
def test_nothing_is_owed_that_a_side_shows_already(one: PairState, two: PairState, side: System) -> None:
    state = joined(one, two, side=side)
    for key, field in state.fields.items():
        for system in System:
            shown = field.side(system)
            if key in VALUES and shown.known and field.version != (one.fields[key].version if key in one.fields else 0):
                assert (shown.shows == field.version) == equal(_mapping(key), shown.seen, field.value)


@given(pairs(1), pairs(2), st.sampled_from(System))
def test_each_record_is_the_pairs_or_gone_or_owed_a_merge(one: PairState, two: PairState, side: System) -> None:
    state = joined(one, two, side=side)
    for each in (one, two):
        record = each.record(side.other)
        if not record.deleted:
            assert record.id == state.record(side.other).id or (side.other, record.id) in state.merges
    due(state, TERMS.rules, T, exact=False)
    assert unpack(pack(state)) == state


def test_what_flows_one_way_is_what_the_record_says_that_is_left_also_where_that_says_nothing() -> None:
    winner = paired(website=agreed("https://ada.example.com"))
    winner = winner.with_record(SF, msgspec.structs.replace(winner.salesforce, deleted=True))
    state = joined(winner, other(), side=MK)
    assert state.salesforce.id == ids(2)[SF]
    assert (state.fields["website"].value, state.fields["website"].version) == (None, 2)
