"""The reconciliation poll and the first copy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from streams.marketo.api.rest import MarketoRest
from streams.marketo.sources.decode import Decoding
from streams.marketo.sources.feed import LeadFeed
from streams.marketo.sources.poll import AGAIN_PAGES_MAX, CycleReport, MarketoPollSource
from streams.wire.errors import Fatal, Reject, Retry
from streams.wire.events import AsyncBatches, Batch, ChangeEvent, Happened, Source
from tests.streams.marketo.marketo_stub import NOW_MS, OWN, SHOWN, MarketoStub, change, creation, deletion, failure, merge

TYPES = {"firstName": "string", "leadScore": "score"}
LEADS, TOKEN = "/rest/v1/leads.json", "/rest/v1/activities/pagingtoken.json"
DAY_MS = 86_400_000


class Ledger:
    """Knows some changes by name."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.reports: list[CycleReport] = []

    async def unseen(self, events: list[ChangeEvent]) -> list[ChangeEvent]:
        return [event for event in events if event.ref not in self.known]


def source_of(rest: MarketoRest, stub: MarketoStub, ledger: Ledger, **options: Any) -> MarketoPollSource:
    feed = LeadFeed(rest, Decoding(source="poll", types=TYPES, zone=stub.settings().zone, own_user=OWN, shown=SHOWN))
    chosen: dict[str, Any] = {"interval_seconds": 3600.0, "since_ms": NOW_MS, **options}
    return MarketoPollSource(feed, unseen=ledger.unseen, report=ledger.reports.append, **chosen)


@asynccontextmanager
async def following(source: Source, position: str | None = None) -> AsyncIterator[AsyncBatches]:
    batches = source.batches(position)
    try:
        async with asyncio.timeout(10):
            yield batches
    finally:
        await batches.aclose()


async def cycle(batches: AsyncBatches) -> list[Batch]:
    """The batches up to the end of a cycle."""
    found = [await anext(batches)]
    while not found[-1].caught_up:
        found.append(await anext(batches))
    return found


async def gathered(source: Source, position: str | None, into: list[Batch]) -> None:
    """Everything until it fails."""
    async with following(source, position) as batches:
        async for batch in batches:
            into.append(batch)  # noqa: PERF401 - what came before it failed counts


def page_of(stub: MarketoStub, start: int, end: int) -> dict[str, Any]:
    return {"requestId": "r", "success": True, "result": stub.log[start:end], "nextPageToken": f"AT{end}==", "moreResult": True}


def refs(batches: list[Batch]) -> list[str]:
    return [event.ref for batch in batches for event in batch.events]


async def test_only_what_the_ledger_has_not_seen_is_relayed_and_read(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change("g1", 1, "leadScore", "1", "2"), change("g2", 2, "leadScore", "1", "2"), deletion("d1", 3), deletion("d2", 4)]
    stub.leads = {1: {"id": 1, "leadScore": 2}, 2: {"id": 2, "leadScore": 2}}
    ledger = Ledger("g1", "d2")
    async with following(source_of(rest, stub, ledger)) as batches:
        found = await cycle(batches)
    assert refs(found) == ["g2", "d1"]
    assert [event.source for batch in found for event in batch.events] == ["poll", "poll"]
    assert [each.query["filterValues"] for each in stub.asked(LEADS)] == ["2"]
    (report,) = ledger.reports
    assert (report.read, report.known, report.relayed, report.copy) == (4, 2, 2, False)
    assert report.calls == 4


async def test_a_merge_is_relayed_when_any_of_its_losers_is_news(stub: MarketoStub, rest: MarketoRest) -> None:
    """The first may never have been heard of."""
    stub.log = [merge("m1", 9, [3, 4, 5])]
    stub.leads = {9: {"id": 9, "leadScore": 2}}

    class Four(Ledger):
        async def unseen(self, events: list[ChangeEvent]) -> list[ChangeEvent]:
            return [event for event in events if event.id == "4"]

    ledger = Four()
    async with following(source_of(rest, stub, ledger)) as batches:
        found = await cycle(batches)
    told = [(event.id, event.kind, event.into) for batch in found for event in batch.events]
    gone = Happened.DELETED
    assert told == [("3", gone, "9"), ("4", gone, "9"), ("5", gone, "9"), ("9", Happened.READ, "")]
    (report,) = ledger.reports
    assert (report.read, report.known, report.relayed) == (1, 0, 1)


async def test_an_idle_cycle_costs_three_calls(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2") for number in range(1, 200)]
    ledger = Ledger(*(f"g{number}" for number in range(1, 200)))
    async with following(source_of(rest, stub, ledger)) as batches:
        found = await cycle(batches)
    assert refs(found) == []
    assert ledger.reports[0].calls == 3
    assert len(stub.paths()) == 3


async def test_the_next_cycle_reaches_back_before_the_last_one(stub: MarketoStub, rest: MarketoRest) -> None:
    ledger = Ledger()
    source = source_of(rest, stub, ledger, overlap_seconds=1800)
    async with following(source) as batches:
        await cycle(batches)
        stub.now_ms += 300_000
        stub.log = [change("late", 1, "leadScore", "1", "2", at=NOW_MS - 60_000, author=OWN)]
        source.wake()
        found = await cycle(batches)
    assert refs(found) == ["late"]
    assert ["T09:30:00Z" in each.query["sinceDatetime"] or "T09:29:" in each.query["sinceDatetime"] for each in stub.asked(TOKEN)] == [
        True
    ] * 2


async def test_what_our_own_writes_filled_the_feed_with_is_not_read_again_by_every_cycle(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN, at=NOW_MS + number * 1000) for number in range(1, 501)]
    stub.page = 10
    ledger = Ledger(*(f"g{number}" for number in range(1, 501)))
    source = source_of(rest, stub, ledger)
    async with following(source) as batches:
        for number in range(AGAIN_PAGES_MAX + 2):
            stub.now_ms = NOW_MS + (600 + number) * 1000
            await cycle(batches)
            source.wake()
    whole, *later = (report.read for report in ledger.reports)
    assert whole == 500
    assert all(200 <= read <= 10 * (AGAIN_PAGES_MAX + 1) for read in later), later


async def test_a_cycle_does_not_run_after_a_feed_that_is_being_filled(stub: MarketoStub, rest: MarketoRest) -> None:
    early = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(1, 21)]
    later = [change(f"h{number}", number, "leadScore", "2", "3", author=OWN, at=NOW_MS + 60_000) for number in range(1, 201)]
    stub.log, stub.page = early + later, 10
    ledger = Ledger()
    async with following(source_of(rest, stub, ledger)) as batches:
        found = await cycle(batches)
    assert {f"g{number}" for number in range(1, 21)} <= set(refs(found))
    assert len(stub.paths()) <= 1 + 3 + (2 * 3 + 4)


async def test_a_gap_is_read_from_its_beginning(stub: MarketoStub, rest: MarketoRest) -> None:
    ledger = Ledger()
    source = source_of(rest, stub, ledger)
    async with following(source) as batches:
        await cycle(batches)
        stub.log = [change("lost", 1, "leadScore", "1", "2", at=NOW_MS - 5 * DAY_MS, author=OWN)]
        source.on_gap(7, NOW_MS - 6 * DAY_MS)
        assert refs(await cycle(batches)) == ["lost"]
        source.on_gap(7, NOW_MS - 6 * DAY_MS)  # told again: nothing
        stub.now_ms += 62_000
        source.wake()
        assert refs(await cycle(batches)) == []
    assert [report.since_ms // DAY_MS for report in ledger.reports[1:]] == [NOW_MS // DAY_MS - 6, NOW_MS // DAY_MS]
    assert [report.covered for report in ledger.reports] == [(), (), (7,)], "a cycle must end the lag after the gap was told of"


@pytest.mark.parametrize("path", [TOKEN, "/rest/v1/activities.json", "/rest/v1/activities/deletedleads.json", LEADS])
async def test_a_gap_survives_a_cycle_that_fails(path: str, stub: MarketoStub, rest: MarketoRest) -> None:
    ledger = Ledger()
    source = source_of(rest, stub, ledger)
    async with following(source) as batches:
        position = (await cycle(batches))[-1].position
    stub.log = [change("lost", 1, "leadScore", "1", "2", at=NOW_MS - 5 * DAY_MS)]
    stub.leads = {1: {"id": 1, "leadScore": 2}}
    source.on_gap(7, NOW_MS - 6 * DAY_MS)
    stub.scripts[path] = [failure("608", "unavailable")]
    found: list[Batch] = []
    with pytest.raises(Retry, match="608"):
        await gathered(source, position, found)
    position = found[-1].position if found else position
    async with following(source, position) as batches:
        found += await cycle(batches)
        stub.now_ms += 62_000
        source.wake()
        await cycle(batches)
    assert refs(found)[:1] == ["lost"]
    assert ledger.reports[-1].covered == (7,)


async def test_a_gap_without_a_beginning_is_a_copy_and_the_deletions_that_are_kept(stub: MarketoStub, rest: MarketoRest) -> None:
    ledger = Ledger()
    source = source_of(rest, stub, ledger)
    async with following(source) as batches:
        await cycle(batches)
        stub.log = [creation("g1", 1, at=NOW_MS - 500 * DAY_MS), deletion("d1", 2, at=NOW_MS - 3 * DAY_MS)]
        stub.leads = {1: {"id": 1, "leadScore": 2}}
        source.on_gap(7, 0)
        found = [event for batch in await cycle(batches) for event in batch.events]
    assert [(event.kind, event.id) for event in found] == [(Happened.READ, "1"), (Happened.DELETED, "2")]


async def test_an_interrupted_cycle_goes_on_where_it_was(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(6)] + [deletion("d1", 9)]
    stub.page = 2
    ledger = Ledger()
    async with following(source_of(rest, stub, ledger)) as batches:
        first = await anext(batches)
    async with following(source_of(rest, stub, ledger), first.position) as batches:
        remaining = await cycle(batches)
    assert refs([first]) == ["g0", "g1"]
    assert refs(remaining) == ["g2", "g3", "g4", "g5", "d1"]


async def test_a_token_lost_in_the_middle_is_minted_again(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN, at=NOW_MS + number * 3_600_000) for number in range(6)]
    stub.page, stub.now_ms = 2, NOW_MS + 6 * 3_600_000
    stub.scripts["/rest/v1/activities.json"] = [page_of(stub, 0, 2), failure("1003", "Invalid value for nextPageToken")]
    ledger = Ledger()
    async with following(source_of(rest, stub, ledger)) as batches:
        found = await cycle(batches)
    assert set(refs(found)) == {f"g{number}" for number in range(6)}


@pytest.mark.parametrize("fails", [TOKEN, "/rest/v1/activities.json"])
async def test_a_lost_token_is_minted_again_after_an_attempt_that_failed(fails: str, stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN, at=NOW_MS + number * 3_600_000) for number in range(6)]
    stub.page, stub.now_ms = 2, NOW_MS + 6 * 3_600_000
    source = source_of(rest, stub, Ledger())
    async with following(source) as batches:
        first = await anext(batches)
    lost, later = failure("1003", "Invalid value for nextPageToken"), failure("608", "unavailable")
    if fails == TOKEN:
        stub.scripts["/rest/v1/activities.json"] = [lost, lost]
        stub.scripts[TOKEN] = [later]
    else:
        stub.scripts["/rest/v1/activities.json"] = [lost, later, lost]
    with pytest.raises(Retry, match="608"):
        async with following(source, first.position) as batches:
            await anext(batches)
    async with following(source, first.position) as batches:  # the same source again, as the relay tries it
        found = await cycle(batches)
    assert {*refs([first]), *refs(found)} == {f"g{number}" for number in range(6)}


async def test_a_position_that_was_not_saved_may_name_the_lost_token_again(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(6)]
    stub.page = 2
    source = source_of(rest, stub, Ledger())
    async with following(source) as batches:
        first = await anext(batches)
    lost = failure("1003", "Invalid value for nextPageToken")
    for _ in range(2):
        stub.scripts["/rest/v1/activities.json"] = [lost]
        async with following(source, first.position) as batches:
            await anext(batches)
    async with following(source, first.position) as batches:
        assert {*refs([first]), *refs(await cycle(batches))} == {f"g{number}" for number in range(6)}


async def test_a_token_that_leads_nowhere_is_refused_but_not_for_ever(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change(f"g{number}", number, "leadScore", "1", "2", author=OWN) for number in range(6)]
    stub.page = 2
    stub.lost_tokens = {"AT2=="}
    source = source_of(rest, stub, Ledger())
    async with following(source) as batches:
        with pytest.raises(Fatal, match="nextPageToken"):
            await cycle(batches)
    stub.lost_tokens = set()
    async with following(source) as batches:
        assert set(refs(await cycle(batches))) == {f"g{number}" for number in range(6)}


async def test_a_token_that_is_lost_again_and_again_is_refused(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.lost_tokens.add("AT0==")
    async with following(source_of(rest, stub, Ledger())) as batches:
        with pytest.raises(Fatal, match="nextPageToken"):
            await cycle(batches)


async def test_without_a_beginning_it_copies_every_lead_that_exists(stub: MarketoStub, rest: MarketoRest) -> None:
    years_ago = NOW_MS - 2000 * DAY_MS
    stub.log = [creation(f"g{number}", number, at=years_ago) for number in range(1, 701)]
    stub.leads = {number: {"id": number, "firstName": f"N{number}"} for number in range(1, 701) if number % 7}
    ledger = Ledger()
    source = source_of(rest, stub, ledger, since_ms=None)
    async with following(source) as batches:
        found = await cycle(batches)
        source.wake()
        await cycle(batches)
    events = [event for batch in found for event in batch.events]
    assert {event.id for event in events} == {str(number) for number in stub.leads}
    assert {(event.kind, event.source) for event in events} == {(Happened.READ, "read")}
    assert len(stub.asked(LEADS)) == 3
    copy, compare = ledger.reports
    assert (copy.copy, copy.relayed, copy.calls) == (True, 600, 7)
    assert (compare.copy, compare.read, compare.since_ms // DAY_MS) == (False, 0, NOW_MS // DAY_MS)


async def test_from_now_the_past_is_left_to_a_first_copy(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [creation("g1", 1, at=NOW_MS - 2000 * DAY_MS)]
    stub.leads = {1: {"id": 1, "firstName": "Ada"}}
    ledger = Ledger()
    async with following(source_of(rest, stub, ledger, since_ms=None, from_now=True)) as batches:
        found = await cycle(batches)
    assert not [event for batch in found for event in batch.events]
    (report,) = ledger.reports
    assert not report.copy
    assert report.since_ms >= NOW_MS - 1_000, "the server tells whole seconds"


async def test_a_copy_resumes_at_the_page_and_is_not_repeated(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [creation(f"g{number}", number, at=NOW_MS - DAY_MS * 500) for number in range(1, 7)]
    stub.leads = {number: {"id": number} for number in range(1, 7)}
    stub.page = 2
    ledger = Ledger()
    async with following(source_of(rest, stub, ledger, since_ms=None)) as batches:
        first = await anext(batches)
    async with following(source_of(rest, stub, ledger, since_ms=None), first.position) as batches:
        remaining = await cycle(batches)
    assert [event.id for batch in (first, *remaining) for event in batch.events] == ["1", "2", "3", "4", "5", "6"]
    for position in (remaining[-2].position, remaining[-1].position):  # a crash before or after the end was saved
        async with following(source_of(rest, stub, ledger, since_ms=None), position) as batches:
            await cycle(batches)
        assert not ledger.reports[-1].copy


async def test_a_watermark_older_than_changes_are_kept_makes_it_a_copy(stub: MarketoStub, rest: MarketoRest) -> None:
    ledger = Ledger()
    async with following(source_of(rest, stub, ledger, since_ms=NOW_MS - 91 * DAY_MS)) as batches:
        await cycle(batches)
    async with following(source_of(rest, stub, ledger, since_ms=NOW_MS - 20 * DAY_MS)) as batches:
        await cycle(batches)
    old, younger = ledger.reports
    assert (old.copy, younger.copy) == (True, False)
    assert younger.deletions_pruned


async def test_trouble_leaves_the_position_where_it_was(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change("g1", 1, "leadScore", "1", "2")]
    stub.leads = {1: {"id": 1, "leadScore": 2}}
    stub.scripts[LEADS] = [failure("608", "unavailable")]
    ledger = Ledger()
    source = source_of(rest, stub, ledger)
    async with following(source) as batches:
        with pytest.raises(Retry, match="608"):
            await cycle(batches)
    async with following(source) as batches:
        assert refs(await cycle(batches)) == ["g1"]


async def test_a_cycle_waits_for_a_live_source_that_is_behind_unless_it_is_asked_for(stub: MarketoStub, rest: MarketoRest) -> None:
    ledger, asked = Ledger(), asyncio.Event()

    async def behind() -> bool:
        asked.set()
        return True

    source = source_of(rest, stub, ledger, live_behind=behind)
    async with following(source) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        await asked.wait()
        assert stub.seen == []
        source.wake()
        assert (await waiting).caught_up
    impatient = source_of(rest, stub, ledger, live_behind=behind, patience_seconds=0.01)
    async with following(impatient) as batches:
        assert (await anext(batches)).caught_up


@pytest.mark.parametrize("since_ms", [NOW_MS, None])
async def test_a_field_that_is_hidden_while_it_runs_costs_only_itself(since_ms: int | None, stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [creation("g1", 1)]
    stub.leads = {1: {"id": 1, "firstName": "Ada", "leadScore": 2}}
    stub.scripts[LEADS] = [failure("1006", "Field 'leadScore' not found")]
    shown = {"firstName", "leadScore"}

    async def unseen(error: Reject) -> bool:
        shown.discard("leadScore")
        return error.code == "1006"

    decoding = Decoding(source="poll", types=TYPES, zone=stub.settings().zone, own_user=OWN, shown=SHOWN)
    feed = LeadFeed(rest, decoding, visible=lambda names: [name for name in names if name in shown], unseen_fields=unseen)
    source = MarketoPollSource(feed, unseen=Ledger().unseen, interval_seconds=3600.0, since_ms=since_ms)
    async with following(source) as batches:
        found = [event for batch in await cycle(batches) for event in batch.events]
    assert [event.fields for event in found if event.is_read] == [{"firstName": "Ada"}]
    assert [each.query["fields"] for each in stub.asked(LEADS)] == ["firstName,id,leadScore", "firstName,id"]
