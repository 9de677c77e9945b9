"""A cycle that somebody asks for is begun by whoever carries the poll, once."""

import asyncio

import asyncpg
import pytest

from consumers.reconcile.asked import ask, hear

pytestmark = pytest.mark.integration
DEADLINE = 60


class Poll:
    def __init__(self, name: str) -> None:
        self.name, self.woken, self.woke = name, 0, asyncio.Event()

    def wake(self) -> None:
        self.woken += 1
        self.woke.set()


async def test_a_poll_is_woken_once_for_each_time_that_it_is_asked_for(postgres: str) -> None:
    pool = await asyncpg.create_pool(postgres, min_size=1, max_size=3)
    lead, account, stop = Poll("salesforce.poll.lead"), Poll("salesforce.poll.account"), asyncio.Event()
    await ask(pool, [lead.name], "ann", 50)
    hearing = [asyncio.create_task(hear(pool, poll, stop, lambda: 100)) for poll in (lead, account)]
    await ask(pool, [lead.name], "ann", 101)
    async with asyncio.timeout(DEADLINE):
        await lead.woke.wait()
        lead.woke.clear()
        await ask(pool, [lead.name, account.name], "ann", 102)
        await lead.woke.wait()
        await account.woke.wait()
    stop.set()
    await asyncio.gather(*hearing)
    await pool.close()
    assert (lead.woken, account.woken) == (2, 1)
