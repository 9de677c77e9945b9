"""A pair whose state can't be stored or read, in PostgreSQL: it alone waits."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from consumers.judging import plain_events
from consumers.ledger import pair
from consumers.ledger.port import Duty, Pair
from consumers.ledger.postgres import transaction as postgres_transaction
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.merge.lives.aside import FAULT
from consumers.merge.pair.state import PairState
from consumers.observe import observer
from consumers.observe.observer import Observer
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.settler import Settler
from streams.wire.systems import LEAD
from tests.consumers.merge.person_pair import MK, SF, T, terms
from tests.consumers.pairs_in_memory import Clock, ids, owing
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_observe_batches import TOPIC, edit, messages

pytestmark = pytest.mark.integration

TERMS = terms()
POISON = "poison"
PLACES: dict[str, Any] = {"pack": postgres_transaction, "repack": pair, "told": plain_events}
"""Who prepares a part of a pair for the ledger."""


async def fill(ledger: PostgresLedger, *states: PairState) -> list[int]:
    pairs = [Pair(id=0, state=TERMS.with_due(state, T), loaded=None, match_key=TERMS.match_key(state)) for state in states]
    async with ledger.transaction() as tx:
        await tx.save(pairs, T)
    return [pair.id for pair in pairs]


def failing(name: str, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = PLACES[name]
    real: Callable[..., Any] = getattr(place, name)

    def step(told: object) -> Any:
        if mark in repr(told):
            raise OverflowError("can't be stored")
        return real(told)

    monkeypatch.setattr(place, name, step)


async def rows(dsn: str, query: str, *told: object) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query, *told)]
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["pack", "repack", "told"])
async def test_an_event_whose_outcome_can_not_be_stored_is_buried(
    name: str, postgres_ledger: PostgresLedger, emptied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(postgres_ledger, *(owing(number, MK) for number in range(1, 6)))
    failing(name, POISON, monkeypatch)
    if name == "pack":
        monkeypatch.setattr(observer, "ways", lambda _terms: {})
    told = messages(*(edit(number, POISON if number == 4 else "c") for number in range(1, 6)))
    came = await Observer(postgres_ledger, TERMS, Clock()).observe(TOPIC, 0, 0, told)
    assert (came.events, came.dead) == (4, 1)
    states = await postgres_ledger.states(SF, LEAD, [ids(number)[SF] for number in range(1, 6)])
    assert [state.fields["title"].value for _, state in sorted(states.items())] == ["c", "c", "c", "b", "c"]
    assert await postgres_ledger.offset(TOPIC, 0) == 5
    assert await rows(emptied, 'select "offset", original from dead_letters') == [(3, told[3].value)]
    assert [held[: len(FAULT)] for (held,) in await rows(emptied, "select held from pairs where held is not null")] == [FAULT]


async def test_a_pair_whose_plan_can_not_be_stored_does_not_stop_settle(
    postgres_ledger: PostgresLedger, emptied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(postgres_ledger, owing(1, MK), owing(2, MK), owing(3, MK))
    failing("pack", ids(2)[SF], monkeypatch)
    writer = ScriptedWriter(MK)
    settler = Settler(postgres_ledger, writer, TERMS, Clock())
    settled = await settler.round()
    assert (settled.claimed, settled.held, settled.records) == (3, 1, 2)
    assert (await settler.round()).claimed == 0
    assert len(await rows(emptied, "select id from pairs where held is not null")) == 1


async def test_a_state_that_can_not_be_read_waits_beside_the_others(postgres_ledger: PostgresLedger, emptied: str) -> None:
    numbers = await fill(postgres_ledger, owing(1, MK), owing(2, MK), owing(3, MK))
    await rows(emptied, "update pairs set state = '\\xc1' where id = $1 returning id", numbers[1])
    writer, clock = ScriptedWriter(MK), Clock()
    settled = await Settler(postgres_ledger, writer, TERMS, clock).round()
    assert (settled.claimed, settled.records) == (2, 2)
    told = messages(*(edit(number, "c") for number in (1, 2, 3)))
    observed = await Observer(postgres_ledger, TERMS, clock).observe(TOPIC, 0, 0, told)
    assert (observed.events, observed.dead) == (2, 1)
    assert await rows(emptied, "select id from pairs where held is not null") == [(numbers[1],)]
    assert set(await postgres_ledger.states(SF, LEAD, [ids(number)[SF] for number in (1, 2, 3)])) == {ids(1)[SF], ids(3)[SF]}
    await rows(emptied, "update due set at = $2 where pair = $1 returning pair", numbers[1], T)
    await rows(emptied, "insert into due (kind, pair, at) values ($3, $1, $2) returning pair", numbers[1], T, int(Duty.LOOK_MARKETO))
    assert (await Looker(postgres_ledger, writer, TERMS, clock).round()).pairs == 0
    assert await postgres_ledger.waiting(Duty.LOOK_MARKETO, clock()) is None, "it does not come again and again"
