"""Rules are numbered each time that they change, and decisions carry the number, also those of the events that are judged in short."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from consumers.ledger.versions import numbered, versions
from consumers.mapping.fields import RuleName, SyncRules
from consumers.merge.pair.decision import decode
from consumers.observe.observer import Message, Observer
from streams.wire.codec import encode
from streams.wire.systems import LEAD
from tests.consumers.merge.person_pair import MK, SF, T, agreed, event, paired, rules, terms
from tests.consumers.pairs_in_memory import Clock, ledger_with, renamed


def otherwise(told: SyncRules) -> SyncRules:
    """The same, but for the rule of one field."""
    first, *rest = told.objects[LEAD].fields
    fields = (replace(first, rule=replace(first.rule, name=RuleName.NEWEST)), *rest)
    return replace(told, objects={**told.objects, LEAD: replace(told.objects[LEAD], fields=fields)}, version="other")


@pytest.fixture
async def pool(postgres: str) -> Any:
    pool = await asyncpg.create_pool(postgres, min_size=1, max_size=6)
    yield pool
    await pool.close()


@pytest.mark.integration
async def test_a_version_is_a_change_of_the_rules(pool: Any) -> None:
    first = rules(version="first")
    other = otherwise(first)
    assert [await numbered(pool, first, 1), await numbered(pool, first, 2), await numbered(pool, other, 3)] == [1, 1, 2]
    assert [await numbered(pool, first, 4), await numbered(pool, first, 5)] == [3, 3]
    async with pool.acquire() as connection:
        told = await versions(connection, 2)
        assert [each.changed for each in await versions(connection, 9)][-1] == ()
    name = other.objects[LEAD].fields[0].key
    assert [(each.number, each.digest, each.since_ms) for each in told] == [(3, "first", 4), (2, "other", 3)]
    assert [each.partition(":")[0] for each in told[1].changed] == [f"lead.{name}"]
    assert "newest@" in told[1].changed[0]


@pytest.mark.integration
async def test_before_any_worker_has_run_there_is_no_version(pool: Any) -> None:
    async with pool.acquire() as connection:
        assert await versions(connection, 9) == []


@pytest.mark.integration
async def test_workers_that_start_at_once_agree_on_the_number(pool: Any) -> None:
    assert set(await asyncio.gather(*(numbered(pool, rules(version="same"), 1) for _ in range(6)))) == {1}


async def test_decisions_carry_the_version_of_the_rules() -> None:
    told, number = replace(terms(), version=7), 1
    pair = renamed(paired(title=agreed("a")), number)
    ledger = ledger_with(pair, told=told)
    observer = Observer(ledger, told, Clock())
    changes = [
        event(SF, {"Title": "b"}, id=pair.salesforce.id, seq=pair.salesforce.seq + 1),
        event(MK, {"title": "c"}, T + 20_000, id=pair.marketo.id),
    ]
    for change in changes:
        topic = f"crm.{change.system}.{change.object}.v1"
        await observer.observe(topic, 0, 0, [Message(offset=0, key=b"", value=encode(change))])
    assert [(each.kind, each.config) for each in ledger.decisions] == [("judged", 7)] * 2


def test_a_decision_of_before_has_no_version() -> None:
    assert decode(b'{"kind":"judged","at":1,"pair":1,"system":"marketo","record":"1"}').config == 0
