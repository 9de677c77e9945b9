"""The adapters against the sandbox org: the same calls, streams and polls that a real org would get."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest

from consumers.kinds.registry import SORTS
from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import ClientCredentials, Protocol, SalesforceSettings
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.sources.cdc import CdcSource
from streams.salesforce.sources.cycles import CycleReport
from streams.salesforce.sources.poll import PollSource
from streams.salesforce.sources.pubsub.client import PubSub
from streams.wire.errors import Gap, Unknown
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import CONTACT, LEAD
from tests.streams.salesforce.entities import ACCOUNTS, BOTH, LEADS, QUEUES, TASKS, USERS

pytestmark = pytest.mark.integration

FIELDS = ["FirstName", "LastName", "Company", "Title", "Email", "Street", "City"]
Control = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def live(sandbox: dict[str, Any]) -> AsyncIterator[Session]:
    """Tandem's own session with the sandbox org."""
    own = sandbox["tandem"]["salesforce"]
    settings = SalesforceSettings(
        base_url=own["url"],
        credentials=ClientCredentials(client_id=own["client_id"], client_secret=own["client_secret"]),
        pubsub_url=f"http://{sandbox['salesforce']['pubsub']}",
        login_spacing_seconds=0.05,
        stream_check_seconds=0.1,
        stream_backoff_seconds=0.05,
        stream_backoff_max_seconds=0.2,
    )
    async with Session(settings) as session:
        yield session


@pytest.fixture
async def control(sandbox: dict[str, Any]) -> AsyncIterator[Control]:
    """The sandbox's control API."""
    base = sandbox["sandbox"]["url"]
    async with aiohttp.ClientSession() as http:

        async def post(path: str, **body: Any) -> dict[str, Any]:
            async with http.post(base + path, json=body) as response:
                found: dict[str, Any] = await response.json(content_type=None)
                assert response.status < 300, found
                return found

        yield post
        async with http.delete(base + "/faults") as response:
            assert response.status < 300


@pytest.fixture
def rest(live: Session) -> SalesforceRest:
    return SalesforceRest(live, OpenBudget())


class Stream:
    """The stream read in the background: what came so far, and waiting for more."""

    def __init__(self, source: CdcSource) -> None:
        self.source = source
        self.events: list[ChangeEvent] = []
        self.dead: list[DeadLetter] = []
        self.position: str | None = None
        self.ready = asyncio.Event()
        self.error: BaseException | None = None
        self._came = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def start(self, position: str | None = None) -> None:
        self._task = asyncio.create_task(self._read(position))

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds), self._came:
            await self._came.wait_for(lambda: condition() or self.error is not None)
        if self.error is not None and not condition():
            raise self.error

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def of(self, record: str) -> list[ChangeEvent]:
        return [event for event in self.events if event.id == record]

    async def _read(self, position: str | None) -> None:
        try:
            async with aclosing(self.source.batches(position)) as batches:
                async for batch in batches:
                    self.ready.set()
                    async with self._came:
                        self.events += batch.events
                        self.dead += batch.dead
                        self.position = batch.position
                        self._came.notify_all()
        except Gap as error:
            async with self._came:
                self.error = error
                self._came.notify_all()


@pytest.fixture(params=list(Protocol), ids=str)
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each of the protocols of the stream: the same contract."""
    found: Protocol = request.param
    return found


def source_by(protocol: Protocol, session: Session) -> CdcSource:
    return CdcSource(session, entities=BOTH, connect=PubSub(session).client if protocol is Protocol.PUBSUB else None)


@pytest.fixture
async def stream(live: Session, protocol: Protocol, sandbox: dict[str, Any]) -> AsyncIterator[Stream]:
    """A stream that is open for new events. It is gone before the next one comes: it would take a fault that is meant for that."""
    opened = Stream(source_by(protocol, live))
    opened.start()
    async with asyncio.timeout(15):
        await opened.ready.wait()
    yield opened
    await opened.stop()
    async with asyncio.timeout(60), aiohttp.ClientSession(sandbox["sandbox"]["url"]) as http:
        while await subscriptions(http):
            await asyncio.sleep(0.01)


async def subscriptions(http: aiohttp.ClientSession) -> int:
    """How many the org serves by the Pub/Sub API."""
    async with http.get("/meters") as response:
        return int((await response.json())["salesforce"]["pubsub_subscriptions"])


async def test_a_change_by_another_arrives_with_its_author(live: Session, control: Control, stream: Stream) -> None:
    made = await control("/salesforce/create", object="Lead", fields={"LastName": "Byron", "Company": "Acme", "FirstName": "Ada"})
    lead = made["id"]
    await stream.until(lambda: bool(stream.of(lead)))
    created = stream.of(lead)[0]
    assert (created.kind, created.object) == (Happened.CREATED, LEAD)
    assert {name: created.fields.get(name) for name in ("FirstName", "LastName", "Company")} == {
        "FirstName": "Ada",
        "LastName": "Byron",
        "Company": "Acme",
    }
    assert created.author is not None
    assert created.author != await live.user_id()
    await control("/salesforce/edit", object="Lead", id=lead, fields={"City": "London", "FirstName": None})
    await stream.until(lambda: len(stream.of(lead)) == 2)
    edited = stream.of(lead)[1]
    assert (edited.kind, edited.fields["City"], edited.fields["FirstName"]) == (Happened.UPDATED, "London", None)
    assert edited.seq > created.seq


async def test_our_own_write_comes_back_as_ours(live: Session, rest: SalesforceRest, stream: Stream) -> None:
    (result,) = await rest.create("Lead", [{"LastName": "Own", "Company": "Acme"}], Lane.LIVE)
    assert result.success
    assert result.created
    assert result.id is not None
    lead = result.id
    await stream.until(lambda: bool(stream.of(lead)))
    assert stream.of(lead)[0].author == await live.user_id()
    results = await rest.update("Lead", [{"Id": lead, "Title": "CTO"}, {"Id": lead[:-3] + "zzz", "Title": "x"}], Lane.LIVE)
    assert [each.success for each in results] == [True, False]
    assert results[1].errors
    rows = await rest.read("Lead", [lead], ["Id", "Title"], Lane.LIVE)
    assert rows[0] is not None
    assert rows[0]["Title"] == "CTO"


async def test_a_write_whose_answer_was_lost_is_unknown_and_was_applied(rest: SalesforceRest, control: Control) -> None:
    (made,) = await rest.create("Lead", [{"LastName": "Lost", "Company": "Acme"}], Lane.LIVE)
    assert made.id is not None
    match = {"method": "PATCH", "path": "*/composite/sobjects"}
    await control("/faults", system="salesforce", match=match, action={"type": "lose_answer"}, times=1)
    with pytest.raises(Unknown):
        await rest.update("Lead", [{"Id": made.id, "Title": "there"}], Lane.LIVE)
    rows = await rest.read("Lead", [made.id], ["Title"], Lane.LIVE)
    assert rows[0] is not None
    assert rows[0]["Title"] == "there"


LOSSES = {
    Protocol.COMETD: ({"type": "session_drop"}, {"type": "server_disconnect"}, {"type": "duplicate"}, {"type": "reset"}),
    Protocol.PUBSUB: ({"type": "pubsub_unavailable"}, {"type": "duplicate"}, {"type": "pubsub_error", "on": "stream", "status": "ABORTED"}),
}
"""What may happen to the stream, by its protocol: a fault that its protocol never meets would stand there for the next test."""


@pytest.mark.parametrize(
    ("protocol", "fault"),
    [pytest.param(protocol, fault, id=f"{protocol}-{fault['type']}") for protocol, faults in LOSSES.items() for fault in faults],
    indirect=["protocol"],
)
async def test_a_lost_session_loses_no_event(control: Control, stream: Stream, fault: dict[str, str]) -> None:
    before = (await control("/salesforce/create", object="Lead", fields={"LastName": "Before", "Company": "Acme"}))["id"]
    await stream.until(lambda: bool(stream.of(before)))
    await control("/faults", system="salesforce", match={}, action=fault, times=1)
    made = [(await control("/salesforce/create", object="Lead", fields={"LastName": f"L{n}", "Company": "Acme"}))["id"] for n in range(5)]
    await stream.until(lambda: all(stream.of(lead) for lead in made))


@pytest.mark.parametrize("how", ["no_header", "no_record_ids", "not_object", "no_payload", "wrong_types"])
async def test_a_malformed_event_is_set_aside(control: Control, stream: Stream, how: str) -> None:
    await control("/faults", system="salesforce", match={}, action={"type": "malformed", "how": how}, times=1)
    await control("/salesforce/create", object="Lead", fields={"LastName": "Spoiled", "Company": "Acme"})
    after = (await control("/salesforce/create", object="Lead", fields={"LastName": "Whole", "Company": "Acme"}))["id"]
    await stream.until(lambda: bool(stream.of(after)))
    assert len(stream.dead) == 1
    assert stream.dead[0].stage == "salesforce.cdc"


@pytest.mark.parametrize("after", list(Protocol), ids=str)
async def test_stopping_and_going_on_by_either_protocol_loses_nothing_and_doubles_nothing(
    live: Session, control: Control, stream: Stream, after: Protocol
) -> None:
    first = (await control("/salesforce/create", object="Lead", fields={"LastName": "One", "Company": "Acme"}))["id"]
    await stream.until(lambda: bool(stream.of(first)))
    await stream.stop()
    second = (await control("/salesforce/create", object="Lead", fields={"LastName": "Two", "Company": "Acme"}))["id"]
    resumed = Stream(source_by(after, live))
    resumed.start(stream.position)
    await resumed.until(lambda: bool(resumed.of(second)))
    await resumed.stop()
    told = [event for event in (*stream.events, *resumed.events) if event.id == first]
    assert len({(event.epoch, event.seq, event.kind) for event in told}) == 1, "what comes again is known by its place"


async def test_a_refused_position_is_a_gap(live: Session, protocol: Protocol) -> None:
    lost = Stream(source_by(protocol, live))
    lost.start('{"channel":"/data/ChangeEvents","replay_id":999999999,"at":1700000000000}')
    await lost.until(lambda: lost.error is not None)
    assert isinstance(lost.error, Gap)
    assert lost.error.since_ms == 1_700_000_000_000
    await lost.stop()


async def test_gaps_and_overflows(control: Control, stream: Stream) -> None:
    lead = (await control("/salesforce/create", object="Lead", fields={"LastName": "Gappy", "Company": "Acme"}))["id"]
    await control("/salesforce/gap", object="Lead", ids=[lead])
    await stream.until(lambda: len(stream.of(lead)) == 2)
    assert stream.of(lead)[1].kind is Happened.GAP
    await control("/salesforce/overflow", object="Lead")
    await stream.until(lambda: stream.error is not None)
    assert isinstance(stream.error, Gap)
    assert stream.error.object == LEAD


async def test_conversion_tells_the_contact(rest: SalesforceRest, control: Control, stream: Stream) -> None:
    lead = (await control("/salesforce/create", object="Lead", fields={"LastName": "Convert", "Company": "Acme"}))["id"]
    await control("/salesforce/convert", lead=lead)
    await stream.until(lambda: any(event.fields.get("IsConverted") for event in stream.of(lead)))
    converted = stream.of(lead)[-1]
    contact = str(converted.fields["ConvertedContactId"])
    assert (converted.into, converted.into_object) == (contact, CONTACT)
    await control("/clock", advance_seconds=1200)
    events, _ = await _cycle(PollSource(rest, LEADS, FIELDS, once=True), None)
    assert [(event.into, event.into_object) for event in events if event.id == lead] == [(contact, CONTACT)]
    assert [event.kind for event in stream.of(contact)] == [Happened.CREATED]
    assert stream.of(contact)[0].call == converted.call


async def _cycle(source: PollSource, position: str | None) -> tuple[list[ChangeEvent], str]:
    events: list[ChangeEvent] = []
    async with aclosing(source.batches(position)) as batches:
        async for batch in batches:
            events += batch.events
            position = batch.position
    assert position is not None
    return events, position


async def test_the_poll_finds_what_the_stream_did_not_tell(rest: SalesforceRest, control: Control) -> None:
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    def poll() -> PollSource:
        return PollSource(rest, LEADS, FIELDS, once=True, report=keep)

    created = [(await control("/salesforce/create", object="Lead", fields={"LastName": f"P{n}", "Company": "A"}))["id"] for n in range(3)]
    await control("/clock", advance_seconds=1200)
    events, position = await _cycle(poll(), None)
    assert set(created) <= {event.id for event in events}
    row = next(event for event in events if event.id == created[0])
    assert row.kind is Happened.READ
    assert list(row.fields) == FIELDS
    assert (row.fields["LastName"], row.fields["Title"]) == ("P0", None)
    assert 0 < row.at <= row.until

    await control("/clock", advance_seconds=3600)
    await control("/salesforce/edit", object="Lead", id=created[0], fields={"Title": "CTO"})
    await control("/salesforce/delete", ids=[created[1]])
    await control("/salesforce/merge", object="Lead", master=created[0], victims=[created[2]])
    await control("/clock", advance_seconds=120)
    events, position = await _cycle(poll(), position)
    found = {event.id: event for event in events}
    assert set(found) == set(created)
    assert (found[created[0]].kind, found[created[0]].fields["Title"]) == (Happened.READ, "CTO")
    assert (found[created[1]].kind, dict(found[created[1]].fields)) == (Happened.DELETED, {})
    assert (found[created[2]].kind, dict(found[created[2]].fields)) == (Happened.DELETED, {"MasterRecordId": created[0]})
    assert [found[each].into for each in created] == ["", "", created[0]]
    assert await rest.masters(LEADS, created, Lane.LIVE) == {created[0]: None, created[1]: None, created[2]: created[0]}

    for _ in range(2):  # the overlap shows them once more
        await control("/clock", advance_seconds=3600)
        events, position = await _cycle(poll(), position)
    assert events == []
    assert reports[-1].calls <= 4


async def test_what_a_muted_stream_lost_is_read_back_when_an_overflow_tells_of_it(
    rest: SalesforceRest, control: Control, stream: Stream, sandbox: dict[str, Any]
) -> None:
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    def poll() -> PollSource:
        return PollSource(rest, LEADS, FIELDS, once=True, report=keep)

    leads = [(await control("/salesforce/create", object="Lead", fields={"LastName": f"G{n}", "Company": "A"}))["id"] for n in range(30)]
    await stream.until(lambda: all(stream.of(lead) for lead in leads))
    await control("/clock", advance_seconds=3600)
    _, position = await _cycle(poll(), None)
    mute = await control("/faults", system="salesforce", match={}, action={"type": "mute", "mode": "lost"}, times=None)
    for lead in leads:
        await control("/salesforce/edit", object="Lead", id=lead, fields={"Title": "lost"})
    async with aiohttp.ClientSession() as http:
        await http.delete(f"{sandbox['sandbox']['url']}/faults/{mute['id']}")
    await control("/clock", advance_seconds=1)  # stamps are whole seconds
    await control("/salesforce/overflow", object="Lead")
    with pytest.raises(Gap) as gap:
        await stream.until(lambda: False)
    source = poll()
    source.on_gap(1, gap.value.since_ms or 0)
    events, position = await _cycle(source, position)
    assert {event.id for event in events if event.fields.get("Title") == "lost"} >= set(leads)
    await control("/clock", advance_seconds=61)
    await _cycle(source, position)
    assert [report.covered for report in reports[-2:]] == [(), (1,)]


async def test_a_purged_record_is_still_reported(rest: SalesforceRest, control: Control) -> None:
    lead = (await control("/salesforce/create", object="Lead", fields={"LastName": "Purged", "Company": "A"}))["id"]
    await control("/clock", advance_seconds=1200)
    _, position = await _cycle(PollSource(rest, LEADS, FIELDS, once=True), None)
    await control("/salesforce/delete", ids=[lead])
    await control("/salesforce/empty_recycle_bin", ids=[lead])
    await control("/clock", advance_seconds=1200)
    events, _ = await _cycle(PollSource(rest, LEADS, FIELDS, once=True), position)
    assert [(event.id, event.kind) for event in events] == [(lead, Happened.DELETED)]


async def test_other_objects_come_by_the_same_sources(live: Session, rest: SalesforceRest, control: Control) -> None:
    opened = Stream(CdcSource(live, entities=(ACCOUNTS, USERS), fields={ACCOUNTS.object: ["Name", "BillingCity"]}))
    opened.start()
    try:
        async with asyncio.timeout(15):
            await opened.ready.wait()
        address = {"Name": "Acme", "BillingCity": "Rome", "ShippingCity": "Oslo"}
        account = (await control("/salesforce/create", object="Account", fields=address))["id"]
        await opened.until(lambda: bool(opened.of(account)))
        (created,) = opened.of(account)
        assert (created.object, created.kind, created.fields) == ("account", Happened.CREATED, {"Name": "Acme", "BillingCity": "Rome"})
    finally:
        await opened.stop()
    loser = (await control("/salesforce/create", object="Account", fields={"Name": "Acme Inc"}))["id"]
    await control("/clock", advance_seconds=1200)
    events, position = await _cycle(PollSource(rest, ACCOUNTS, ["Name", "BillingCity"], once=True), None)
    found = {event.id: event for event in events}
    assert (found[account].object, found[account].fields) == ("account", {"Name": "Acme", "BillingCity": "Rome"})
    await control("/salesforce/merge", object="Account", master=account, victims=[loser])
    await control("/clock", advance_seconds=1200)
    events, _ = await _cycle(PollSource(rest, ACCOUNTS, ["Name"], once=True), position)
    assert [(event.id, dict(event.fields)) for event in events if event.kind is Happened.DELETED] == [(loser, {"MasterRecordId": account})]


async def test_what_only_the_poll_brings(rest: SalesforceRest, live: Session, control: Control) -> None:
    _, position = await _cycle(PollSource(rest, QUEUES, ["Name"], once=True), None)
    queue = (await control("/salesforce/create", object="Group", fields={"Name": "West", "Type": "Queue"}))["id"]
    await control("/salesforce/create", object="Group", fields={"Name": "Staff", "Type": "Regular"})
    await control("/clock", advance_seconds=1200)
    events, _ = await _cycle(PollSource(rest, QUEUES, ["Name"], once=True), position)
    assert [(event.object, event.id, event.kind, event.fields) for event in events] == [("queue", queue, Happened.READ, {"Name": "West"})]
    events, position = await _cycle(PollSource(rest, USERS, ["IsActive"], once=True), None)
    assert await live.user_id() in {event.id for event in events if event.object == "user" and event.fields["IsActive"]}
    await control("/clock", advance_seconds=1200)
    events, _ = await _cycle(PollSource(rest, USERS, ["IsActive"], once=True), position)
    assert {event.kind for event in events} <= {Happened.READ}


async def test_the_poll_reads_the_archive_too(rest: SalesforceRest, control: Control) -> None:
    """What is archived is neither gone nor out of sight, and an edit of it is told; what is deleted is told as deleted only."""
    old, gone = [(await control("/salesforce/create", object="Task", fields={"Subject": name}))["id"] for name in ("Old", "Gone")]
    await control("/clock", advance_seconds=1200)
    _, position = await _cycle(PollSource(rest, TASKS, ["Subject"], once=True), None)
    await control("/salesforce/archive", object="Task", ids=[old])
    await control("/salesforce/edit", object="Task", id=old, fields={"Subject": "Older"})
    await control("/salesforce/delete", ids=[gone])
    await control("/clock", advance_seconds=1200)
    events, _ = await _cycle(PollSource(rest, TASKS, ["Subject"], once=True), position)
    told = {event.id: (event.kind, event.fields.get("Subject")) for event in events}
    assert told == {old: (Happened.READ, "Older"), gone: (Happened.DELETED, None)}


async def test_a_cycle_in_which_nothing_has_happened_takes_a_handful_of_calls(rest: SalesforceRest, control: Control) -> None:
    polls = [PollSource(rest, sort.entity, ["Id"], once=True) for sort in SORTS.values() if not sort.entity.scope]
    await control("/clock", advance_seconds=1200)
    positions = [(await _cycle(poll, None))[1] for poll in polls]
    await control("/clock", advance_seconds=1200)
    calls = rest.calls
    told = await asyncio.gather(*(_cycle(poll, position) for poll, position in zip(polls, positions, strict=True)))
    assert [events for events, _ in told] == [[]] * len(polls)
    assert len(polls) > 5
    assert rest.calls - calls <= 6, "one look at the clock, and two queries of each kind, five of them a call"


async def test_the_poll_reads_many_pages(rest: SalesforceRest, sandbox: dict[str, Any], control: Control) -> None:
    lines = [json.dumps({"object": "Lead", "fields": {"LastName": f"Bulk{number}", "Company": "Acme"}}) for number in range(4500)]
    url = sandbox["sandbox"]["url"] + "/salesforce/load"
    async with aiohttp.ClientSession() as http, http.post(url, data="\n".join(lines)) as response:
        loaded = json.loads(await response.read())
    await control("/clock", advance_seconds=120)
    events, _ = await _cycle(PollSource(rest, LEADS, FIELDS, once=True), None)
    ids = [event.id for event in events if event.kind is Happened.READ]
    assert len(ids) == len(set(ids))
    assert set(loaded["ids"]) <= set(ids)


async def test_describe_limits_and_identity(live: Session, rest: SalesforceRest, sandbox: dict[str, Any]) -> None:
    names = {field["name"] for field in (await rest.describe("Lead"))["fields"]}
    assert {"Id", *FIELDS} <= names
    assert "DailyApiRequests" in await rest.limits()
    assert "Lead" in {each["name"] for each in (await rest.describe_global())["sobjects"]}
    assert await live.user_id() == sandbox["tandem"]["salesforce"]["user_id"]
