"""Programs, channels and members: what is sent, and what comes back."""

from typing import Any

import orjson
import pytest

from streams.budget.port import Lane
from streams.marketo.api.programs import Channel, Program, Step
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import ItemResult
from streams.wire.errors import Reject
from tests.streams.marketo.marketo_stub import NOW_MS, MarketoStub
from tests.streams.marketo.test_marketo_rest import done

MEMBERS = "/rest/v1/programs/12/members.json"
DAY_MS = 86_400_000


async def test_a_status_is_given_to_many_and_each_result_is_found_by_its_seq(stub: MarketoStub, rest: MarketoRest) -> None:
    past = {"seq": 1, "leadId": 8, "status": "skipped", "reasons": [{"code": "1037", "message": "already past"}]}
    stub.scripts["/rest/v1/programs/12/members/status.json"] = [done(past, {"seq": 0, "leadId": 7, "status": "created"})]
    answer = await rest.programs.set_status("12", "Attended", ["7", "8"])
    assert answer.results == [
        ItemResult(id="7", status="created"), ItemResult(id="8", status="skipped", code="1037", message="already past"),
    ]  # fmt: skip
    (seen,) = stub.asked("/rest/v1/programs/12/members/status.json")
    assert orjson.loads(seen.body) == {"statusName": "Attended", "input": [{"leadId": 7}, {"leadId": 8}]}


async def test_fields_and_removals(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[MEMBERS] = [done({"seq": 0, "leadId": 7, "status": "updated"})]
    stub.scripts["/rest/v1/programs/12/members/delete.json"] = [done({"seq": 0, "leadId": 7, "status": "deleted"})]
    assert (await rest.programs.write_members("12", [{"leadId": 7, "seat": "1A"}])).results[0].applied
    assert (await rest.programs.delete_members("12", ["7"])).results[0].applied
    assert [orjson.loads(seen.body) for seen in stub.seen if seen.body.startswith(b"{")] == [
        {"input": [{"leadId": 7, "seat": "1A"}]}, {"input": [{"leadId": 7}]},
    ]  # fmt: skip


async def test_members_are_read_by_person_over_all_pages(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[MEMBERS] = [
        done({"seq": 0, "leadId": 7, "statusName": "Invited"}, nextPageToken="T=="),
        done({"seq": 0, "leadId": 8, "seat": "1A"}, nextPageToken="U=="),
    ]
    found = await rest.programs.members("12", ["7", "8"], ["seat"])
    assert {person: each.fields for person, each in found.items()} == {
        "7": {"leadId": 7, "statusName": "Invited", "seat": None}, "8": {"leadId": 8, "statusName": None, "seat": "1A"},
    }  # fmt: skip
    first, second = stub.asked(MEMBERS)
    assert (first.query["filterType"], first.query["filterValues"], first.query["fields"]) == ("leadId", "7,8", "leadId,seat,statusName")
    assert second.query["nextPageToken"] == "T=="


async def test_changed_members_are_asked_for_a_week_at_a_time(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[MEMBERS] = [
        done({"leadId": 1}, nextPageToken="T=="), done({"leadId": 2}), done({"leadId": 3}), done(),
    ]  # fmt: skip
    found = [
        member.id async for rows in rest.programs.members_changed("12", NOW_MS - 16 * DAY_MS, NOW_MS, [], Lane.REPAIR) for member in rows
    ]
    assert found == ["1", "2", "3"]
    asked = [(seen.query["startAt"][:10], seen.query["endAt"][:10]) for seen in stub.asked(MEMBERS)]
    assert asked == [("2026-02-14", "2026-02-21")] * 2 + [("2026-02-21", "2026-02-28"), ("2026-02-28", "2026-03-02")]


async def test_assets_are_read_200_at_a_time(stub: MarketoStub, rest: MarketoRest) -> None:
    rows = [{"id": number, "name": f"P{number}", "type": "Event", "channel": "Webinar"} for number in range(201)]
    stub.scripts["/rest/asset/v1/programs.json"] = [done(*rows[:200]), done(*rows[200:])]
    found = await rest.programs.programs()
    assert len(found) == 201
    assert found[200] == Program(id="200", name="P200", type="Event", channel="Webinar")
    assert [seen.query["offset"] for seen in stub.asked("/rest/asset/v1/programs.json")] == ["0", "200"]


async def test_a_program_that_is_not_there_is_none(stub: MarketoStub, rest: MarketoRest) -> None:
    nothing: dict[str, Any] = {"requestId": "r", "success": True, "errors": [], "warnings": ["No assets found."]}
    stub.scripts["/rest/asset/v1/program/12.json"] = [nothing, done({"id": 12})]
    assert await rest.programs.program("12") is None
    with pytest.raises(Reject, match="unexpected shape"):
        await rest.programs.program("12")


async def test_channels_have_steps(stub: MarketoStub, rest: MarketoRest) -> None:
    steps = [{"name": "Invited", "step": 10, "success": False, "hidden": False}, {"name": "Attended", "step": 40, "success": True}]
    row = {"name": "Webinar", "applicableProgramType": "event", "progressionStatuses": steps}
    stub.scripts["/rest/asset/v1/channels.json"] = [done(row)]
    assert await rest.programs.channels() == [
        Channel(
            name="Webinar",
            type="event",
            steps=(Step(name="Invited", step=10, success=False, hidden=False), Step(name="Attended", step=40, success=True, hidden=False)),
        )
    ]
