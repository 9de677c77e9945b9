"""Merges as the sandbox systems make them, once and again, and how a record that ended says in which."""

from typing import Any

import pytest

from consumers.merge.writing.plan import Merge
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.budget.port import Lane
from streams.wire.systems import CONTACT, LEAD, PERSON, System
from tests.consumers.writers.test_writers_on_systems import MK, SF, Systems, reading, systems

pytestmark = pytest.mark.integration
__all__ = ["systems"]


async def merge(systems: Systems, system: System, winner: str, *losers: str) -> Outcome:
    order = Merge(object=LEAD if system is SF else PERSON, id=winner, losers=losers)
    (outcome,) = await systems.writers[system].write([Item(write=1, pair=1, order=order)], Lane.LIVE)
    return outcome


@pytest.mark.parametrize("system", System)
async def test_a_merge_is_made_once_however_often_it_is_sent(systems: Systems, system: System) -> None:
    winner, *losers = [await systems.person(system, firstName=name) for name in ("W", "A", "B")]
    assert (await merge(systems, system, winner, *losers)).fate is Fate.DONE
    again = await merge(systems, system, winner, *losers)
    assert (again.fate, again.reason) == (Fate.DONE, "merged before")
    there = await systems.writers[system].read(LEAD if system is SF else PERSON, [winner, *losers], Lane.LIVE)
    assert [each for each, told in there.items() if told is not None] == [winner]


@pytest.mark.parametrize("system", System)
async def test_a_loser_that_went_before_does_not_stand_in_the_way_of_the_others(systems: Systems, system: System) -> None:
    winner, one, other = [await systems.person(system, firstName=name) for name in ("W", "A", "B")]
    await systems.delete(system, one)
    outcome = await merge(systems, system, winner, one, other)
    assert (outcome.fate, outcome.gone) == (Fate.REJECTED, (one,))
    assert (await merge(systems, system, winner, other)).fate is Fate.DONE


@pytest.mark.parametrize("system", System)
async def test_a_winner_that_is_gone_is_told(systems: Systems, system: System) -> None:
    winner, loser = [await systems.person(system, firstName=name) for name in ("W", "A")]
    await systems.delete(system, winner)
    assert (await merge(systems, system, winner, loser)).fate is Fate.GONE


async def test_salesforce_tells_what_a_record_that_ended_was_merged_into(systems: Systems) -> None:
    winner, loser, deleted = [await systems.person(SF, firstName=name) for name in ("W", "A", "B")]
    await merge(systems, SF, winner, loser)
    await systems.delete(SF, deleted)
    masters = await systems.writers[SF].masters(LEAD, [loser, deleted, "00Q000000000000AAA"], Lane.LIVE)
    assert masters == {loser: winner, deleted: None}
    assert await systems.writers[MK].masters(PERSON, ["1"], Lane.LIVE) == {}


async def test_a_reading_of_a_converted_lead_says_which_contact_it_is(systems: Systems) -> None:
    lead = await systems.person(SF)
    assert (await reading(systems, SF, lead)).into == ""
    contact = (await systems.control("/salesforce/convert", {"lead": lead}))["contactId"]
    told = await reading(systems, SF, lead)
    assert (told.into, told.into_object) == (contact, CONTACT)


async def test_a_session_that_has_ended_is_renewed_for_a_merge(systems: Systems, sandbox: dict[str, Any]) -> None:
    winner, loser = [await systems.person(SF, firstName=name) for name in ("W", "A")]
    await systems.control("/salesforce/expire_sessions", {"user": sandbox["tandem"]["salesforce"]["username"]})
    assert (await merge(systems, SF, winner, loser)).fate is Fate.DONE
