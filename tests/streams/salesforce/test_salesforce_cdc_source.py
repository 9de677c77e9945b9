"""The change stream as a source, against a server that does wrong things. Each test names the defect of the library that it covers."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import SalesforceSettings
from streams.salesforce.sources.cdc import RETAINED, CdcSource
from streams.wire.errors import Cause, Fatal, Gap, Retry
from streams.wire.events import Batch, ChangeEvent, Happened
from streams.wire.systems import LEAD
from tests.streams.salesforce.entities import BOTH, CONTACTS, LEADS

Change = Callable[..., dict[str, Any]]
LEAD_ID = "00Q5f000005bwLFEAY"


class Reader:
    """Reads a source in the test's own time; keeps what came."""

    def __init__(self, source: CdcSource, position: str | None) -> None:
        self.batches: list[Batch] = []
        self._iterator = source.batches(position)

    @property
    def events(self) -> list[ChangeEvent]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def position(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.batches[-1].position)
        return found

    async def read(self, count: int, seconds: float = 8.0) -> list[ChangeEvent]:
        """Until so many events came since the beginning."""
        async with asyncio.timeout(seconds):
            while len(self.events) < count:
                self.batches.append(await anext(self._iterator))
        return self.events

    async def step(self, seconds: float = 8.0) -> Batch:
        """The next batch, whatever it holds."""
        async with asyncio.timeout(seconds):
            self.batches.append(await anext(self._iterator))
        return self.batches[-1]

    async def close(self) -> None:
        await self._iterator.aclose()


@asynccontextmanager
async def reading(source: CdcSource, position: str | None = None) -> AsyncIterator[Reader]:
    reader = Reader(source, position)
    try:
        yield reader
    finally:
        await reader.close()


@pytest.fixture
def source(session: Session) -> CdcSource:
    return CdcSource(session, entities=BOTH)


async def test_events_arrive_with_their_position(org: Any, source: CdcSource, make_change: Change) -> None:
    async with reading(source) as reader:
        first = await reader.step()
        assert (first.events, json.loads(first.position)["replay_id"]) == ([], -2)
        await org.publish(make_change(101, body={"Title": "CTO"}), make_change(107, body={"Title": None}))
        events = await reader.read(2)
        assert [(event.id, event.kind, event.seq, event.fields) for event in events] == [
            (LEAD_ID, Happened.UPDATED, 101, {"Title": "CTO"}),
            (LEAD_ID, Happened.UPDATED, 107, {"Title": None}),
        ]
        assert reader.batches[-1].caught_up
        assert source.last_heard_ms > 0
    subscribe = org.asked("/meta/subscribe")[0]
    assert subscribe["ext"] == {"replay": {"/data/ChangeEvents": -1}}
    assert subscribe["_path"] == "/cometd/66.0"
    assert len(org.asked("/meta/disconnect")) == 1


async def test_the_position_trails_until_all_siblings_of_a_replay_id_are_in(org: Any, source: CdcSource, make_change: Change) -> None:
    """Events of one replay id may come in two answers (enriched channels): the position must not pass it in between."""
    org.hold_seconds = 0.2
    other = "00Q5f000005bwLGEAY"
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(5))
        await reader.read(1)
        await org.publish(make_change(9))
        await reader.read(2)
        assert reader.position["replay_id"] == 5
        await org.publish(make_change(9, recordIds=[other]))
        events = await reader.read(3)
        assert [event.id for event in events] == [LEAD_ID, LEAD_ID, other]
        assert reader.position["replay_id"] == 5
        settled = await reader.step()
        assert (settled.events, settled.caught_up, reader.position["replay_id"]) == ([], True, 9)


async def test_after_a_reconnect_quiet_says_nothing_of_what_came_before(org: Any, source: CdcSource, make_change: Change) -> None:
    """A new client's first answers are empty because its replay has not begun: the position must not move by them."""
    other = "00Q5f000005bwLGEAY"
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(5))
        await reader.read(1)
        await org.publish(make_change(9))
        await reader.read(2)
        advice = {"interval": 0, "timeout": 110000, "reconnect": "retry"}
        org.script["/meta/connect"].append({"successful": False, "error": "403::Unknown client"})
        org.script["/meta/connect"].extend([{"successful": True, "advice": advice}, {"successful": True}, {"successful": True}])
        org.clients.clear()
        org.events.append(make_change(9, recordIds=[other]))
        await org.poke()
        while other not in {event.id for event in reader.events}:
            batch = await reader.step()
            assert json.loads(batch.position)["replay_id"] == 5


async def test_it_goes_on_from_a_position(org: Any, source: CdcSource, make_change: Change) -> None:
    await org.publish(make_change(1), make_change(2), make_change(3))
    async with reading(source, '{"channel":"/data/ChangeEvents","replay_id":2,"at":5}') as reader:
        events = await reader.read(1)
    assert [event.seq for event in events] == [3]


async def test_a_dropped_connection_is_no_error_and_loses_nothing(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library's receive() raises TransportTimeoutError at the first drop (its timeout task is broken)."""

    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1))
        await reader.read(1)
        org.http_script.append(drop)
        await org.publish(make_change(2))
        await org.publish(make_change(3))
        events = await reader.read(3)
    assert {event.seq for event in events} == {1, 2, 3}
    assert source.clients >= 2
    assert len(org.logins) == 1


async def test_a_subscription_refused_after_a_new_handshake_is_not_silence(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library drops the answer to its own resubscription: receive() would wait for ever."""
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1))
        await reader.read(1)
        org.script["/meta/subscribe"].append({"successful": False, "error": "403::Client has not completed handshake"})
        org.clients.clear()
        await org.publish(make_change(2))
        events = await reader.read(2)
    assert 2 in {event.seq for event in events}
    assert source.ends["reconnect"] == 2


async def test_the_watchdog_sees_a_lost_subscription(org: Any, source: CdcSource, make_change: Change) -> None:
    async with reading(source) as reader:
        await reader.step()
        await org.tell({"channel": "/meta/unsubscribe", "subscription": "/data/ChangeEvents", "successful": True})
        task = asyncio.ensure_future(reader.read(1))
        await org.until(lambda: len(org.asked("/meta/handshake")) == 2)
        await org.publish(make_change(1))
        assert [event.seq for event in await task] == [1]


async def test_advice_interval_is_milliseconds(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library sleeps so many seconds: 500 would be eight minutes."""
    org.advice = {"interval": 500, "timeout": 110000, "reconnect": "retry"}
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1))
        await reader.read(1, seconds=5)


async def test_refused_connects_make_no_storm(org: Any, settings: SalesforceSettings, make_change: Change) -> None:
    """The library repeats a failed connect without advice at once, with a log-in each: thousands a second."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with Session(settings) as session:
        # its clock stands: on a busy machine a client that lived longer than the longest pause would begin the count anew
        source = CdcSource(session, entities=BOTH, sleep=pause, monotonic=lambda: 0.0)
        org.script["/meta/connect"].extend({"successful": False, "error": "403::Unknown client"} for _ in range(100))
        async with reading(source) as reader:
            with pytest.raises(Retry, match="can't be kept open"):
                await reader.read(1)
    assert len(org.logins) == 1
    assert len(org.asked("/meta/connect")) == source.clients == 8
    assert len(pauses) == 6
    assert pauses[-1] > pauses[0]


async def test_a_dead_token_is_renewed_once_for_each_death(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library logs in at every 401 and then closes itself; the next receive() raises."""
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1))
        await reader.read(1)
        org.dead_tokens.add(org.tokens[-1])
        await org.publish(make_change(2))
        events = await reader.read(3 if len(reader.events) > 1 else 2)
        org.dead_tokens.add(org.tokens[-1])
        await org.publish(make_change(3))
        while 3 not in {event.seq for event in events}:
            await reader.step()
            events = reader.events
    assert {event.seq for event in events} == {1, 2, 3}
    assert 2 <= len(org.logins) <= 3


@pytest.mark.parametrize(
    ("channel", "answer"),
    [
        ("/meta/connect", {"error": "401::Authentication invalid", "ext": {"sfdc": {"failureReason": "503::Server is too busy."}}}),
        (
            "/meta/handshake",
            {"error": "403::Handshake denied", "ext": {"sfdc": {"failureReason": "403::To protect all customers from excessive use"}}},
        ),
    ],
)
async def test_a_busy_server_gets_quiet_and_no_log_in(org: Any, source: CdcSource, channel: str, answer: dict[str, Any]) -> None:
    org.script[channel].append({"successful": False, "advice": {"reconnect": "none"}, **answer})
    async with reading(source) as reader:
        with pytest.raises(Retry, match="quiet") as caught:
            await reader.read(1)
    assert caught.value.after_seconds == 180
    assert len(org.logins) == 1


async def test_a_used_up_allocation_waits_long(org: Any, source: CdcSource) -> None:
    org.script["/meta/subscribe"].append({"successful": False, "error": "403::Organization total events daily limit exceeded"})
    async with reading(source) as reader:
        with pytest.raises(Retry, match="allocation") as caught:
            await reader.read(1)
    assert caught.value.after_seconds == 900


async def test_a_missing_permission_is_for_a_person(org: Any, source: CdcSource) -> None:
    words = "403::User not allowed to subscribe CDC without View All Data permissions"
    org.script["/meta/subscribe"].append({"successful": False, "error": words})
    async with reading(source) as reader:
        with pytest.raises(Fatal, match="View All Data") as caught:
            await reader.read(1)
    assert "Give the integration user" in caught.value.remedy


async def test_html_errors_are_waited_out(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library never looks at HTTP statuses and repeats every second for ever."""

    async def maintenance(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="<html>maintenance</html>", content_type="text/html")

    async with reading(source) as reader:
        await reader.step()
        org.http_script.extend([maintenance] * 3)
        await org.publish(make_change(1))
        events = await reader.read(1)
    assert [event.seq for event in events][:1] == [1]


@pytest.mark.parametrize("body", ["[", "{}", "[1]", '[{"no":"channel"}]', '[{"channel":"/meta/connect","successful":true}]', "null", ""])
async def test_nonsense_in_json_clothes_is_waited_out(org: Any, source: CdcSource, make_change: Change, body: str) -> None:
    async def nonsense(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1))
        await reader.read(1)
        org.http_script.append(nonsense)
        await org.publish(make_change(2))
        await org.publish(make_change(3))
        while 3 not in {event.seq for event in reader.events}:
            await reader.step()
    assert {event.seq for event in reader.events} == {1, 2, 3}


async def test_a_slow_consumer_does_not_stop_the_heartbeat(org: Any, source: CdcSource, make_change: Change) -> None:
    """With the library's bounded queue no /meta/connect is sent while it is full, and after 40 s the session is gone."""
    async with reading(source) as reader:
        await reader.step()
        for start in range(0, 500, 100):
            before = len(org.asked("/meta/connect"))
            await org.publish(*[make_change(1 + start + each) for each in range(100)])
            await org.until(lambda before=before: len(org.asked("/meta/connect")) > before)
        assert source.pending >= 400
        events = await reader.read(500)
    assert [event.seq for event in events] == list(range(1, 501))
    assert source.clients == 1


async def test_what_waits_is_bounded_and_the_rest_is_asked_for_later(org: Any, settings: SalesforceSettings, make_change: Change) -> None:
    async with Session(replace(settings, stream_pending_max=50)) as session:
        source = CdcSource(session, entities=BOTH)
        async with reading(source) as reader:
            await reader.step()
            for start in range(1, 2001, 20):  # the broker is away: nobody takes them
                before = source.pending
                await org.publish(*(make_change(number) for number in range(start, start + 20)))
                async with asyncio.timeout(8):
                    while source.pending == before and source._client is not None and source._client.end is None:
                        await asyncio.sleep(0)
            assert source.pending <= 50 + 20
            events = await reader.read(2000, seconds=30.0)
    assert sorted({event.seq for event in events}) == list(range(1, 2001))


async def test_what_is_no_longer_held_once_the_consumer_is_back_is_a_gap(
    org: Any, settings: SalesforceSettings, make_change: Change
) -> None:
    async with Session(replace(settings, stream_pending_max=5)) as session:
        source = CdcSource(session, entities=BOTH)
        async with reading(source) as reader:
            await reader.step()
            await org.publish(*(make_change(number) for number in range(1, 21)))
            async with asyncio.timeout(8):
                while source._client is None or source._client.end is None:
                    await asyncio.sleep(0.01)
            org.events, org.first_retained = [make_change(500)], 500  # three days later
            with pytest.raises(Gap, match="no longer holds"):
                await reader.read(100)


async def test_while_nothing_comes_a_sign_of_life_says_whether_the_server_answers(org: Any, settings: SalesforceSettings) -> None:
    seconds = 0.0
    async with Session(settings) as session:
        source = CdcSource(session, entities=BOTH, monotonic=lambda: seconds)
        async with reading(source) as reader:
            fresh = await reader.step()
            seconds += 6.0
            alive = await reader.step()
            assert (alive.events, json.loads(alive.position)["replay_id"], alive.caught_up) == ([], -2, True)
            seconds += 20.0
            silent = await reader.step()
    assert (silent.events, silent.position, silent.caught_up) == ([], alive.position, False)
    assert json.loads(fresh.position)["replay_id"] == -2


async def test_cookies_come_back_from_a_numeric_host(org: Any, source: CdcSource, make_change: Change) -> None:
    """aiohttp's usual jar drops cookies of IP addresses: Salesforce would refuse every connect."""
    org.cookie_required = True
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1))
        await reader.read(1)
    assert {each["_cookie"] for each in org.asked("/meta/connect")} == {"here"}


async def test_a_disconnect_from_the_server_is_followed(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library ignores it and finds out at its next connect."""
    async with reading(source) as reader:
        await reader.step()
        await org.tell({"channel": "/meta/disconnect"})
        task = asyncio.ensure_future(reader.read(1))
        await org.until(lambda: len(org.asked("/meta/handshake")) == 2)
        await org.publish(make_change(1))
        assert [event.seq for event in await task] == [1]


async def test_silence_is_noticed(org: Any, settings: SalesforceSettings, make_change: Change) -> None:
    """A connect that is never answered: a half-open connection looks like a quiet org."""
    async with Session(replace(settings, stream_silence_seconds=0.2)) as session:
        source = CdcSource(session, entities=BOTH)
        async with reading(source) as reader:
            await reader.step()
            task = asyncio.ensure_future(reader.read(1))
            await org.until(lambda: len(org.asked("/meta/handshake")) >= 2)
            org.hold_seconds = 0.05
            await org.publish(make_change(1))
            assert (await task)[0].seq == 1


async def test_a_position_no_longer_held_is_a_gap(org: Any, source: CdcSource, make_change: Change) -> None:
    """The library's fallback would silently jump, and is used up after one subscription."""
    await org.publish(make_change(50))
    async with reading(source, '{"channel":"/data/ChangeEvents","replay_id":7,"at":1712694300000}') as reader:
        with pytest.raises(Gap) as caught:
            await reader.read(1)
    gap = caught.value
    assert gap.since_ms == 1712694300000
    assert gap.resume is not None
    assert json.loads(gap.resume)["replay_id"] == -2
    async with reading(source, gap.resume) as reader:
        assert [event.seq for event in await reader.read(1)] == [50]


def nothing_yet(hours: float) -> str:
    """The position of a stream that was followed so long ago, and had told nothing until then."""
    return json.dumps({"channel": "/data/ChangeEvents", "replay_id": -2, "at": round((time.time() - hours * 3600) * 1000)})


async def test_a_position_before_the_first_event_that_is_older_than_what_is_retained_is_a_gap(
    org: Any, source: CdcSource, make_change: Change
) -> None:
    """The server gives what it retains, and says nothing of what it let go before."""
    await org.publish(make_change(50))
    position = nothing_yet(hours=80.5)
    async with reading(source, position) as reader:
        with pytest.raises(Gap, match="last followed 80 hours ago") as caught:
            await reader.read(1)
    assert (caught.value.since_ms, caught.value.cause) == (json.loads(position)["at"], Cause.REPLAY_ID)
    async with reading(source, caught.value.resume) as reader:
        assert [event.seq for event in await reader.read(1)] == [50]


async def test_a_position_before_the_first_event_goes_on_while_all_is_retained(org: Any, source: CdcSource, make_change: Change) -> None:
    await org.publish(make_change(50))
    async with reading(source, nothing_yet(hours=71)) as reader:
        assert [event.seq for event in await reader.read(1)] == [50]


async def test_while_nothing_happens_the_position_stays_young(source: CdcSource) -> None:
    source._told_alive = float("-inf")
    async with reading(source, nothing_yet(hours=71)) as reader:
        while reader.position["at"] < (time.time() - 3600) * 1000 if reader.batches else True:
            source._told_alive = float("-inf")
            await reader.step(60)
    assert reader.position["replay_id"] == -2


async def test_the_first_start_loses_nothing_when_it_stops_before_the_first_event(org: Any, session: Session, make_change: Change) -> None:
    async with reading(CdcSource(session, entities=BOTH)) as reader:
        position = (await reader.step()).position
    await org.publish(make_change(1))
    async with reading(CdcSource(session, entities=BOTH), position) as reader:
        assert [event.seq for event in await reader.read(1)] == [1]


async def test_an_overflow_yields_what_came_before_and_opens_a_gap(org: Any, source: CdcSource, make_change: Change) -> None:
    async with reading(source) as reader:
        await reader.step()
        overflow = make_change(2, changeType="GAP_OVERFLOW", recordIds=["000000000000000AAA"])
        await org.publish(make_change(1), overflow, make_change(3))
        assert [event.seq for event in await reader.read(1)] == [1]
        with pytest.raises(Gap) as caught:
            await reader.step()
    assert caught.value.object == LEAD
    assert caught.value.since_ms == 1712694387000 + 2000 - 3_600_000
    assert caught.value.resume is not None
    async with reading(source, caught.value.resume) as reader:
        assert [event.seq for event in await reader.read(1)] == [3]


async def test_a_poisoned_event_waits_alone(org: Any, source: CdcSource, make_change: Change) -> None:
    broken = make_change(2)
    del broken["data"]["payload"]["ChangeEventHeader"]["recordIds"]
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1), broken, make_change(3), make_change(4, entityName="Account"))
        assert [event.seq for event in await reader.read(2)] == [1, 3]
        dead = [letter for batch in reader.batches for letter in batch.dead]
    assert len(dead) == 1
    assert json.loads(dead[0].original) == broken
    assert source.ignored == {"Account": 1}


async def test_what_is_declared_to_be_polled_only_is_nobodys_here(org: Any, session: Session, make_change: Change) -> None:
    source = CdcSource(session, entities=(LEADS, replace(CONTACTS, stream=False)))
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(1, entityName="Contact", recordIds=["0035f00002EztxDAAR"]), make_change(2))
        assert [(event.object, event.seq) for event in await reader.read(1)] == [(LEAD, 2)]
    assert source.ignored == {"Contact": 1}


async def test_another_channel_means_a_gap(session: Session) -> None:
    async with reading(CdcSource(session, entities=BOTH), '{"channel":"/data/Other__chn","replay_id":7,"at":99}') as reader:
        with pytest.raises(Gap) as caught:
            await reader.step()
    assert caught.value.since_ms == 99


async def test_a_channel_that_changes_while_it_is_followed_is_read_from_what_is_new_on(session: Session) -> None:
    """Everything retained would come again, and use up the events that are to be saved."""
    source = CdcSource(session, entities=BOTH, changes_channel=True)
    async with reading(source, '{"channel":"/data/Other__chn","replay_id":7,"at":99}') as reader:
        with pytest.raises(Gap) as caught:
            await reader.step()
    assert caught.value.since_ms == 99
    assert json.loads(caught.value.resume or "")["replay_id"] == -1


@pytest.mark.parametrize("position", ["what?", "{}", '{"channel": 1, "replay_id": "far"}', "[]"])
async def test_an_unreadable_position_is_a_gap_behind_which_everything_retained_is_read(session: Session, position: str) -> None:
    async with reading(CdcSource(session, entities=BOTH), position) as reader:
        with pytest.raises(Gap, match="can't be read") as caught:
            await reader.step()
    gap = caught.value
    assert (gap.cause, gap.since_ms) == (Cause.REPLAY_ID, None), "since when is not known: the relay says since the last change"
    assert gap.resume is not None
    resumed = json.loads(gap.resume)
    assert resumed["replay_id"] == RETAINED
    async with reading(CdcSource(session, entities=BOTH), gap.resume) as reader:
        await reader.step()


async def test_stopping_leaves_nothing_behind(
    org: Any, source: CdcSource, make_change: Change, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """The library's close() logs a CancelledError from a callback, and may go on connecting."""
    with caplog.at_level(logging.ERROR):
        async with reading(source) as reader:
            await reader.step()
            await org.publish(make_change(1))
            await reader.read(1)
            await org.until(lambda: len(org.asked("/meta/connect")) == 3)  # one is held by the server
        connects = len(org.asked("/meta/connect"))
        await org.until(lambda: len(org.asked("/meta/disconnect")) == 1)
    assert not [each for each in asyncio.all_tasks() if "TransportBase" in repr(each)]
    assert len(org.asked("/meta/connect")) == connects
    assert caplog.records == []
    assert len(org.asked("/meta/disconnect")) == 1


async def test_cancelling_a_waiting_reader_releases_the_stream(org: Any, source: CdcSource) -> None:
    async def read_for_ever() -> None:
        async with aclosing(source.batches(None)) as batches:
            async for _ in batches:
                pass

    task = asyncio.create_task(read_for_ever())
    await org.until(lambda: len(org.asked("/meta/connect")) >= 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any("TransportBase" in repr(each) for each in asyncio.all_tasks() if each is not asyncio.current_task())


async def test_replay_ids_belong_to_a_numbering(org: Any, session: Session, make_change: Change) -> None:
    """Another channel begins another one; its events say so, and so does its position after a restart."""
    async with reading(
        CdcSource(session, entities=BOTH, now_ms=lambda: 500), '{"channel":"/data/Other__chn","replay_id":7000,"at":99}'
    ) as reader:
        with pytest.raises(Gap) as caught:
            await reader.step()
    assert caught.value.resume is not None
    assert json.loads(caught.value.resume)["epoch"] == 500
    await org.publish(make_change(3), make_change(4))
    async with reading(CdcSource(session, entities=BOTH, now_ms=lambda: 900), caught.value.resume) as reader:
        assert [(event.seq, event.epoch) for event in await reader.read(2)] == [(3, 500), (4, 500)]
        position = reader.batches[-1].position
    await org.publish(make_change(5))
    async with reading(CdcSource(session, entities=BOTH, now_ms=lambda: 1_300), position) as reader:
        assert {event.epoch for event in await reader.read(1)} == {500}


async def test_a_position_of_before_there_were_numberings_goes_on_in_the_first(org: Any, source: CdcSource, make_change: Change) -> None:
    await org.publish(make_change(7), make_change(8))
    async with reading(source, '{"channel":"/data/ChangeEvents","replay_id":7,"at":1712694300000}') as reader:
        assert [(event.seq, event.epoch) for event in await reader.read(1)] == [(8, 0)]


async def test_replay_ids_that_fall_are_another_numbering(org: Any, session: Session, make_change: Change) -> None:
    """An org that was moved counts from elsewhere."""
    source = CdcSource(session, entities=BOTH, now_ms=lambda: 500)
    async with reading(source) as reader:
        await reader.step()
        await org.publish(make_change(70), make_change(71))
        assert [event.seq for event in await reader.read(2)] == [70, 71]
        await org.publish(make_change(3))
        with pytest.raises(Gap, match="fell") as caught:
            await reader.read(3)
    assert caught.value.resume is not None
    assert json.loads(caught.value.resume)["replay_id"] == -2
    assert json.loads(caught.value.resume)["epoch"] == 501
