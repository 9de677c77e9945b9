"""Gaps and confirmations go through the database: other processes, and whoever comes after a crash, find them there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from consumers.reconcile.confirmation import braked_deletes, confirm_deletes, keeping, release
from consumers.reconcile.gaps import Gaps, polls_of
from streams.relay.positions import OpenGap, PostgresPositions
from streams.salesforce.sources.brake import Braked
from streams.wire.errors import Cause
from streams.wire.systems import CONTACT, LEAD


class Poll:
    """Remembers what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: asyncio.Queue[int] = asyncio.Queue()

    def on_gap(self, gap: int, since_ms: int) -> None:
        self.told.put_nowait(gap)
        self.since_ms = since_ms

    def confirm_deletes(self, until_ms: int) -> None:
        self.told.put_nowait(until_ms)


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    made = await asyncpg.create_pool(postgres, min_size=1, max_size=4)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("source", "obj", "polls"),
    [
        ("salesforce.cdc", "", ("salesforce.poll.lead", "salesforce.poll.contact")),
        ("salesforce.cdc", "contact", ("salesforce.poll.contact",)),
        ("crm.salesforce.lead.v1", "", ("salesforce.poll.lead", "salesforce.poll.contact")),
        ("marketo.activities", "", ("marketo.poll",)),
        ("crm.marketo.person.v1", "", ("marketo.poll",)),
    ],
)
def test_the_polls_that_read_back(source: str, obj: str, polls: tuple[str, ...]) -> None:
    assert polls_of(OpenGap(id=1, source=source, object=obj, since_ms=0, reason="lost"), (LEAD, CONTACT)) == polls


@pytest.mark.integration
async def test_a_gap_is_told_until_it_is_closed_and_closed_when_every_poll_has_read_back(pool: Any) -> None:
    positions, stop = PostgresPositions(pool), asyncio.Event()
    first, second = Gaps(pool, positions, (LEAD, CONTACT)), Gaps(pool, positions, (LEAD, CONTACT))  # two processes
    await first.open("crm.salesforce.lead.v1", "", "offsets are gone", cause=Cause.OFFSETS)
    lead, contact = Poll("salesforce.poll.lead"), Poll("salesforce.poll.contact")
    telling = [asyncio.create_task(first.tell(lead, stop)), asyncio.create_task(second.tell(contact, stop))]
    async with asyncio.timeout(60):
        gap = await lead.told.get()
        assert await contact.told.get() == gap
        assert (lead.since_ms, contact.since_ms) == (0, 0)
        assert await lead.told.get() == gap, "it is told again until it is covered: whoever was told may have failed"
    await first.covered(lead.name, ())
    await first.covered(lead.name, [gap])
    assert len(await positions.open_gaps()) == 1, "the contacts have not been read yet"
    await second.covered(contact.name, [gap])
    assert await positions.open_gaps() == []
    stop.set()
    await asyncio.gather(*telling)


@pytest.mark.integration
async def test_who_comes_after_a_crash_is_told_only_what_was_not_read(pool: Any) -> None:
    positions, stop = PostgresPositions(pool), asyncio.Event()
    before = Gaps(pool, positions, (LEAD, CONTACT))
    await before.open("salesforce.cdc", "", "the replay id has expired", cause=Cause.REPLAY_ID)
    lead, contact = Poll("salesforce.poll.lead"), Poll("salesforce.poll.contact")
    task = asyncio.create_task(before.tell(lead, stop))
    async with asyncio.timeout(60):
        gap = await lead.told.get()
    await before.covered(lead.name, [gap])
    task.cancel()
    after = Gaps(pool, positions, (LEAD, CONTACT))
    lead_again = Poll(lead.name)
    telling = [asyncio.create_task(after.tell(lead_again, stop)), asyncio.create_task(after.tell(contact, stop))]
    async with asyncio.timeout(60):
        await contact.told.get()
    assert lead_again.told.empty()
    stop.set()
    await asyncio.gather(*telling)


@pytest.mark.integration
async def test_a_confirmation_reaches_the_poll(pool: Any, postgres: str) -> None:
    stop, poll = asyncio.Event(), Poll("salesforce.poll.lead")
    await confirm_deletes(postgres, LEAD, 1_000)
    await confirm_deletes(postgres, LEAD, 500)  # an earlier moment takes nothing back
    await confirm_deletes(postgres, CONTACT, 9_000)
    task = asyncio.create_task(release(pool, LEAD, poll, stop))
    async with asyncio.timeout(60):
        assert await poll.told.get() == 1_000
    stop.set()
    await task
    assert poll.told.empty()


@pytest.mark.integration
async def test_deletes_wait_until_they_are_confirmed_or_gone(pool: Any, postgres: str) -> None:
    braked = Braked(gone=60, of_all=100, until_ms=1_000, examples=("00Q1", "00Q2"))
    keep = keeping(pool, LEAD)
    await keep(braked)
    assert await braked_deletes(pool, LEAD) == braked
    assert await braked_deletes(pool, CONTACT) is None
    await confirm_deletes(postgres, LEAD, 1_000)
    assert await braked_deletes(pool, LEAD) is None
    more = Braked(gone=70, of_all=100, until_ms=1_001, examples=())
    await keep(more)
    assert await braked_deletes(pool, LEAD) == more, "those after it were not confirmed"
    await keep(None)
    assert await braked_deletes(pool, LEAD) is None
