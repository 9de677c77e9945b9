"""A program's members are asked for only once they are somebody's: before that, whoever reads them reads in vain, and never again."""

import asyncpg
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Ledger, Pair
from consumers.ledger.postgres.ledger import open_ledger
from consumers.links.linking import PUT
from consumers.links.links import Links
from consumers.merge.pair.state import PairState, Record
from streams.wire.systems import MARKETO
from tests.consumers.test_kinds_of_campaigns import CAMPAIGN, PROGRAM, SPRING, judged, members, told

LINKED_MS = 5


async def test_nothing_is_kept_of_a_member_whose_program_has_no_pair_yet() -> None:
    made = MemoryLedger()
    await judged(made, told(MARKETO, "1001.7", statusName="Sent"))
    assert not members(made)


async def save(ledger: Ledger, number: int = 0, *, deleted: bool = False) -> int:
    state = PairState(CAMPAIGN, {}, Record(id=SPRING, deleted=deleted), Record(id="1001", deleted=deleted), counterpart=PROGRAM)
    async with ledger.transaction() as tx:
        before = (await tx.by_id([number]))[number].loaded if number else None
        pair = Pair(id=number, state=state, loaded=before)
        await tx.save([pair], 1)
        return pair.id


@pytest.mark.integration
async def test_a_program_is_followed_while_its_pair_is_there(postgres_module: str) -> None:
    clock = iter(range(0, 1000, 10))
    ledger = await open_ledger(postgres_module)
    async with asyncpg.create_pool(postgres_module, min_size=1, max_size=1) as pool:
        links = Links(pool, monotonic=lambda: float(next(clock)))
        await pool.execute(PUT, SPRING, "1001", "marketo", "refuse", LINKED_MS)
        assert [await links.programs(), await links.campaigns()] == [{}, [SPRING]], "it was just linked, its pair follows"
        number = await save(ledger)
        assert await links.programs() == {"1001": LINKED_MS}
        await save(ledger, number, deleted=True)
        assert await links.programs() == {}
        await save(ledger, number)
        assert await links.programs() == {"1001": LINKED_MS}
    await ledger.close()
