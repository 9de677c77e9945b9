"""What becomes of a record whose pair ends, or is another one, while its creation is in doubt: it is found, and is its owner's."""

from typing import Any

import pytest

from consumers.mapping.fields import ObjectMapping
from consumers.merge.lives.link import links_sent
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState, Record
from consumers.merge.writing.plan import Create, plan
from consumers.merge.writing.writes import failed, given_up, intend
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.marketo.writer import MarketoWriter
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import CONTACT, LEAD, PERSON, System
from tests.consumers.families.marketo_model import OURS, MarketoModel
from tests.consumers.merge.person_pair import LINKS, MK, MK_USER, SF, T, event, reading, terms
from tests.consumers.merge.test_changes_of_identity import LEAD_FIELDS
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_joins import C_ID, TERMS, contact, converted, judge, merged, only, two

MADE = "1999"
DELETING = terms(objects={LEAD: ObjectMapping(object=LEAD, fields=LEAD_FIELDS, delete_in_marketo=True)})


def in_doubt(number: int = 1, write: int = 7) -> PairState:
    """A lead whose person is being made, by a call that has no answer."""
    state = lone(number, SF)
    planned = plan(state, MK, TERMS.rules, exact=False)
    assert isinstance(planned, Create)
    state = intend(state, MK, planned, write=write, now=T, patience=TERMS.patience(MK))
    return failed(state, MK, write, T)


def told(**changes: Any) -> ChangeEvent:
    """The feed tells of a person made by us, and no more."""
    return event(MK, {}, T + 10_000, **({"kind": Happened.CREATED, "id": MADE, "author": MK_USER, "ref": "m1"} | changes))


def seen(number: int = 1, at: int = T + 70_000, **fields: Any) -> ChangeEvent:
    """That person is read."""
    return reading(MK, {"email": f"p{number}@example.com", "title": "a", LINKS.lead_id: ids(number)[SF], **fields}, at, id=MADE)


# -- nobody has its answer ----------------------------------------------------------------------------------------------------------


async def test_a_person_made_by_us_that_no_pair_knows_is_read() -> None:
    ledger = ledger_with(told=TERMS)
    await judge(ledger, told())
    state = only(ledger)
    assert (state.marketo.id, state.marketo.reread, state.marketo.complete) == (MADE, True, False)
    assert not isinstance(plan(state, SF, TERMS.rules, exact=False), Create)
    assert ledger.decisions[0].fields[-1].verdict == Verdict.WAITING


async def test_it_is_its_owners_once_it_is_read_and_nobody_is_made_twice() -> None:
    ledger = ledger_with(in_doubt(), told=TERMS)
    await judge(ledger, told())
    await judge(ledger, seen())
    state = only(ledger)
    assert (state.marketo.id, state.marketo.creating, state.marketo.reread) == (MADE, 0, False)


async def test_it_is_one_whose_creation_was_given_up_for_a_lead_that_is_deleted_since() -> None:
    ledger = ledger_with(given_up(in_doubt(), MK, 7), told=TERMS)
    await judge(ledger, event(SF, {}, T + 20_000, id=ids(1)[SF], kind=Happened.DELETED, source="poll"))
    await judge(ledger, told())
    await judge(ledger, seen())
    state = only(ledger)
    assert state.marketo.id == MADE
    assert state.fields[LINKS.is_deleted].value is True
    assert state.fields[LINKS.is_deleted].marketo.shows != state.fields[LINKS.is_deleted].version


async def test_one_that_is_to_be_withdrawn_leaves_no_pair_of_its_own() -> None:
    spare = owing(1, MK)
    spare.retract = ((MK, MADE),)
    ledger = ledger_with(spare, told=TERMS)
    await judge(ledger, told())
    assert len(ledger.pairs) == 2
    await judge(ledger, seen())
    assert only(ledger).retract == ((MK, MADE),)


# -- its pair is another record since -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
async def test_a_lead_that_is_a_contact_since_has_what_was_made_for_the_lead(known: bool) -> None:
    """`known`: the contact was heard of before."""
    ledger = ledger_with(in_doubt(), told=TERMS)
    if known:
        await judge(ledger, contact(Happened.READ, Email="other@example.com"))
    await judge(ledger, converted())
    await judge(ledger, told())
    await judge(ledger, seen())
    state = only(ledger)
    assert (state.salesforce.id, state.marketo.id) == (C_ID, MADE)
    assert state.merges == ()


async def test_what_was_made_for_one_that_was_merged_into_it_is_a_second_one_while_its_own_is_in_doubt() -> None:
    ledger = ledger_with(in_doubt(1, 7), in_doubt(2, 8), told=TERMS)
    await judge(ledger, merged(2, 1))
    await judge(ledger, told())
    await judge(ledger, seen(2))
    state = only(ledger)
    assert (state.marketo.id, state.marketo.creating, state.merges) == ("", 7, ((MK, MADE),))
    own = reading(MK, {"email": "p1@example.com", "title": "a", LINKS.lead_id: ids(1)[SF]}, T + 80_000, id="1998")
    await judge(ledger, own)
    assert (only(ledger).marketo.id, only(ledger).merges) == ("1998", ((MK, MADE),))


async def test_one_too_many_that_we_have_made_is_withdrawn_not_held() -> None:
    ledger = ledger_with(owing(1, MK), told=TERMS)
    await judge(ledger, told())
    await judge(ledger, seen())
    assert only(ledger).retract == ((MK, MADE),)


async def test_it_is_looked_for_by_the_id_that_was_sent() -> None:
    ledger = ledger_with(in_doubt(), told=TERMS)
    await judge(ledger, converted())
    state = only(ledger)
    assert state.object == CONTACT
    assert links_sent(state, LINKS) == [(LINKS.lead_id, ids(1)[SF])]
    marketo = MarketoModel(clock=lambda: T, people={MADE: {"email": "x@example.com", LINKS.lead_id: ids(1)[SF]}})
    writer = MarketoWriter(marketo, TERMS.rules, OURS)  # type: ignore[arg-type]
    found = await writer.candidates({1: state}, None)  # type: ignore[arg-type]
    assert [each.id for each in found[1]] == [MADE]


async def test_of_a_lead_that_is_itself_nothing_else_was_sent() -> None:
    assert links_sent(in_doubt(), LINKS) == []


# -- what is to be merged outlives what it is to be merged into ---------------------------------------------------------------------


@pytest.mark.parametrize("system", System)
async def test_a_record_that_was_to_be_merged_into_one_that_is_deleted_takes_its_place(system: System) -> None:
    ledger = two()
    await judge(ledger, merged(2, 1, system.other))
    await judge(ledger, event(system, {}, T + 40_000, id=ids(1)[system], kind=Happened.DELETED, source="poll"))
    state = only(ledger)
    assert (state.record(system).id, state.record(system).reread, state.merges) == (ids(2)[system], True, ())
    assert ledger.former[system, state.named_on(system), ids(1)[system]] == 1
    late = event(system, {"title": "z", "Title": "z"}, T + 20_000, id=ids(1)[system])
    await judge(ledger, late)
    assert only(ledger).fields["title"].value == "a"


async def test_one_that_is_deleted_itself_is_followed_by_the_next() -> None:
    ledger = ledger_with(owing(1, MK), owing(2, MK), owing(3, MK), told=TERMS)
    await judge(ledger, merged(2, 1), merged(3, 1))
    for number in (1, 2):
        await judge(ledger, event(MK, {}, T + 40_000 + number, id=ids(number)[MK], kind=Happened.DELETED))
    state = only(ledger)
    assert (state.marketo.id, state.merges) == (ids(3)[MK], ())


async def test_what_may_yet_be_known_for_a_merge_keeps_its_place() -> None:
    ledger = two()
    await judge(ledger, merged(2, 1, MK))
    await judge(ledger, event(SF, {}, T + 40_000, id=ids(1)[SF], kind=Happened.DELETED, source="cdc"))
    assert (only(ledger).salesforce.id, only(ledger).salesforce.reread) == (ids(1)[SF], True)


async def test_a_contact_is_followed_by_a_lead_and_is_a_lead_then() -> None:
    state = owing(1, MK)
    state.object, state.salesforce = CONTACT, Record(id=C_ID, complete=True)
    state.merges = ((SF, ids(2)[SF]),)
    ledger = ledger_with(state, told=TERMS)
    await judge(ledger, event(SF, {}, T + 40_000, id=C_ID, object=CONTACT, kind=Happened.DELETED, source="poll"))
    assert (only(ledger).object, only(ledger).salesforce.id) == (LEAD, ids(2)[SF])


async def test_where_we_delete_one_ourselves_the_other_follows() -> None:
    state = owing(1, MK)
    state.salesforce = Record(id=ids(1)[SF], complete=True, deleted=True)
    state.merges = ((MK, MADE),)
    ledger, writer = ledger_with(state, told=DELETING), ScriptedWriter(MK)
    await Settler(ledger, writer, DELETING, Clock()).round()
    assert (only(ledger).marketo.id, only(ledger).marketo.reread) == (MADE, True)
    assert ledger.former[MK, PERSON, ids(1)[MK]] == 1
