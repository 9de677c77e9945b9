"""The live source: what it yields, where it goes on, when it waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.sources.activities import LAG_MAX_MS, ActivitySource, behind_ms
from streams.marketo.sources.decode import Decoding
from streams.marketo.sources.deletions import PAGES_MAX
from streams.marketo.sources.feed import LeadFeed
from streams.marketo.sources.pace import Pace
from streams.marketo.sources.push.hints import Hint, Hints
from streams.wire.errors import Fatal, Gap, Retry
from streams.wire.events import AsyncBatches, Batch, Happened, Source
from tests.streams.marketo.marketo_stub import NOW_MS, OWN, SHOWN, MarketoStub, change, creation, deletion, failure, merge

TYPES = {"firstName": "string", "leadScore": "score"}
CHANGES, LEADS = "/rest/v1/activities.json", "/rest/v1/leads.json"
DELETED = "/rest/v1/activities/deletedleads.json"
DAY_MS = 86_400_000


def feed_of(rest: MarketoRest, stub: MarketoStub) -> LeadFeed:
    return LeadFeed(rest, Decoding(source="activities", types=TYPES, zone=stub.settings().zone, own_user=OWN, shown=SHOWN))


def source_of(rest: MarketoRest, stub: MarketoStub, **options: Any) -> ActivitySource:
    return ActivitySource(feed_of(rest, stub), pace=Pace(min_seconds=0.01, max_seconds=0.02, calls_per_day_max=10**9), **options)


@asynccontextmanager
async def following(source: Source, position: str | None = None) -> AsyncIterator[AsyncBatches]:
    batches = source.batches(position)
    try:
        async with asyncio.timeout(10):
            yield batches
    finally:
        await batches.aclose()


async def until_event(batches: AsyncBatches) -> Batch:
    """The next batch that holds something."""
    while True:
        batch = await anext(batches)
        if batch.events or batch.dead:
            return batch


async def test_it_begins_now_and_tells_what_happens_from_then_on(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change("old", 7, "firstName", "A", "B", at=NOW_MS - 5000)]
    stub.leads = {7: {"id": 7, "firstName": "C", "leadScore": 3}}
    source = source_of(rest, stub)
    async with following(source) as batches:
        first = await anext(batches)
        assert (first.events, first.caught_up) == ([], True)
        stub.log.append(change("new", 7, "leadScore", None, "3"))
        batch = await until_event(batches)
    (event,) = batch.events
    assert (event.ref, event.fields) == ("new", {"leadScore": 3})
    assert batch.caught_up
    assert not source.backlog
    assert source.feed_time_ms > NOW_MS - 10_000


async def test_a_hint_has_it_look_at_once_and_again_until_the_log_shows_it(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.leads = {7: {"id": 7, "leadScore": 3}}
    hints = Hints(quiet_seconds=3600.0)
    source = ActivitySource(feed_of(rest, stub), pace=Pace(min_seconds=3600.0, max_seconds=3600.0, calls_per_day_max=10**9), hints=hints)
    async with following(source) as batches:
        await anext(batches)
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        hints.told([Hint("7", "new")])
        assert (await waiting).events == [], "the log is written after the hint was sent"
        stub.log.append(change("new", 7, "leadScore", None, "3"))
        batch = await until_event(batches)
    assert [event.ref for event in batch.events] == ["new"]
    assert hints.wanted == 0


async def test_it_goes_on_behind_the_last_batch(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", 7, "firstName", "A", f"B{number}") for number in range(5)]
    stub.leads = {7: {"id": 7}}
    stub.page = 2
    source = source_of(rest, stub, since_ms=NOW_MS)
    async with following(source) as batches:
        first = await anext(batches)
        assert not first.caught_up
        assert source.backlog
    async with following(source_of(rest, stub), first.position) as batches:
        rest_of_it = [await anext(batches), await anext(batches)]
    assert [event.ref for batch in (first, *rest_of_it) for event in batch.events] == ["g0", "g1", "g2", "g3", "g4"]
    assert [batch.caught_up for batch in rest_of_it] == [False, True]


async def test_empty_pages_do_not_stop_it(stub: MarketoStub, rest: MarketoRest) -> None:
    other = creation("x", 1) | {"activityTypeId": 1}
    stub.log = [other] * 6 + [change("g1", 7, "firstName", "A", "B", author=OWN)]
    stub.page = 2
    async with following(source_of(rest, stub, since_ms=NOW_MS)) as batches:
        batch = await until_event(batches)
    assert [event.ref for event in batch.events] == ["g1"]


async def test_our_own_echoes_are_not_read_again(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change("g1", 7, "leadScore", "1", "2", author=OWN, call="r#1"), creation("g2", 8, author=OWN)]
    async with following(source_of(rest, stub, since_ms=NOW_MS)) as batches:
        batch = await until_event(batches)
    assert [(event.kind, event.fields) for event in batch.events] == [(Happened.UPDATED, {"leadScore": 2}), (Happened.CREATED, {})]
    assert stub.asked(LEADS) == []


async def test_others_leads_are_read_300_a_call(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2") for number in range(1, 301)]
    stub.leads = {number: {"id": number, "leadScore": 2} for number in range(1, 301)}
    async with following(source_of(rest, stub, since_ms=NOW_MS)) as batches:
        batch = await until_event(batches)
    assert len(batch.events) == 300
    assert len(stub.asked(LEADS)) == 1


async def test_merges_come_with_changes_deletions_on_a_slower_beat(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.leads = {9: {"id": 9, "firstName": "Ann"}}
    async with following(source_of(rest, stub, side_beat=3)) as batches:
        for _ in range(6):
            await anext(batches)
        assert len(stub.asked("/rest/v1/activities/deletedleads.json")) == 2
        assert len(stub.asked(CHANGES)) == 6
        stub.log += [deletion("d1", 3), merge("m1", 9, [4])]
        merged = await until_event(batches)
    assert {(event.kind, event.id) for event in merged.events} == {(Happened.DELETED, "3"), (Happened.DELETED, "4"), (Happened.READ, "9")}


async def test_lost_tokens_are_minted_again_with_an_overlap(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.leads = {7: {"id": 7}}
    async with following(source_of(rest, stub)) as batches:
        position = (await anext(batches)).position
    stub.lost_tokens.add("AT0==")
    stub.now_ms = NOW_MS + 3_600_000
    stub.log = [
        change("g0", 7, "firstName", None, "A", at=NOW_MS - 3_600_000),
        change("g1", 7, "firstName", "A", "B", at=NOW_MS),
        deletion("d1", 8, at=NOW_MS),
    ]
    async with following(source_of(rest, stub), position) as batches:
        batch = await until_event(batches)
    assert [event.ref for event in batch.events] == ["g1", "d1"]
    minted = [each.query["sinceDatetime"] for each in stub.asked("/rest/v1/activities/pagingtoken.json")[-2:]]
    assert all(moment.startswith("2026-03-02T09:29:") for moment in minted)


async def test_a_token_that_is_refused_even_when_new_is_refused(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.lost_tokens.add("AT0==")
    async with following(source_of(rest, stub)) as batches:
        with pytest.raises(Fatal, match="nextPageToken"):
            await anext(batches)


async def test_a_feed_that_is_refused_needs_a_person(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[CHANGES] = [failure("1006", "Field 'firstName' not found")]
    async with following(source_of(rest, stub)) as batches:
        with pytest.raises(Fatal, match=r"marketo\.activities is refused.*1006.*mapped field"):
            await anext(batches)


async def test_a_position_older_than_deletions_are_kept_is_a_gap(stub: MarketoStub, rest: MarketoRest) -> None:
    async with following(source_of(rest, stub)) as batches:
        position = (await anext(batches)).position
    stub.now_ms += 15 * DAY_MS
    async with following(source_of(rest, stub), position) as batches:
        with pytest.raises(Gap) as caught:
            await anext(batches)
    assert caught.value.since_ms is not None
    assert NOW_MS - 10_000 < caught.value.since_ms <= NOW_MS
    async with following(source_of(rest, stub), "{not a position") as batches:
        with pytest.raises(Gap, match="can't be read"):
            await anext(batches)


async def test_trouble_is_raised_and_the_next_iteration_misses_nothing(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.leads = {7: {"id": 7, "firstName": "B"}}
    source = source_of(rest, stub)
    async with following(source) as batches:
        position = (await anext(batches)).position
        stub.log = [change("g1", 7, "firstName", "A", "B")]
        stub.scripts[LEADS] = [failure("604", "timeout")]
        with pytest.raises(Retry):
            await until_event(batches)
    async with following(source, position) as batches:
        batch = await until_event(batches)
    assert [event.ref for event in batch.events] == ["g1"]


async def test_waking_it_ends_the_wait(stub: MarketoStub, rest: MarketoRest) -> None:
    source = ActivitySource(feed_of(rest, stub), pace=Pace(min_seconds=3600, max_seconds=3600, calls_per_day_max=10**6))
    async with following(source) as batches:
        await anext(batches)
        stub.arrived.clear()
        waiting = asyncio.ensure_future(anext(batches))
        source.wake()
        batch = await waiting
    assert batch.caught_up


async def test_catching_up_with_our_own_echoes_is_repair_work(stub: MarketoStub) -> None:
    lanes: list[Lane] = []

    class Watching(OpenBudget):
        def call(self, lane: Lane) -> Any:
            lanes.append(lane)
            return super().call(lane)

    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(1, 41)]
    stub.page = 10
    async with (
        MarketoSession(stub.settings()) as session,
        following(source_of(MarketoRest(session, Watching()), stub, since_ms=NOW_MS)) as batches,
    ):
        lanes.clear()
        found = [await anext(batches) for _ in range(4)]
        live_again = await anext(batches)
    assert [len(batch.events) for batch in found] == [10, 10, 10, 10]
    assert lanes.count(Lane.REPAIR) >= 3
    assert Lane.LIVE in lanes[3:]
    assert live_again.caught_up


async def test_deletions_wait_for_the_end_of_a_drain_and_are_read_to_their_end_then(stub: MarketoStub, rest: MarketoRest) -> None:
    drain = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(1, 401)]
    stub.log = [*drain[:399], deletion("d1", 900), drain[399]]
    stub.page = 10
    found: list[Batch] = []
    async with following(source_of(rest, stub, since_ms=NOW_MS, side_beat=2)) as batches:
        while not found or not found[-1].caught_up:
            found.append(await anext(batches))
        assert len(stub.asked(DELETED)) == 1
        asked = len(stub.asked(CHANGES))
        (event,) = (await until_event(batches)).events
    assert (event.kind, event.id) == (Happened.DELETED, "900")
    assert asked == 41
    assert len(stub.asked(DELETED)) == 1 + 2 * PAGES_MAX


async def test_beside_a_flood_of_writes_the_next_page_waits_until_it_ends(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(1, 41)]
    stub.page, asked, flood = 10, asyncio.Event(), [True]

    def flooded() -> bool:
        asked.set()
        return flood[0]

    async with following(source_of(rest, stub, since_ms=NOW_MS, flooded=flooded)) as batches:
        for _ in range(2):
            await anext(batches)  # the second is on its way before the first shows whose they are
        await asked.wait()
        pages = len(stub.asked(CHANGES))
        flood[0] = False
        found = [await anext(batches), await anext(batches)]
    assert pages == 2
    assert [len(batch.events) for batch in found] == [10, 10]


async def test_far_behind_the_feed_goes_before_the_writes_that_fill_it(stub: MarketoStub) -> None:
    lanes: list[Lane] = []

    class Watching(OpenBudget):
        def call(self, lane: Lane) -> Any:
            lanes.append(lane)
            return super().call(lane)

    late_ms = NOW_MS - LAG_MAX_MS - 60_000
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN, at=late_ms) for number in range(1, 31)]
    stub.page = 10
    async with (
        MarketoSession(stub.settings()) as session,
        following(source_of(MarketoRest(session, Watching()), stub, since_ms=late_ms)) as batches,
    ):
        first = await anext(batches)
        assert behind_ms(first.position) > LAG_MAX_MS
        last = [await anext(batches), await anext(batches)][-1]
        assert (last.caught_up, behind_ms(last.position)) == (True, 0)
        assert set(lanes) == {Lane.LIVE}
    assert behind_ms("of another kind") == 0


async def test_the_next_page_is_on_its_way_while_a_batch_is_out_and_given_up_at_the_end(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", 7, "firstName", "A", f"B{number}", author=OWN) for number in range(4)]
    stub.page = 2
    never, asked = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    page = {"requestId": "r", "success": True, "result": stub.log[:2], "nextPageToken": "AT2==", "moreResult": True}
    stub.scripts[CHANGES] = [page, wait]
    async with following(source_of(rest, stub, since_ms=NOW_MS)) as batches:
        batch = await anext(batches)
        async with asyncio.timeout(5):
            await asked.wait()
    assert [event.ref for event in batch.events] == ["g0", "g1"]
    assert [task for task in asyncio.all_tasks() if "_changes" in repr(task.get_coro())] == []
    never.set()


async def test_malformed_rows_travel_beside_the_events(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change("g1", 7, "firstName", "A", "B", author=OWN), change("g2", 7, "firstName", "B", "C") | {"leadId": "seven"}]
    async with following(source_of(rest, stub, since_ms=NOW_MS)) as batches:
        batch = await until_event(batches)
    assert [event.ref for event in batch.events] == ["g1"]
    assert [letter.stage for letter in batch.dead] == ["marketo.activities"]
