"""What is written to a side now, and the states before and after the call."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from consumers.mapping.fields import Clause, Direction, FieldMapping, FieldType, ObjectMapping, Qualification, Rule, RuleName, SyncRules
from consumers.merge.pair.state import FAILED, NEVER, Field, PairState, Record, Side
from consumers.merge.pair.stored import pack
from consumers.merge.writing.due import contested, due
from consumers.merge.writing.plan import Create, Delete, Nothing, Update, plan, qualifies, row_mark
from consumers.merge.writing.writes import answered, born, failed, intend, refuse, rejected, unclaimed, withdrawn
from streams.marketo.api.resource import Resource
from streams.wire.events import Value
from streams.wire.systems import LEAD, MARKETO, PERSON, Object, System
from tests.consumers.merge.person_pair import MK, MK_ID, SF, SF_ID, T, agreed, paired, rules, terms

RULES = rules()
PATIENCE = terms().patience(MK)
OWED = agreed("b", 2, marketo=Side(seen="a", seen_at=T, shows=1))


def written(state: PairState, **how: Any) -> dict[str, Value]:
    planned = plan(state, how.pop("target", MK), how.pop("rules", RULES), exact=how.pop("exact", False))
    return {out.name: out.value for out in planned.fields} if isinstance(planned, Create | Update) else {}


def sent(state: PairState, write: int = 7) -> PairState:
    planned = plan(state, MK, RULES, exact=False)
    assert isinstance(planned, Create | Update)
    return intend(state, MK, planned, write=write, now=T, patience=PATIENCE)


def changed(state: PairState, **changes: Any) -> PairState:
    return msgspec.structs.replace(state, **changes)


def record(**changes: Any) -> Record:
    return Record(**{"id": MK_ID, "complete": True, **changes})


NOT_NOW: dict[str, PairState] = {
    "in step": paired(),
    "held": changed(paired(title=OWED), hold="ambiguous match"),
    "a call is under way": changed(paired(title=OWED), marketo=record(calling=7)),
    "deleted": changed(paired(title=OWED), marketo=record(deleted=True)),
    "never read whole": changed(paired(title=OWED), marketo=record(complete=False)),
    "the field is held": paired(title=msgspec.structs.replace(OWED, hold="review: x")),
    "refused at this version": paired(title=agreed("b", 2, marketo=Side(seen="a", shows=1, refused=2))),
    "not met yet": paired(title=agreed("b", 2, marketo=Side(known=False, shows=NEVER))),
    "sent already": msgspec.structs.replace(sent(paired(title=OWED)), marketo=record()),
}


@pytest.mark.parametrize("name", NOT_NOW)
def test_nothing_is_written_and_nothing_is_due(name: str) -> None:
    state = NOT_NOW[name]
    assert isinstance(plan(state, MK, RULES, exact=False), Nothing)
    assert due(state, RULES, T, exact=False)[1] == 0


def test_what_is_owed_is_written_and_due() -> None:
    assert written(paired(title=OWED)) == {"title": "b"}
    assert due(paired(title=OWED), RULES, T, exact=False) == (0, T, 0, 0)


def test_what_was_due_before_stays_due_since_then() -> None:
    state = changed(paired(title=OWED), due=(0, T - 5, 0, 0))
    assert due(state, RULES, T, exact=False) == (0, T - 5, 0, 0)


def test_a_field_is_written_again_while_its_last_write_is_on_the_way_only_where_echoes_name_their_call() -> None:
    state = changed(sent(paired(title=OWED)), marketo=record())
    later = state.with_fields({"title": msgspec.structs.replace(state.fields["title"], value="c", version=3)})
    assert (written(later), written(later, exact=True)) == ({}, {"title": "c"})


def test_a_value_that_does_not_fit_is_refused_with_its_reason_and_the_rest_is_written() -> None:
    state = paired(title=agreed("b", 2, salesforce=Side(seen="a", shows=1)), phone=agreed("123456", 2, salesforce=Side(shows=1)))
    planned = plan(state, SF, RULES, exact=False)
    assert isinstance(planned, Update)
    assert [out.name for out in planned.fields] == ["Title"]
    assert planned.refused == (("phone", "6 characters, salesforce takes at most 5 in Phone"),)
    again = plan(refuse(state, SF, planned.refused), SF, RULES, exact=False)
    assert isinstance(again, Update)
    assert again.refused == ()


# -- creation ------------------------------------------------------------------------------------------------------------------
def lone(**fields: Field) -> PairState:
    """A Marketo person without a Salesforce record."""
    state = paired(**fields)
    return changed(state, salesforce=Record())


def test_a_creation_carries_what_is_filled_and_defaults_only_where_blank() -> None:
    blank = agreed(None, 1)
    created = written(lone(lastName=blank, title=blank, leadScore=agreed(0)), target=SF)
    assert created == {"Email": "ada@example.com", "LastName": "[not provided]", "Score__c": 0}
    assert written(lone(), target=SF)["LastName"] == "Lovelace"
    updated = written(paired(lastName=agreed(None, 2, salesforce=Side(seen="x", shows=1))), target=SF)
    assert updated == {"LastName": None}, "defaults are for creations"


WHO: list[tuple[Qualification, dict[str, Field], bool]] = [
    (Qualification(), {}, False),
    (Qualification(everyone=True), {}, True),
    (Qualification(groups=((Clause(field="title", filled=True),),)), {}, True),
    (Qualification(groups=((Clause(field="phone", filled=True),),)), {}, False),
    (Qualification(groups=((Clause(field="title", any_of=("A", "x")),),)), {}, True),
    (Qualification(groups=((Clause(field="leadScore", at_least=11),),)), {}, False),
    (Qualification(groups=((Clause(field="leadScore", at_least=10), Clause(field="title", any_of=("z",))),)), {}, False),
    (Qualification(groups=((Clause(field="title", any_of=("z",)),), (Clause(field="leadScore", at_least=10),))), {}, True),
    (Qualification(groups=((Clause(field="unsubscribed", any_of=(False,)),),)), {"unsubscribed": agreed(None)}, True),
]


@pytest.mark.parametrize(("rule", "fields", "wanted"), WHO)
def test_a_marketo_person_is_created_in_salesforce_only_when_it_qualifies(
    rule: Qualification, fields: dict[str, Field], wanted: bool
) -> None:
    state = lone(**fields)
    assert qualifies(state, rule) is wanted
    assert isinstance(plan(state, SF, rules(qualification=rule), exact=False), Create) is wanted


def test_a_salesforce_person_always_flows_to_marketo_but_not_from_a_record_that_is_deleted_or_unread() -> None:
    here = changed(paired(), marketo=Record())
    none = rules(qualification=Qualification())
    assert isinstance(plan(here, MK, none, exact=False), Create)
    for source in (Record(id=SF_ID, complete=True, deleted=True), Record(id=SF_ID), Record()):
        assert isinstance(plan(changed(here, salesforce=source), MK, none, exact=False), Nothing)


def test_a_refused_creation_is_tried_again_once_anything_has_changed_since_it_was_sent() -> None:
    here = changed(paired(), marketo=Record())
    mark = row_mark(here, RULES)
    refused = rejected(sent(here), MK, 7, "1003 bad", frozenset(), mark=mark)
    assert (refused.marketo.refused, written(refused), due(refused, RULES, T, exact=False)[1]) == ("1003 bad", {}, 0)
    typed = refused.with_fields({"title": agreed("b", 2)})
    assert written(typed)["title"] == "b"
    meanwhile = sent(here).with_fields({"title": agreed("b", 2)})
    assert written(rejected(meanwhile, MK, 7, "1003 bad", frozenset(), mark=row_mark(here, RULES)))["title"] == "b", (
        "it changed while the call was under way"
    )


# -- deletion ------------------------------------------------------------------------------------------------------------------
def test_a_second_record_of_ours_is_withdrawn_once() -> None:
    state = changed(paired(), retract=((MK, "9"),))
    assert plan(state, MK, RULES, exact=False) == Delete(object=PERSON, id="9", spare=True)
    assert isinstance(plan(state, SF, RULES, exact=False), Nothing)
    calling = changed(state, marketo=record(calling=7))
    assert (plan(calling, MK, RULES, exact=False), due(calling, RULES, T, exact=False)[1]) == (Nothing(), 0)


@pytest.mark.parametrize("follow", [False, True])
def test_a_deletion_in_marketo_is_followed_only_by_configuration(follow: bool) -> None:
    state = changed(paired(), marketo=record(deleted=True))
    planned = plan(state, SF, rules(delete_in_salesforce=follow), exact=False)
    if not follow:
        assert planned == Nothing()
        return
    assert isinstance(planned, Delete)
    assert (planned.object, planned.id, planned.spare) == (LEAD, SF_ID, False)
    assert MK_ID in planned.why, "a deletion says what speaks for it"
    assert bool(due(state, rules(delete_in_salesforce=follow), T, exact=False)[0]) is follow


@pytest.mark.parametrize("follow", [False, True])
def test_a_deletion_in_salesforce_is_followed_only_by_configuration(follow: bool) -> None:
    state = changed(paired(), salesforce=record(deleted=True))
    told = rules(objects={LEAD: replace(rules().objects[LEAD], delete_in_marketo=follow)})
    planned = plan(state, MK, told, exact=False)
    assert isinstance(planned, Delete) is follow
    assert bool(due(state, told, T, exact=False)[1]) is follow
    if isinstance(planned, Delete):
        assert (planned.object, planned.id) == (PERSON, MK_ID)
        assert "people.delete_in_marketo" in planned.why


# -- after the call ------------------------------------------------------------------------------------------------------------
def test_an_answer_is_no_proof_that_the_side_shows_the_value() -> None:
    state = answered(sent(paired(title=OWED)), MK, 7, T + 200, T + 1_000)
    side = state.fields["title"].marketo
    assert (side.shows, side.writes[0].answered, side.writes[0].done_by, state.marketo.calling) == (1, T + 200, T + 1_000, 0)
    assert due(state, RULES, T, exact=False) == (0, 0, 0, T + 200 + PATIENCE.silent_ms)


def test_a_write_without_an_answer_is_in_doubt_until_a_look() -> None:
    state = failed(sent(paired(title=OWED)), MK, 7, T + 60_000)
    assert (state.fields["title"].marketo.writes[0].answered, state.marketo.calling, written(state)) == (FAILED, 0, {})


def test_a_write_that_was_not_made_is_owed_again() -> None:
    before = paired(title=OWED)
    assert pack(changed(withdrawn(sent(before), MK, 7), due=before.due)) == pack(before)


def test_a_call_that_nobody_finished_is_in_doubt_after_its_time() -> None:
    state = sent(paired(title=OWED))
    assert unclaimed(state, MK, T + PATIENCE.call_ms - 1) is state
    over = unclaimed(state, MK, T + PATIENCE.call_ms)
    assert (over.marketo.calling, over.fields["title"].marketo.writes[0].answered) == (0, FAILED)


def test_a_refusal_blames_the_fields_it_names_and_the_rest_is_owed_again() -> None:
    two = paired(title=OWED, lastName=agreed("Byron", 2, marketo=Side(seen="Lovelace", shows=1)))
    state = rejected(sent(two), MK, 7, "1003 no", frozenset({"title"}), mark=0)
    assert (state.fields["title"].marketo.refused, state.fields["title"].marketo.reason) == (2, "1003 no")
    assert written(state) == {"lastName": "Byron"}


@pytest.mark.parametrize("blamed", [frozenset[str](), frozenset({"website"})])
def test_a_refusal_that_names_none_of_the_fields_written_blames_all_of_them(blamed: frozenset[str]) -> None:
    """Else the same write would be sent, and refused, without end."""
    state = rejected(sent(paired(title=OWED)), MK, 7, "a rule of ours says no", blamed, mark=0)
    assert (written(state), due(state, RULES, T, exact=False)) == ({}, (0, 0, 0, 0))


def test_a_refusal_is_of_the_version_that_was_sent() -> None:
    state = sent(paired(title=OWED))
    moved = state.with_fields({"title": msgspec.structs.replace(state.fields["title"], value="c", version=3)})
    assert written(rejected(moved, MK, 7, "1003 no", frozenset(), mark=0)) == {"title": "c"}


def test_a_record_that_was_created_shows_what_was_written_and_blanks() -> None:
    here = changed(paired(phone=agreed(None, 3, marketo=Side(known=False, shows=NEVER))), marketo=Record())
    state = born(answered(sent(here), MK, 7, T), MK, "77", 7, witnessed=True)
    assert (state.marketo.id, state.marketo.origin, state.marketo.complete, state.marketo.creating) == ("77", "tandem", True, 0)
    assert (state.fields["title"].marketo.seen, state.fields["phone"].marketo.shows, written(state)) == ("a", 3, {})
    waiting = born(answered(sent(here), MK, 7, T), MK, "77", 7, witnessed=False)
    assert len(waiting.fields["title"].marketo.writes) == 1, "the feed will tell"


def test_contested_pairs_are_those_with_a_field_that_waits_for_a_person() -> None:
    assert not contested(paired(title=OWED))
    assert contested(paired(title=msgspec.structs.replace(OWED, hold="contested: x")))


@pytest.mark.parametrize(("may_lack", "parent", "made"), [
    (False, None, False), (False, "003000000000001AAA", True), (True, None, True), (True, "003000000000001AAA", True),
])  # fmt: skip
def test_a_record_without_a_parent_that_it_can_not_lack_is_not_made(may_lack: bool, parent: str | None, made: bool) -> None:
    rule = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)
    link = FieldMapping(
        key="who", salesforce="Who__c", marketo="who", type=FieldType.REFERENCE, direction=Direction.TO_MARKETO, rule=rule, parent="person",
        parent_required=True, parent_may_lack=may_lack,
    )  # fmt: skip
    things = Resource(object=Object("thing"), path="customobjects/thing_c", key=("salesforceId",), id_field="marketoGUID")
    mapping = ObjectMapping(
        object=Object("thing"), fields=(link,), kind="thing", marketo=Object("thing"), flow=Direction.TO_MARKETO, resource=things
    )  # fmt: skip
    state = PairState(
        Object("thing"), {"who": Field(parent, 1, 0, Side(seen=parent, shows=1))}, Record(id="a01000000000001AAA", complete=True),
        counterpart=Object("thing"),
    )  # fmt: skip
    planned = plan(state, MARKETO, SyncRules(objects={mapping.object: mapping}), exact=False)
    assert isinstance(planned, Create) is made
