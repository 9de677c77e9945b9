"""What can be proved of a ledger: its decisions come to what is agreed, and whoever changes, deletes, adds or swaps one is found."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.configuration.mapping.defaults import build
from consumers.ledger.port import Pair
from consumers.ledger.postgres.blocks import packed, unpacked
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision, Joined, Ruling, Verdict, decode
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.pair.stored import pack
from consumers.publish.outbox import Outbox
from consumers.publish.seals import Anchor, Seals
from consumers.reports.proof.agreement import verify
from consumers.reports.proof.chain import Chained, verify_chain
from consumers.retention.tables import LINKS, ROWS_MAX
from streams.wire.errors import Retry
from streams.wire.systems import LEAD, System
from streams.wire.topics import ANCHORS
from tests.consumers.configuration.test_default_mapping import SETTINGS
from tests.consumers.kept_messages import Alone, Kept

pytestmark = pytest.mark.integration
NOW = 1_800_000_000_000
RULES = build(SETTINGS)


def anchors(kept: Kept) -> dict[int, str]:
    told = [msgspec.json.decode(value, type=Anchor) for topic, _, value in kept.log if topic == ANCHORS and value]
    return {each.block: each.hash for each in told}


@pytest.fixture
async def ledger(postgres_module: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres_module)
    await opened._pool.execute("truncate pairs, decisions, decision_blocks, decision_links, outbox restart identity cascade")
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def time() -> list[int]:
    return [NOW]


@pytest.fixture
def seals(ledger: PostgresLedger, kept: Kept, time: list[int]) -> Seals:
    return Seals(ledger._pool, Alone(), lambda: kept, now_ms=lambda: time[0])


async def live(ledger: PostgresLedger, *titles: str) -> int:
    """A lead that had these titles one after the other, each in a transaction of its own."""
    version = len(titles)
    side = Side(seen=titles[-1], shows=version)
    fields = {"title": Field(value=titles[-1], version=version, salesforce=side, marketo=side)}
    pair = Pair(id=0, state=PairState(object=LEAD, fields=fields, marketo=Record(id=f"7{version}{titles[0]}")), loaded=None)
    async with ledger.transaction() as tx:
        await tx.save([pair], NOW)
        await tx.record([accepted(pair.id, titles[0], 1)])
    for place, title in enumerate(titles[1:], start=2):
        async with ledger.transaction() as tx:
            await tx.record([accepted(pair.id, title, place)])
    return pair.id


def accepted(pair: int, value: str, version: int, field: str = "title") -> Decision:
    ruling = Ruling(field=field, verdict=Verdict.ACCEPTED, value=value, agreed=value, version=version)
    return Decision(kind="judged", at=NOW + version, pair=pair, system=System.MARKETO, record="7", fields=(ruling,))


async def published(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    await seals.publish(kept)


async def chain(ledger: PostgresLedger, anchors: Mapping[int, str] | None = None) -> Chained:
    async with ledger._pool.acquire() as connection:
        return await verify_chain(connection, anchors)


async def blocks(ledger: PostgresLedger) -> list[int]:
    return [row["id"] for row in await ledger._pool.fetch("select id from decision_blocks order by id")]


# what the decisions come to


async def test_what_is_agreed_is_what_the_decisions_say(ledger: PostgresLedger) -> None:
    for place in range(5):
        await live(ledger, f"a{place}", f"b{place}", f"c{place}")
    told = await verify(ledger._pool, RULES)
    assert (told.pairs, told.fields, told.disagreements, told.let_go) == (5, 5, 0, 0)


@pytest.mark.parametrize(
    ("value", "version", "why"),
    [("Another", 3, "its last decision says something else"), ("c", 4, "its last decision says something else")],
    ids=["a value that nobody decided", "a version of which a decision is lacking"],
)
async def test_a_state_that_nobody_decided_is_found(ledger: PostgresLedger, value: str, version: int, why: str) -> None:
    await live(ledger, "x", "y", "z")
    pair = await live(ledger, "a", "b", "c")
    field = Field(value=value, version=version, salesforce=Side(seen=value, shows=version), marketo=Side(seen=value, shows=version))
    state = pack(PairState(object=LEAD, fields={"title": field}, marketo=Record(id="73a")))
    await ledger._pool.execute("update pairs set state = $2 where id = $1", pair, state)
    told = await verify(ledger._pool, RULES)
    assert told.disagreements == 1
    (found,) = told.examples
    assert (found.pair, found.field, found.agreed, found.derived, found.derived_version, found.why) == (pair, "title", value, "c", 3, why)


async def test_a_field_that_no_decision_tells_of_is_found(ledger: PostgresLedger) -> None:
    pair = await live(ledger, "a")
    fields = {key: Field(value="v", version=1, salesforce=Side(seen="v", shows=1), marketo=Side(seen="v", shows=1)) for key in ("phone",)}
    state = pack(PairState(object=LEAD, fields=fields, marketo=Record(id="71a")))
    await ledger._pool.execute("update pairs set state = $2 where id = $1", pair, state)
    told = await verify(ledger._pool, RULES)
    assert [(each.field, each.why) for each in told.examples] == [("phone", "no decision tells of it")]


async def test_what_retention_has_let_go_is_no_disagreement_and_what_was_deleted_is(ledger: PostgresLedger) -> None:
    await live(ledger, "a")
    await live(ledger, "b")
    pair = await live(ledger, "c")
    first, _, last = await blocks(ledger)
    await ledger._pool.execute("delete from decision_blocks where id = $1", first)
    told = await verify(ledger._pool, RULES)
    assert (told.fields, told.let_go, told.disagreements) == (2, 1, 0)
    await ledger._pool.execute("delete from decision_blocks where id = $1", last)
    told = await verify(ledger._pool, RULES)
    assert [(each.pair, each.why) for each in told.examples] == [
        (pair, f"the block of decisions {last} is gone, though older ones are there")
    ]  # fmt: skip


async def test_a_damaged_state_is_named_and_the_others_are_compared(ledger: PostgresLedger) -> None:
    broken = await live(ledger, "a")
    await live(ledger, "b")
    await ledger._pool.execute("update pairs set state = '\\x00' where id = $1", broken)
    told = await verify(ledger._pool, RULES)
    assert (told.fields, told.disagreements) == (1, 1)
    assert told.examples[0].why.startswith("its state can't be read")


async def test_batches_come_to_the_same(ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.reports.proof.agreement.PAIRS_MAX", 2)
    for place in range(5):
        await live(ledger, f"a{place}", f"b{place}")
    told = await verify(ledger._pool, RULES)
    assert (told.pairs, told.fields, told.disagreements) == (5, 5, 0)
    only = await verify(ledger._pool, RULES, only=[await live(ledger, "one")])
    assert (only.pairs, only.fields, only.disagreements) == (1, 1, 0)


# the chain


async def test_a_chain_that_nobody_touched_holds(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a", "b")
    await published(ledger, seals, kept)
    await live(ledger, "c")
    told = await chain(ledger, anchors(kept))
    assert (told.blocks, told.decisions, told.faults, told.anchors, told.unsealed) == (2, 2, 0, 1, 0)
    await published(ledger, seals, kept)
    told = await chain(ledger, anchors(kept))
    assert (told.blocks, told.decisions, told.faults) == (3, 3, 0)


async def forge(ledger: PostgresLedger, block: int) -> None:
    """One word in one decision."""
    body = await ledger._pool.fetchval("select body from decision_blocks where id = $1", block)
    entries = unpacked(body)
    told = [decode(entry.told) for entry in entries]
    forged = [msgspec.structs.replace(each, detail="forged") for each in told]
    new = packed(forged, {entry.pair: entry.before for entry in entries if entry.before})
    await ledger._pool.execute("update decision_blocks set body = $2 where id = $1", block, new)


async def swap(ledger: PostgresLedger, one: int, other: int) -> None:
    bodies = [await ledger._pool.fetchval("select body from decision_blocks where id = $1", block) for block in (one, other)]
    await ledger._pool.execute("update decision_blocks set body = $2 where id = $1", one, bodies[1])
    await ledger._pool.execute("update decision_blocks set body = $2 where id = $1", other, bodies[0])


CHANGED = "it is not what was chained: it was changed, or another one stands in its place"
MISSING = "it is missing: it was taken out"


async def test_a_changed_row_is_found(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a", "b", "c")
    await published(ledger, seals, kept)
    _, second, _ = await blocks(ledger)
    await forge(ledger, second)
    told = await chain(ledger)
    assert [(each.block, each.why) for each in told.examples] == [(second, CHANGED)]


@pytest.mark.parametrize("place", [0, 1, 2], ids=["the first", "one between", "the last"])
async def test_a_missing_row_is_found(ledger: PostgresLedger, seals: Seals, kept: Kept, place: int) -> None:
    await live(ledger, "a", "b", "c")
    await published(ledger, seals, kept)
    gone = (await blocks(ledger))[place]
    await ledger._pool.execute("delete from decision_blocks where id = $1", gone)
    told = await chain(ledger)
    assert [(each.block, each.why) for each in told.examples] == [(gone, MISSING)]


async def test_reordered_rows_are_found(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a", "b", "c")
    await published(ledger, seals, kept)
    first, second, _ = await blocks(ledger)
    await swap(ledger, first, second)
    told = await chain(ledger)
    assert [(each.block, each.why) for each in told.examples] == [(first, CHANGED), (second, CHANGED)]


async def test_a_row_that_was_put_in_is_found(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a")
    async with ledger._pool.acquire() as connection:
        await connection.fetchval("select nextval('decision_block_numbers')")
    await live(ledger, "b")
    await published(ledger, seals, kept)
    first, _ = await blocks(ledger)
    await ledger._pool.execute(
        "insert into decision_blocks (id, at, count, body) select id + 1, at, count, body from decision_blocks where id = $1", first
    )
    told = await chain(ledger)
    assert [(each.block, each.why) for each in told.examples] == [(first + 1, "it was put in: it is not in the chain")]


async def forge_the_chain(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    """A row is changed, and all links are made anew to fit it."""
    await forge(ledger, (await blocks(ledger))[0])
    await ledger._pool.execute("truncate decision_links")
    await seals.publish(kept)


async def cut_the_chain(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    """The end is taken off, with its links."""
    del seals, kept
    last = (await blocks(ledger))[-1]
    await ledger._pool.execute("delete from decision_blocks where id = $1", last)
    await ledger._pool.execute("delete from decision_links where block = $1", last)


@pytest.mark.parametrize("forging", [forge_the_chain, cut_the_chain])
async def test_a_chain_that_was_made_anew_is_found_by_the_anchors(
    ledger: PostgresLedger, seals: Seals, kept: Kept, forging: Callable[..., Any]
) -> None:
    await live(ledger, "a", "b", "c")
    await published(ledger, seals, kept)
    sealed = anchors(kept)
    await forging(ledger, seals, kept)
    assert (await chain(ledger)).faults == 0, "from the inside it looks whole"
    told = await chain(ledger, sealed)
    assert told.faults == 1
    assert told.examples[0].block == max(sealed)


async def test_anchors_come_now_and_then_and_once_for_each_end(
    ledger: PostgresLedger, seals: Seals, kept: Kept, time: list[int]
) -> None:  # fmt: skip
    await live(ledger, "a")
    await published(ledger, seals, kept)
    await live(ledger, "b")
    await published(ledger, seals, kept)
    assert len(anchors(kept)) == 1, "not every second"
    time[0] += 60_000
    assert await seals.publish(kept) == 1, "what had to wait is told"
    time[0] += 600_000
    assert await seals.publish(kept) == 0, "nothing new"
    assert max(anchors(kept)) == (await blocks(ledger))[-1]


async def test_what_is_not_published_is_not_chained(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a")
    await seals.publish(kept)
    assert await ledger._pool.fetchval("select count(*) from decision_links") == 0


async def test_of_two_who_chain_one_finds_out_and_both_come_to_the_same(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a", "b")
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    other = Seals(ledger._pool, Alone(), lambda: kept)
    rows = await ledger._pool.fetch("select id, at, count, body from decision_blocks order by id")
    await other.publish(kept)
    with pytest.raises(Retry, match="somebody else"):
        await seals._link(0, bytes(32), rows)
    await seals.publish(kept)
    assert (await chain(ledger)).faults == 0


async def test_a_day_that_was_let_go_leaves_its_last_link_for_what_comes_after(ledger: PostgresLedger, seals: Seals, kept: Kept) -> None:
    await live(ledger, "a", "b")
    await published(ledger, seals, kept)
    today = (await blocks(ledger))[-1] >> 40
    await ledger._pool.execute("select setval('decision_block_days', $1)", today + 1)
    await live(ledger, "c")
    await published(ledger, seals, kept)
    await ledger._pool.execute("select decision_blocks_forgotten($1)", today)
    assert await ledger._pool.fetchval(LINKS, today + 1, ROWS_MAX) == 1
    assert await ledger._pool.fetchval("select count(*) from decision_links") == 2
    told = await chain(ledger, anchors(kept))
    assert (told.blocks, told.faults) == (1, 0)
    await forge(ledger, (await blocks(ledger))[0])
    assert (await chain(ledger)).faults == 1


async def test_joins_and_what_is_not_judged_are_proved_as_well(ledger: PostgresLedger) -> None:
    winner = await live(ledger, "a")
    ruling = Ruling("title", Verdict.WON, "b", "b", 2, "a", "", "a value beats no value")
    told = Joined(pair=99, object="lead", salesforce="", marketo="8")
    decision = Decision(kind="joined", at=NOW, pair=winner, system=System.MARKETO, record="8", fields=(ruling,), joined=told)
    field = Field(value="b", version=2, salesforce=Side(seen="b", shows=2), marketo=Side(seen="b", shows=2))
    async with ledger.transaction() as tx:
        (pair,) = (await tx.by_id([winner])).values()
        pair.state = PairState(object=LEAD, fields={"title": field}, marketo=pair.state.marketo)
        await tx.save([pair], NOW)
        await tx.record([decision])
    found = await verify(ledger._pool, RULES)
    assert (found.fields, found.disagreements) == (1, 0)


async def test_reports_read_only(postgres_module: str, ledger: PostgresLedger) -> None:
    await live(ledger, "a")
    connection = await asyncpg.connect(postgres_module, server_settings={"default_transaction_read_only": "on"})
    try:
        assert (await verify(connection, RULES)).fields == 1
        assert (await verify_chain(connection)).unsealed == 0
    finally:
        await connection.close()
