"""When a field can be seen again, what changed meanwhile is read back and what was refused is owed."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.fitting.sight import Returned
from consumers.ledger.port import Duty, Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.state import PairState
from consumers.merge.writing.writes import refuse
from consumers.reconcile.gaps import Gaps, polls_of
from consumers.reconcile.returned_fields import welcome
from streams.relay.positions import PostgresPositions
from streams.wire.systems import CONTACT, LEAD, System
from tests.consumers.merge.person_pair import MK, SF, T, terms
from tests.consumers.pairs_in_memory import owing

TERMS = terms()
NOW = T + 10 * 86_400_000

pytestmark = pytest.mark.integration


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=3) as made:
        yield made


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres)
    yield opened
    await opened.close()


def refused(number: int, system: System) -> PairState:
    return TERMS.with_due(refuse(owing(number, system), system, (("title", "not at present"),)), T)


async def kept(ledger: PostgresLedger, *states: PairState) -> list[int]:
    pairs = [Pair(id=0, state=state, loaded=None) for state in states]
    async with ledger.transaction() as tx:
        await tx.save(pairs, T)
    return [pair.id for pair in pairs]


async def back(pool: Any, ledger: PostgresLedger, *returned: Returned) -> None:
    gaps = Gaps(pool, PostgresPositions(pool), (LEAD, CONTACT), lambda: NOW)
    await welcome(returned, gaps=gaps, pool=pool, ledger=ledger, terms=TERMS, poll_seconds=300.0, now_ms=lambda: NOW)


@pytest.mark.parametrize("system", [SF, MK])
async def test_what_was_refused_is_owed_again(system: System, pool: Any, ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.reconcile.returned_fields._PAGE", 2)
    states = [refused(1, system), refused(2, system), refused(3, system.other), refused(4, system), refused(5, system)]
    numbers = await kept(ledger, *states)
    kind = Duty.WRITE_SALESFORCE if system is SF else Duty.WRITE_MARKETO
    name = "Title" if system is SF else "title"
    await back(pool, ledger, Returned(system=system, object=LEAD, name=name, since_ms=T))
    async with ledger.transaction() as tx:
        pairs = await tx.by_id(numbers)
        assert [bool(pairs[number].state.due[kind]) for number in numbers] == [True, True, False, True, True]
        assert {pairs[number].state.fields["title"].side(system).reason for number in numbers} == {""}
        assert pairs[numbers[2]].state.fields["title"].side(system.other).reason == "not at present", "the other side's is another matter"


async def test_another_fields_refusal_stands(pool: Any, ledger: PostgresLedger) -> None:
    (number,) = await kept(ledger, refused(1, MK))
    await back(pool, ledger, Returned(system=MK, object=LEAD, name="lastName", since_ms=T))
    async with ledger.transaction() as tx:
        assert (await tx.by_id([number]))[number].state.fields["title"].marketo.reason == "not at present"


async def test_what_changed_meanwhile_is_a_gap_of_its_polls(pool: Any, ledger: PostgresLedger) -> None:
    both = [Returned(system=SF, object=obj, name="Title", since_ms=T + 7_200_000) for obj in (LEAD, CONTACT)]
    theirs = [Returned(system=MK, object=obj, name="title", since_ms=0) for obj in (LEAD, CONTACT)]
    await back(pool, ledger, *both, *theirs)
    gaps = await PostgresPositions(pool).open_gaps()
    assert sorted((polls_of(gap, (LEAD, CONTACT)), gap.since_ms > 0) for gap in gaps) == [
        (("marketo.poll",), False),
        (("salesforce.poll.contact",), True),
        (("salesforce.poll.lead",), True),
    ]
    assert all(gap.since_ms < T + 7_200_000 for gap in gaps)
    assert all("itle" in gap.reason for gap in gaps)
    assert msgspec.json.encode([gap.source for gap in gaps]).count(b"fields.") == 3
