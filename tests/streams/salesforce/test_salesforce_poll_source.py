"""The reconciliation poll, against an org that keeps rows and answers the poll's own queries."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.entity import Entity
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import moment, moment_ms
from streams.salesforce.sources import poll as poll_module
from streams.salesforce.sources.brake import Braked
from streams.salesforce.sources.cdc import CdcSource
from streams.salesforce.sources.cycles import CycleReport
from streams.salesforce.sources.poll import PollSource
from streams.wire.errors import Cause, Fatal, Gap, Reject, Retry
from streams.wire.events import Batch, ChangeEvent, Happened, Source
from streams.wire.systems import CONTACT, salesforce_id
from tests.streams.salesforce.entities import BOTH, CONTACTS, LEADS, OPPORTUNITIES, USERS

ROOT = "/services/data/v66.0"
NOW = 1_900_000_000_000
SOMEBODY = salesforce_id("0055f0000000001")
_NO_LIFE = {"MasterRecordId": None, "IsConverted": False, "ConvertedContactId": None, "ConvertedAccountId": None}
_AFTER = re.compile(r"\(SystemModstamp > (\S+) OR \(SystemModstamp = \S+ AND Id > '(\w+)'\)\)")


def identity(number: int) -> str:
    return salesforce_id(f"00Q5f{number:010d}")


class Rows:
    """Leads with stamps; a clock of its own."""

    def __init__(self, org: Any) -> None:
        self.now_ms = NOW
        self.rows: dict[str, dict[str, Any]] = {}
        self.log: list[tuple[str, int]] = []
        self.queries: list[str] = []
        self.paths: list[str] = []
        self.visible_rows = 0
        self.hidden = ["Nope__c"]
        for path in (f"{ROOT}/query", f"{ROOT}/queryAll"):
            org.on("GET", path, self.query)
        org.on("GET", f"{ROOT}/sobjects/Lead/deleted/", self.deleted)
        org.on("GET", "/services/data", self.versions)

    def put(self, number: int, at_ms: int, **fields: Any) -> str:
        row: dict[str, Any] = {"Id": identity(number), "SystemModstamp": moment(at_ms), "IsDeleted": False, "Title": None, **_NO_LIFE}
        row |= {"LastModifiedById": SOMEBODY, "LastModifiedDate": moment(at_ms), **fields}
        self.rows[row["Id"]] = row
        return str(row["Id"])

    def answer(self, body: Any, status: int = 200) -> web.Response:
        date = format_datetime(datetime.fromtimestamp(self.now_ms // 1000, tz=UTC), usegmt=True)
        return web.json_response(body, status=status, headers={"Date": date})

    async def versions(self, request: web.Request) -> web.Response:
        return self.answer([{"version": "66.0"}])

    async def deleted(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        start, end = moment_ms(request.query["start"]), moment_ms(request.query["end"])
        found = [{"id": each, "deletedDate": moment(at).replace("Z", "+0000")} for each, at in self.log if start <= at < end]
        covered = moment(end).replace("Z", "+0000")
        return self.answer({"deletedRecords": found, "earliestDateAvailable": covered, "latestDateCovered": covered})

    async def query(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        soql = request.query["q"]
        self.queries.append(soql)
        for name in (each for each in self.hidden if each in soql):
            words = f"SELECT Id, IsConverted ... ERROR at Row:1:Column:12: No such column '{name}' on entity 'Lead'"
            return self.answer([{"errorCode": "INVALID_FIELD", "message": words}], status=400)
        found = [row for row in self.rows.values() if request.path.endswith("All") or not row["IsDeleted"]]
        if "COUNT()" in soql:
            return self.answer({"totalSize": len(found), "done": True, "records": []})
        found = [row for row in found if self._matches(row, soql)]
        found.sort(key=lambda row: (row["SystemModstamp"], row["Id"]))
        limit = re.search(r"LIMIT (\d+)", soql)
        found = found[: int(limit[1])] if limit else found
        columns = re.split(r", ", re.search(r"SELECT (.*) FROM", soql)[1])  # type: ignore[index]
        records = [{"attributes": {"type": "Lead"}, **{column: row[column] for column in columns}} for row in found]
        return self.answer({"totalSize": len(records), "done": True, "records": records})

    def _matches(self, row: dict[str, Any], soql: str) -> bool:
        stamp = row["SystemModstamp"]
        since = re.search(r"SystemModstamp >= (\S+)", soql)
        before = re.search(r"SystemModstamp < (\S+)", soql)
        after = _AFTER.search(soql)
        asked = re.search(r"\bId (?:IN|=) .*", soql)
        ids = re.findall(r"'(\w+)'", asked[0]) if asked else None
        return (
            (not since or stamp >= since[1])
            and (not before or stamp < before[1])
            and (not after or (stamp, row["Id"]) > (after[1], after[2]))
            and ("IsDeleted = TRUE" not in soql or row["IsDeleted"])
            and (ids is None or row["Id"] in ids)
            and ("Title = 'Ours'" not in soql or row["Title"] == "Ours")
        )


@pytest.fixture
def rows(org: Any) -> Rows:
    return Rows(org)


Make = Callable[..., PollSource]


@pytest.fixture
def make_poll(session: Session, rows: Rows) -> Make:
    def make(entity: Entity = LEADS, **options: Any) -> PollSource:
        return PollSource(SalesforceRest(session, OpenBudget()), entity, ["Id", "Title"], **{"once": True, **options})

    return make


async def cycle(source: PollSource, position: str | None) -> tuple[list[ChangeEvent], str | None]:
    """All events of one run of a `once` source, and the position after it."""
    events: list[ChangeEvent] = []
    async with aclosing(source.batches(position)) as batches:
        async for batch in batches:
            events += batch.events
            position = batch.position
    return events, position


async def test_the_first_cycle_reads_everything_page_by_page(rows: Rows, make_poll: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "PAGE_ROWS", 3)
    for number in range(10):
        rows.put(number, NOW - 3_600_000 + number // 4 * 1000, Title=f"t{number}")
    events, _ = await cycle(make_poll(), None)
    assert [event.id for event in events] == [identity(number) for number in range(10)]
    assert {event.kind for event in events} == {Happened.READ}
    assert events[0].fields == {"Title": "t0"}
    assert all(event.at <= NOW < event.until <= NOW + 1000 for event in events)
    assert not [path for path in rows.paths if "queryAll" in path or "deleted" in path]


@pytest.mark.parametrize("position", ["what?", "[]", '{"object": "lead", "done_ms": "yesterday"}'])
async def test_an_unreadable_position_is_a_gap_of_that_kind_of_record(make_poll: Make, position: str) -> None:
    with pytest.raises(Gap, match="can't be read") as caught:
        await cycle(make_poll(), position)
    assert (caught.value.object, caught.value.cause, caught.value.resume) == ("lead", Cause.TOKEN, None)


async def test_an_interrupted_first_cycle_goes_on_at_the_page(rows: Rows, make_poll: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "PAGE_ROWS", 3)
    for number in range(10):
        rows.put(number, NOW - 3_600_000)
    first: list[Batch] = []
    async with aclosing(make_poll().batches(None)) as batches:
        async for batch in batches:
            first.append(batch)
            if len(first) == 2:
                break
    rest, position = await cycle(make_poll(), first[-1].position)
    assert [event.id for batch in first for event in batch.events] + [event.id for event in rest] == [identity(each) for each in range(10)]
    assert json.loads(position or "")["done_ms"] == NOW - 60_000


async def test_nulls_are_told(rows: Rows, make_poll: Make) -> None:
    rows.put(1, NOW - 100_000, Title=None)
    events, _ = await cycle(make_poll(), None)
    assert events[0].fields == {"Title": None}


async def test_a_row_tells_who_changed_it_last_and_when(rows: Rows, make_poll: Make) -> None:
    rows.put(1, NOW - 100_000, LastModifiedDate=moment(NOW - 500_000))
    (event,), _ = await cycle(make_poll(), None)
    assert (event.modified_by, event.modified_at, event.fields) == (SOMEBODY, NOW - 500_000, {"Title": None})


async def test_a_row_that_was_committed_late_is_found(rows: Rows, make_poll: Make) -> None:
    _, position = await cycle(make_poll(), None)
    late = rows.put(1, NOW - 300_000)
    rows.now_ms += 300_000
    events, _ = await cycle(make_poll(), position)
    assert [event.id for event in events] == [late]


async def test_rows_younger_than_the_lag_wait(rows: Rows, make_poll: Make) -> None:
    young = rows.put(1, NOW - 30_000)
    events, position = await cycle(make_poll(), None)
    assert events == []
    rows.now_ms += 60_000
    events, _ = await cycle(make_poll(), position)
    assert [event.id for event in events] == [young]


async def test_an_idle_cycle_costs_one_call_and_a_look_at_the_clock(org: Any, rows: Rows, make_poll: Make) -> None:
    for number in range(500):
        rows.put(number, NOW - 86_400_000)
    _, position = await cycle(make_poll(), None)
    rows.paths.clear()
    org.calls.clear()
    rows.now_ms += 300_000
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    events, _ = await cycle(make_poll(report=keep), position)
    assert events == []
    assert rows.paths == [f"{ROOT}/query", f"{ROOT}/queryAll", f"{ROOT}/sobjects/Lead/deleted/"], "rows are read before deletions"
    assert [(call.method, call.path) for call in org.calls] == [("GET", "/services/data"), ("POST", f"{ROOT}/composite")]
    assert (reports[0].read, reports[0].relayed, reports[0].known, reports[0].deleted) == (0, 0, 0, 0)
    assert reports[0].calls == 1


async def test_polls_of_several_objects_ask_together(org: Any, session: Session, rows: Rows, make_poll: Make) -> None:
    rest, position = SalesforceRest(session, OpenBudget()), (await cycle(make_poll(), None))[1]
    org.calls.clear()
    rows.now_ms += 300_000
    read = rows.put(1, NOW + 100_000)
    polls = [PollSource(rest, LEADS, ["Id", "Title"], once=True) for _ in range(5)]
    told = await asyncio.gather(*(cycle(poll, position) for poll in polls))
    assert [[event.id for event in events] for events, _ in told] == [[read]] * 5
    assert [call.path for call in org.calls] == ["/services/data", *[f"{ROOT}/composite"] * 2], "ten queries, five of them a call"


async def test_a_poll_whose_query_is_refused_does_not_stop_its_companions(session: Session, rows: Rows, make_poll: Make) -> None:
    rest, position = SalesforceRest(session, OpenBudget()), (await cycle(make_poll(), None))[1]
    rows.now_ms += 300_000
    read = rows.put(1, NOW + 100_000)
    good, bad = (PollSource(rest, LEADS, ["Id", name], once=True) for name in ("Title", "Nope__c"))
    (events, _), refused = await asyncio.gather(cycle(good, position), cycle(bad, position), return_exceptions=True)  # type: ignore[misc]
    assert [event.id for event in events] == [read]
    assert isinstance(refused, Fatal)
    assert "INVALID_FIELD" in str(refused)


async def test_an_org_that_allows_no_calls_of_several_parts_is_asked_one_by_one(org: Any, rows: Rows, make_poll: Make) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return rows.answer([{"errorCode": "FUNCTIONALITY_NOT_ENABLED", "message": "not in this edition"}], status=403)

    _, position = await cycle(make_poll(), None)
    rows.now_ms += 300_000
    gone = rows.put(1, NOW + 100_000, IsDeleted=True)
    org.on("POST", f"{ROOT}/composite", refuse)
    events, _ = await cycle(make_poll(), position)
    assert [(event.id, event.kind) for event in events] == [(gone, Happened.DELETED)]


async def test_an_answer_that_lacks_a_part_is_asked_for_again(org: Any, rows: Rows, make_poll: Make) -> None:
    async def broken(request: web.Request) -> web.Response:
        del org.handlers["POST", f"{ROOT}/composite"]
        return rows.answer({"compositeResponse": []})

    _, position = await cycle(make_poll(), None)
    rows.now_ms += 300_000
    read = rows.put(1, NOW + 100_000)
    org.on("POST", f"{ROOT}/composite", broken)
    events, _ = await cycle(make_poll(), position)
    assert [event.id for event in events] == [read]


async def test_deletes_and_merges(rows: Rows, make_poll: Make) -> None:
    _, position = await cycle(make_poll(), None)
    winner = rows.put(9, NOW - 86_400_000)
    rows.now_ms += 300_000
    gone = rows.put(1, NOW + 100_000, IsDeleted=True)
    loser = rows.put(2, NOW + 100_000, IsDeleted=True, MasterRecordId=winner)
    purged = identity(3)
    restored = rows.put(4, NOW - 86_400_000)
    elsewhere = rows.put(5, NOW - 86_400_000, IsDeleted=True, MasterRecordId=winner)
    too_young = identity(6)
    rows.log += [(each, NOW + 100_000) for each in (gone, loser, purged, restored, elsewhere)] + [(too_young, NOW + 290_000)]
    events, _ = await cycle(make_poll(), position)
    assert {event.kind for event in events} == {Happened.DELETED}
    assert {event.id: dict(event.fields) for event in events} == {
        gone: {},
        loser: {"MasterRecordId": winner},
        purged: {},
        elsewhere: {"MasterRecordId": winner},
    }
    assert {event.id: (event.into, event.into_object) for event in events} == {
        gone: ("", ""), loser: (winner, ""), purged: ("", ""), elsewhere: (winner, ""),
    }  # fmt: skip
    assert len(events) == 4
    assert {event.at for event in events} == {NOW + 100_000}


async def test_a_converted_lead_says_what_it_became_mapped_or_not(rows: Rows, make_poll: Make) -> None:
    contact, account = salesforce_id("0035f00002EztxD"), salesforce_id("0015f00002J9YaU")
    life = {"IsConverted": True, "ConvertedContactId": contact, "ConvertedAccountId": account}
    converted, plain = rows.put(1, NOW - 3_600_000, Title="CTO", **life), rows.put(2, NOW - 3_600_000, Title="CEO")
    events, _ = await cycle(make_poll(), None)
    assert {event.id: (event.kind, event.into, event.into_object) for event in events} == {
        converted: (Happened.READ, contact, CONTACT), plain: (Happened.READ, "", ""),
    }  # fmt: skip
    assert {event.id: dict(event.fields) for event in events} == {converted: {"Title": "CTO", **life}, plain: {"Title": "CEO"}}
    events, _ = await cycle(make_poll(CONTACTS), None)
    assert {event.into for event in events} == {""}
    assert "IsConverted" not in rows.queries[-1]


async def test_conversions_that_can_not_be_seen_cost_only_themselves(rows: Rows, make_poll: Make) -> None:
    lead = rows.put(1, NOW - 3_600_000, Title="CTO")
    rows.hidden.append("ConvertedContactId")
    source = make_poll()
    with pytest.raises(Retry, match="goes on without"):
        await cycle(source, None)
    events, _ = await cycle(source, None)
    assert [(event.id, event.fields) for event in events] == [(lead, {"Title": "CTO"})]
    rows.hidden.append("Title")
    with pytest.raises(Fatal, match="mapping"):
        await cycle(source, None)


async def test_what_was_merged_can_be_asked_for_before_a_deletion_is_believed(rows: Rows, make_poll: Make) -> None:
    rest = make_poll()._rest
    winner = rows.put(1, NOW)
    loser, gone = rows.put(2, NOW, IsDeleted=True, MasterRecordId=winner), rows.put(3, NOW, IsDeleted=True)
    purged = identity(4)
    asked = [winner, loser[:15], gone, purged, *(identity(number) for number in range(1000, 1300))]
    assert await rest.masters(LEADS, asked, Lane.LIVE) == {winner: None, loser: winner, gone: None}
    assert len(rows.queries) == 2, "200 a call"
    rows.queries.clear()
    assert await rest.masters(OPPORTUNITIES, [gone], Lane.LIVE) == {gone: None}
    assert "MasterRecordId" not in rows.queries[0]
    assert await rest.masters(LEADS, [], Lane.LIVE) == {}


async def test_of_what_has_conditions_only_what_meets_them_is_told_whatever_the_delete_log_lists(rows: Rows, make_poll: Make) -> None:
    entity = replace(LEADS, stream=False, where=("Title = 'Ours'",))
    _, position = await cycle(make_poll(entity), None)
    rows.now_ms += 300_000
    read = rows.put(1, NOW + 100_000, Title="Ours")
    binned = rows.put(2, NOW + 100_000, Title="Ours", IsDeleted=True)
    elsewhere = rows.put(3, NOW - 86_400_000, Title="Ours", IsDeleted=True)
    purged = identity(4)
    others = [rows.put(number, NOW + 100_000, Title="Theirs", IsDeleted=number > 5) for number in (5, 6, 7)]
    rows.log += [(each, NOW + 100_000) for each in (binned, elsewhere, purged, *others)]
    rows.queries.clear()
    events, _ = await cycle(make_poll(entity, deletes_ignored_max=0, deletes_percent_max=100), position)
    gone, living = (
        {event.id for event in events if event.kind is Happened.DELETED},
        {event.id for event in events if event.kind is Happened.READ},
    )
    assert (living, gone) == ({read}, {binned, elsewhere, purged})
    unconditional = [soql for soql in rows.queries if "Title = 'Ours'" not in soql]
    assert len(unconditional) == 1, "only the look at what the log lists beyond them"
    assert any("COUNT()" in soql for soql in rows.queries)


async def test_what_has_no_recycle_bin_is_not_asked_for_deletions(rows: Rows, org: Any, make_poll: Make) -> None:
    _, position = await cycle(make_poll(USERS), None)
    rows.put(1, NOW + 100_000, Title="CTO")
    rows.now_ms += 300_000
    events, _ = await cycle(make_poll(USERS), position)
    assert [(event.object, event.kind, event.fields) for event in events] == [("user", Happened.READ, {"Title": "CTO"})]
    assert make_poll(USERS).name == "salesforce.poll.user"
    assert all("FROM User" in soql and "IsDeleted" not in soql for soql in rows.queries)
    assert not [call.path for call in org.calls if "deleted" in call.path or "queryAll" in call.path]


async def test_what_can_not_be_merged_is_not_asked_for_its_master(rows: Rows, make_poll: Make) -> None:
    entity = replace(LEADS, merges=False)
    _, position = await cycle(make_poll(entity), None)
    rows.now_ms += 300_000
    gone, elsewhere = rows.put(1, NOW + 100_000, IsDeleted=True), rows.put(2, NOW - 86_400_000, IsDeleted=True)
    rows.log.append((elsewhere, NOW + 100_000))
    events, _ = await cycle(make_poll(entity), position)
    assert {event.id for event in events} == {gone, elsewhere}
    assert not [soql for soql in rows.queries if "MasterRecordId" in soql]


async def test_an_absurd_number_of_deletes_stops_until_a_person_confirms(rows: Rows, make_poll: Make) -> None:
    _, position = await cycle(make_poll(), None)
    for number in range(100):
        rows.put(number, NOW + 100_000, IsDeleted=number < 60)
    rows.now_ms += 300_000
    told: list[Braked | None] = []

    async def on_brake(braked: Braked | None) -> None:
        told.append(braked)

    source = make_poll(deletes_ignored_max=10, on_brake=on_brake)
    batches = source.batches(position)
    page = await anext(batches)
    seen, position = page.events, page.position
    with pytest.raises(Fatal, match="60 of 100 Lead records \\(60 %\\)"):
        await anext(batches)
    assert {event.kind for event in seen} == {Happened.READ}
    (braked,) = told
    assert braked is not None
    assert (braked.gone, braked.of_all, braked.until_ms, len(braked.examples)) == (60, 100, NOW + 100_000, 10)
    source.confirm_deletes(braked.until_ms)
    events, _ = await cycle(source, position)
    assert told == [braked, None]
    assert len([event for event in events if event.kind is Happened.DELETED]) == 60


async def test_many_deletes_of_a_large_object_pass(rows: Rows, make_poll: Make) -> None:
    _, position = await cycle(make_poll(), None)
    for number in range(200):
        rows.put(number, NOW + 100_000 if number < 20 else NOW - 86_400_000, IsDeleted=number < 20)
    rows.now_ms += 300_000
    events, _ = await cycle(make_poll(deletes_ignored_max=10), position)
    assert len(events) == 20


async def test_what_the_ledger_knows_is_counted_and_not_relayed(rows: Rows, make_poll: Make) -> None:
    known, missed = rows.put(1, NOW - 100_000), rows.put(2, NOW - 100_000)
    reports: list[CycleReport] = []

    async def unseen(events: list[ChangeEvent]) -> list[ChangeEvent]:
        return [event for event in events if event.id != known]

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    events, _ = await cycle(make_poll(unseen=unseen, report=keep), None)
    assert [event.id for event in events] == [missed]
    assert (reports[0].read, reports[0].known, reports[0].relayed) == (2, 1, 1)


async def test_a_gap_is_read_to_now_and_covered_once_its_youngest_losses_can_be_seen(rows: Rows, make_poll: Make) -> None:
    old = rows.put(1, NOW - 86_400_000)
    _, position = await cycle(make_poll(), None)
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    source = make_poll(report=keep)
    young, edited_again = rows.put(2, NOW - 3_000), rows.put(3, NOW - 1_000)
    source.on_gap(7, NOW - 90_000_000)
    events, position = await cycle(source, position)
    assert [event.id for event in events] == [old, young, edited_again]
    assert reports[0].start_ms <= NOW - 90_000_000
    assert (reports[0].end_ms, reports[0].covered) == (NOW, ()), "what was stamped before may become visible yet"
    late = rows.put(4, NOW - 2_000)
    rows.now_ms += 59_000
    source.on_gap(7, NOW - 90_000_000)  # told again: nothing
    events, position = await cycle(source, position)
    assert (late in {event.id for event in events}, old in {event.id for event in events}) == (True, False)
    assert reports[1].covered == ()
    rows.now_ms += 1_000
    _, position = await cycle(source, position)
    assert (reports[2].end_ms, reports[2].covered) == (NOW + 60_000, (7,))
    rows.now_ms += 300_000
    events, _ = await cycle(source, position)
    assert (reports[3].end_ms, reports[3].covered) == (NOW + 300_000, ())


async def test_a_gap_told_while_a_cycle_runs_is_not_covered_by_it(rows: Rows, make_poll: Make) -> None:
    rows.put(1, NOW - 86_400_000)
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    source = make_poll(report=keep)
    batches = source.batches(None)
    await anext(batches)  # everything up to the lag was read
    source.on_gap(7, NOW - 3_600_000)
    position = (await anext(batches)).position
    assert [batch async for batch in batches] == []
    assert reports[0].covered == ()
    rows.now_ms += 1_000
    lost = rows.put(2, NOW - 500)
    events, _ = await cycle(source, position)
    assert lost in {event.id for event in events}
    assert reports[1].covered == ()


async def test_a_gap_survives_a_cycle_that_fails(rows: Rows, make_poll: Make, org: Any) -> None:
    _, position = await cycle(make_poll(), None)
    lost = rows.put(1, NOW - 86_400_000)
    source = make_poll()
    source.on_gap(7, NOW - 90_000_000)

    async def refuses(request: web.Request) -> web.Response:
        return rows.answer([{"errorCode": "SERVER_UNAVAILABLE", "message": "later"}], status=503)

    for path in ("/services/data", f"{ROOT}/query", f"{ROOT}/queryAll"):
        answers = org.handlers["GET", path]
        org.on("GET", path, refuses)
        with pytest.raises(Retry):
            await cycle(source, position)
        org.on("GET", path, answers)
    events, _ = await cycle(source, position)
    assert [event.id for event in events] == [lost]


async def test_a_gap_is_looked_after_as_soon_as_it_can_be_covered(rows: Rows, make_poll: Make) -> None:
    """The second cycle does not wait for the interval: it is due once the gap can be covered."""
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)
        rows.now_ms += 1_000
        if len(reports) == 2:
            source.wake()  # no more to wait for

    source = make_poll(once=False, interval_seconds=86_400.0, lag_seconds=1.0, report=keep)
    source.on_gap(7, NOW - 1_000)
    async with asyncio.timeout(60), aclosing(source.batches(None)) as batches:
        async for _ in batches:
            if len(reports) > 1:
                break
    assert [report.covered for report in reports[:2]] == [(), (7,)]


async def test_a_widened_window_that_was_interrupted_goes_on_at_the_page(
    rows: Rows, make_poll: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_module, "PAGE_ROWS", 2)
    for number in range(5):
        rows.put(number, NOW - 86_400_000)
    _, position = await cycle(make_poll(), None)
    source = make_poll()
    source.on_gap(7, NOW - 90_000_000)
    batches = source.batches(position)
    first = await anext(batches)
    await batches.aclose()
    rest, position = await cycle(source, first.position)
    assert len(first.events) + len(rest) == 5
    assert json.loads(position or "")["done_ms"] == NOW - 60_000
    rows.now_ms += 300_000
    events, _ = await cycle(source, position)
    assert events == []


async def test_since_skips_what_is_older(rows: Rows, make_poll: Make) -> None:
    rows.put(1, NOW - 86_400_000)
    young = rows.put(2, NOW - 200_000)
    events, _ = await cycle(make_poll(since_ms=NOW - 3_600_000), None)
    assert [event.id for event in events] == [young]


async def test_from_now_the_past_is_left_to_a_first_copy_and_what_comes_is_read(rows: Rows, make_poll: Make) -> None:
    rows.put(1, NOW - 86_400_000)
    lately = rows.put(2, NOW - 200_000)
    events, position = await cycle(make_poll(from_now=True), None)
    assert [event.id for event in events] == [lately]
    rows.now_ms += 300_000
    young = rows.put(3, NOW + 100_000)
    events, _ = await cycle(make_poll(from_now=True), position)
    assert young in [event.id for event in events]
    assert identity(1) not in [event.id for event in events]


async def test_wake_runs_a_cycle_now(rows: Rows, make_poll: Make) -> None:
    source = make_poll(once=False, interval_seconds=3600)
    batches = source.batches(None)
    first = await anext(batches)
    assert first.caught_up
    found = rows.put(1, NOW + 100_000)
    rows.now_ms += 300_000
    source.wake()
    assert [event.id for event in (await anext(batches)).events] == [found]
    await batches.aclose()


async def test_a_field_that_is_not_there_is_for_a_person(session: Session, rows: Rows) -> None:
    source = PollSource(SalesforceRest(session, OpenBudget()), LEADS, ["Nope__c"], once=True)
    with pytest.raises(Fatal, match="mapping"):
        await cycle(source, None)


async def test_a_field_that_is_hidden_while_it_runs_costs_only_itself(rows: Rows, make_poll: Make) -> None:
    lead = rows.put(1, NOW - 100_000, Title="CTO")
    hidden = {"Nope__c"}
    asked: list[str] = []

    async def unseen(error: Reject) -> bool:
        asked.append(error.code)
        shown.difference_update(hidden)
        return bool(hidden)

    shown = {"Title", "Nope__c"}
    source = PollSource(
        make_poll()._rest, LEADS, ["Title", "Nope__c"], once=True, unseen_fields=unseen,
        visible=lambda names: [name for name in names if name in shown],
    )  # fmt: skip
    with pytest.raises(Retry, match="goes on without"):
        await cycle(source, None)
    events, _ = await cycle(source, None)
    assert [(event.id, event.fields) for event in events] == [(lead, {"Title": "CTO"})], (
        "what was not asked for is not told, not even as null"
    )
    assert asked == ["INVALID_FIELD"]
    hidden.clear()
    shown.add("Nope__c")
    with pytest.raises(Fatal, match="mapping"):
        await cycle(source, None)


async def test_a_position_of_another_object_is_for_a_person(make_poll: Make) -> None:
    with pytest.raises(Fatal, match="position"):
        await cycle(make_poll(), '{"object":"contact","done_ms":5}')


async def test_rows_that_do_not_move_on_are_no_endless_loop(rows: Rows, make_poll: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An org that ignored the keyset condition would send the same page for ever."""
    monkeypatch.setattr(poll_module, "PAGE_ROWS", 2)
    monkeypatch.setattr(poll_module, "after_row", lambda *_: "Title = 'ignored'")
    rows.put(1, NOW - 100_000)
    rows.put(2, NOW - 100_000)
    with pytest.raises(Exception, match="the same rows"):
        await cycle(make_poll(), None)


async def test_both_are_sources(session: Session, make_poll: Make) -> None:
    sources: list[Source] = [CdcSource(session, entities=BOTH), make_poll()]
    assert [source.name for source in sources] == ["salesforce.cdc", "salesforce.poll.lead"]


async def test_only_what_is_of_interest_is_read_and_nothing_is_asked_while_there_is_none(rows: Rows, make_poll: Make) -> None:
    """A sign of life is all that comes of it then."""
    scoped = replace(LEADS, scope="Id")
    for number in range(3):
        rows.put(number, NOW - 3_600_000, Title=f"t{number}")
    events, position = await cycle(make_poll(scoped, scope=partial(_these)), None)
    assert (events, rows.queries) == ([], [])
    events, _ = await cycle(make_poll(scoped, scope=partial(_these, identity(1))), position)
    assert [event.id for event in events] == [identity(1)]
    assert f"Id = '{identity(1)}'" in rows.queries[0]
    many = [identity(number) for number in (2, *range(100, 600))]
    events, _ = await cycle(make_poll(scoped, scope=partial(_these, *many)), None)
    assert [event.id for event in events] == [identity(2)], "more than fit into a query: the others are left out of what was read"


async def test_a_gap_waits_for_no_poll_that_has_nothing_to_read(rows: Rows, make_poll: Make) -> None:
    """Without a linked campaign its members' poll reads nothing: it would have kept every gap of the stream open for ever."""
    reports: list[CycleReport] = []

    async def keep(report: CycleReport) -> None:
        reports.append(report)

    source = make_poll(replace(LEADS, scope="Id"), scope=partial(_these), report=keep)
    _, position = await cycle(source, None)
    assert reports == []
    source.on_gap(7, NOW - 90_000_000)
    await cycle(source, position)
    assert [report.covered for report in reports] == [(7,)]
    assert rows.queries == []


async def _these(*ids: str) -> list[str]:
    return list(ids)
