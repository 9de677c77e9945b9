"""The same code against the sandbox's Marketo: a real process with its own feed, clock and limits."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.api.settings import MarketoSettings
from streams.marketo.sources.activities import ActivitySource
from streams.marketo.sources.decode import Decoding, shown_names
from streams.marketo.sources.feed import LeadFeed
from streams.marketo.sources.pace import Pace
from streams.marketo.sources.poll import CycleReport, MarketoPollSource
from streams.wire.errors import Retry, Unknown
from streams.wire.events import AsyncBatches, ChangeEvent, Happened, Source, Value

pytestmark = pytest.mark.integration

TYPES = {
    "firstName": "string",
    "lastName": "string",
    "leadScore": "integer",
    "unsubscribed": "boolean",
    "annualRevenue": "currency",
    "dateOfBirth": "date",
}


@dataclass
class Instance:
    """Both API users of the sandbox's Marketo, and its control API."""

    ours: MarketoRest
    others: MarketoRest
    own_user: str
    control: Callable[[str, Any], Awaitable[Any]]

    async def feed(self, source: str) -> LeadFeed:
        shown = shown_names(await self.ours.describe(), TYPES)
        zone = MarketoSettings(base_url="http://x.example", client_id="x", client_secret="x").zone
        return LeadFeed(self.ours, Decoding(source=source, types=TYPES, zone=zone, own_user=self.own_user, shown=shown))

    async def live(self) -> ActivitySource:
        pace = Pace(min_seconds=0.3, max_seconds=0.5, calls_per_day_max=10**9)
        return ActivitySource(await self.feed("activities"), pace=pace, side_beat=1)

    async def person(self, rest: MarketoRest, **fields: Value) -> str:
        """A new person of the test's own."""
        email = f"{secrets.token_hex(6)}@tests.example"
        answer = await rest.sync([{"email": email, **fields}], "createOnly", None)
        assert answer.results[0].status == "created", answer.results[0]
        return str(answer.results[0].id)


@pytest.fixture
async def instance(sandbox: dict[str, Any]) -> AsyncIterator[Instance]:
    def session(who: dict[str, str]) -> MarketoSession:
        return MarketoSession(MarketoSettings(base_url=who["url"], client_id=who["client_id"], client_secret=who["client_secret"]))

    async with (
        session(sandbox["tandem"]["marketo"]) as ours,
        session(sandbox["marketo"]) as others,
        aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http,
    ):

        async def control(path: str, body: Any) -> Any:
            data = body if isinstance(body, bytes) else orjson.dumps(body)
            async with http.post(path, data=data) as response:
                assert response.status < 300, await response.text()
                return await response.json()

        await control("/marketo/limits", {"calls_per_20s": 100_000, "concurrency": 1000})
        yield Instance(MarketoRest(ours, OpenBudget()), MarketoRest(others, OpenBudget()), await ours.user(), control)


@asynccontextmanager
async def following(source: Source, position: str | None = None) -> AsyncIterator[AsyncBatches]:
    batches = source.batches(position)
    try:
        async with asyncio.timeout(30):
            yield batches
    finally:
        await batches.aclose()


async def caught_up(batches: AsyncBatches) -> str:
    """Reads to the end of the feed; the position there."""
    while not (batch := await anext(batches)).caught_up:
        pass
    return batch.position


async def events_of(batches: AsyncBatches, lead: str, wanted: Callable[[list[ChangeEvent]], bool]) -> list[ChangeEvent]:
    """The events of one lead until they are what is wanted."""
    found: list[ChangeEvent] = []
    while not wanted(found):
        found += [event for event in (await anext(batches)).events if event.id == lead]
    return found


async def test_what_is_written_is_read_back_typed(instance: Instance) -> None:
    lead = await instance.person(
        instance.ours, firstName="Zoë", leadScore=7, unsubscribed=True, annualRevenue=1604.47, dateOfBirth="1980-02-29"
    )
    read = (await instance.ours.read([lead, "999999999"], list(TYPES)))[lead]
    assert {name: read.fields[name] for name in TYPES} == {
        "firstName": "Zoë",
        "lastName": None,
        "leadScore": 7,
        "unsubscribed": True,
        "annualRevenue": 1604.47,
        "dateOfBirth": "1980-02-29",
    }
    answer = await instance.ours.sync([{"id": int(lead), "firstName": None}, {"id": 999999999, "firstName": "x"}], "updateOnly", "id")
    assert [(item.id, item.status, item.code) for item in answer.results] == [(lead, "updated", ""), (None, "skipped", "1004")]


async def test_an_edit_of_another_user_arrives_with_typed_values_and_author(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="Ann")
    async with following(await instance.live()) as batches:
        await caught_up(batches)
        answer = await instance.others.sync(
            [{"id": int(lead), "firstName": "Anna", "unsubscribed": True, "leadScore": 3}], "updateOnly", "id"
        )
        (event,) = await events_of(batches, lead, bool)
    assert event.fields == {"firstName": "Anna", "unsubscribed": True, "leadScore": 3}
    assert event.before is not None
    assert event.before["firstName"] == "Ann"
    assert event.call == answer.request_id
    assert event.author not in {None, instance.own_user}


async def test_our_own_write_comes_back_with_its_request_and_without_a_reading(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="Ann")
    async with following(await instance.live()) as batches:
        await caught_up(batches)
        before = instance.ours.calls
        answer = await instance.ours.sync([{"id": int(lead), "annualRevenue": 12.5, "dateOfBirth": "1999-12-31"}], "updateOnly", "id")
        (event,) = await events_of(batches, lead, bool)
        calls = instance.ours.calls - before
    assert (event.author, event.call) == (instance.own_user, answer.request_id)
    assert event.fields == {"annualRevenue": 12.5, "dateOfBirth": "1999-12-31"}
    assert calls >= 2


async def test_edits_of_one_field_in_one_second_come_in_their_order(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="0")
    async with following(await instance.live()) as batches:
        await caught_up(batches)
        for number in range(1, 9):
            who = instance.others if number % 2 else instance.ours
            await who.sync([{"id": int(lead), "firstName": str(number)}], "updateOnly", "id")
        found = await events_of(batches, lead, lambda events: len(events) >= 8)
    assert [event.fields["firstName"] for event in found] == [str(number) for number in range(1, 9)]
    assert [event.before for event in found] == [{"firstName": str(number)} for number in range(8)]


async def test_new_leads_edits_by_hand_deletions_and_merges(instance: Instance) -> None:
    winner = await instance.person(instance.others, firstName="Win")
    async with following(await instance.live()) as batches:
        await caught_up(batches)
        lead = await instance.person(instance.others, firstName="New", leadScore=4)
        created, reading = await events_of(batches, lead, lambda events: len(events) >= 2)
        assert (created.kind, created.fields) == (Happened.CREATED, {})
        assert (reading.kind, reading.fields["leadScore"]) == (Happened.READ, 4)
        assert created.at <= reading.until

        await instance.control("/marketo/person/edit", {"id": int(lead), "fields": {"unsubscribed": True}})
        (edited,) = await events_of(batches, lead, bool)
        assert (edited.fields, edited.author, edited.origin) == ({"unsubscribed": True}, None, "Lead update")

        await instance.others.merge(winner, [lead])
        (merged,) = await events_of(batches, lead, bool)
        assert (merged.kind, merged.origin) == (Happened.DELETED, f"merged into {winner}")

        await instance.others.delete([winner])
        gone = await events_of(batches, winner, lambda events: any(event.kind is Happened.DELETED for event in events))
        assert gone[-1].kind is Happened.DELETED


async def test_the_feed_goes_on_where_it_was_left(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="Ann")
    async with following(await instance.live()) as batches:
        position = await caught_up(batches)
    await instance.others.sync([{"id": int(lead), "firstName": "Anna"}], "updateOnly", "id")
    async with following(await instance.live(), position) as batches:
        (event,) = await events_of(batches, lead, bool)
    assert event.fields == {"firstName": "Anna"}


async def test_the_poll_finds_what_the_ledger_has_not_seen(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="Ann")
    minted = await instance.ours.paging_token(0)
    await instance.others.sync([{"id": int(lead), "firstName": "Anna"}], "updateOnly", "id")
    known: set[str] = set()
    reports: list[CycleReport] = []

    async def unseen(events: list[ChangeEvent]) -> list[ChangeEvent]:
        fresh = [event for event in events if event.ref not in known]
        known.update(event.ref for event in fresh)
        return fresh

    source = MarketoPollSource(
        await instance.feed("poll"),
        unseen=unseen,
        since_ms=minted.server_ms,
        interval_seconds=3600,
        overlap_seconds=60,
        report=reports.append,
    )
    async with following(source) as batches:
        found = await events_of(batches, lead, lambda events: any(event.kind is Happened.UPDATED for event in events))
        while not reports:
            await anext(batches)
        source.wake()
        again = await anext(batches)
    assert found[-1].fields == {"firstName": "Anna"}
    assert (again.events, again.caught_up) == ([], True)
    assert (reports[1].relayed, reports[1].known) == (0, reports[0].relayed)


async def test_an_activity_committed_late_is_passed_by_the_live_source_and_found_by_the_poll(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="Ann")
    began = (await instance.ours.paging_token(0)).server_ms
    live_saw: list[ChangeEvent] = []
    async with following(await instance.live()) as batches:
        await caught_up(batches)
        fault = _fault(instance, "/rest/v1/leads.json", {"type": "late_activity", "seconds": 600, "chained": False})
        fault["match"].pop("actor")
        await instance.control("/faults", fault)
        await instance.others.sync([{"id": int(lead), "firstName": "Late"}], "updateOnly", "id")
        await instance.control("/clock", {"advance_seconds": 300})
        await instance.others.sync([{"id": int(lead), "lastName": "After"}], "updateOnly", "id")
        live_saw += await events_of(batches, lead, bool)
        await instance.control("/clock", {"advance_seconds": 301})
        await instance.others.sync([{"id": int(lead), "leadScore": 3}], "updateOnly", "id")
        live_saw += await events_of(batches, lead, lambda events: any("leadScore" in event.fields for event in events))
    async with following(
        MarketoPollSource(await instance.feed("poll"), unseen=_everything, since_ms=began + 601_000, interval_seconds=3600)
    ) as batches:
        found = await events_of(batches, lead, lambda events: any(event.kind is Happened.UPDATED for event in events))
    assert {name for event in live_saw for name in event.fields} == {"lastName", "leadScore"}
    assert {"firstName": "Late"} in [event.fields for event in found]


async def test_the_first_copy_brings_everyone(instance: Instance) -> None:
    lines = b"\n".join(b'{"email":"%s@copy.example","firstName":"C"}' % secrets.token_hex(6).encode() for _ in range(700))
    loaded = await instance.control("/marketo/load", lines)
    source = MarketoPollSource(await instance.feed("poll"), unseen=_everything, interval_seconds=3600)
    ids: set[str] = set()
    async with following(source) as batches:
        async for batch in batches:
            assert all(event.kind is Happened.READ for event in batch.events)
            ids |= {event.id for event in batch.events}
            if batch.caught_up:
                break
    assert {str(number) for number in range(loaded["first_id"], loaded["last_id"] + 1)} <= ids


async def _everything(events: list[ChangeEvent]) -> list[ChangeEvent]:
    return events


async def test_a_lost_answer_leaves_a_write_in_doubt_and_the_feed_tells(instance: Instance) -> None:
    lead = await instance.person(instance.others, firstName="Ann")
    async with following(await instance.live()) as batches:
        await caught_up(batches)
        await instance.control("/faults", _fault(instance, "/rest/v1/leads.json", {"type": "lose_answer"}))
        with pytest.raises(Unknown):
            await instance.ours.sync([{"id": int(lead), "firstName": "Anna"}], "updateOnly", "id")
        (event,) = await events_of(batches, lead, bool)
    assert (event.fields, event.author) == ({"firstName": "Anna"}, instance.own_user)


@pytest.mark.parametrize("code", ["606", "608", "615", "604", "611"])
async def test_trouble_of_the_instance_is_translated(instance: Instance, code: str) -> None:
    await instance.control("/faults", _fault(instance, "/rest/v1/stats/usage.json", {"type": "marketo_error", "code": code}))
    with pytest.raises(Retry, match=code) as caught:
        await instance.ours.usage(Lane.LIVE)
    assert caught.value.everyone is (code in {"606", "608", "615"})


async def test_an_hour_later_the_token_is_renewed_and_times_are_the_instances(instance: Instance) -> None:
    before = (await instance.ours.paging_token(0)).server_ms
    await instance.control("/clock", {"advance_seconds": 4000})
    answers = await asyncio.gather(*(instance.ours.paging_token(0) for _ in range(8)))
    assert all(answer.server_ms - before >= 4000 * 1000 - 2000 for answer in answers)


def _fault(instance: Instance, path: str, action: dict[str, Any]) -> dict[str, Any]:
    return {"system": "marketo", "match": {"path": path, "actor": instance.own_user}, "action": action, "times": 1}
