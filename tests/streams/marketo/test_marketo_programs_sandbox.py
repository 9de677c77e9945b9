"""Programs and their members in the sandbox's Marketo."""

import secrets
from typing import Any

import aiohttp
import pytest

from tests.streams.marketo.test_marketo_resources_sandbox import told
from tests.streams.marketo.test_marketo_sandbox import Instance, instance  # noqa: F401 - a fixture

pytestmark = pytest.mark.integration


async def test_a_program_and_its_members(instance: Instance, sandbox: dict[str, Any]) -> None:  # noqa: F811
    rest = instance.ours.programs
    channel = next(each for each in await rest.channels() if each.name == "Webinar")
    assert [step.name for step in channel.steps if step.success] == ["Attended"]
    name = secrets.token_hex(6)
    program = await made(sandbox, name)
    (found,) = [each for each in await rest.programs() if each.name == name]
    assert found == await rest.program(program)
    assert (found.id, found.channel, found.type) == (program, "Webinar", "Event")
    assert await rest.program("999999") is None

    people = [await instance.person(instance.ours, lastName=f"L{number}") for number in range(3)]
    assert told(await rest.set_status(program, "Registered", people[:2])) == [("created", "")] * 2
    assert told(await rest.set_status(program, "Invited", people[1:])) == [("skipped", "1037"), ("created", "")]
    assert told(await rest.set_status(program, "Nonsense", people[:1])) == [("skipped", "1025")]
    shown = await rest.members(program, [*people, "999999999"], ["statusReason"])
    assert {person: each.fields["statusName"] for person, each in shown.items()} == dict(
        zip(people, ["Registered", "Registered", "Invited"], strict=True)
    )
    fields = {field.name: field.updateable for field in (await rest.describe_members()).fields}
    assert fields["statusReason"]
    assert not fields["statusName"]
    assert told(await rest.write_members(program, [{"leadId": int(people[0]), "statusReason": "why"}])) == [("updated", "")]
    now_ms = shown[people[0]].until
    changed = [
        (each.id, each.fields["statusReason"])
        async for rows in rest.members_changed(program, now_ms - 86_400_000, now_ms + 60_000, ["statusReason"])
        for each in rows
    ]
    assert sorted(changed) == sorted([(people[0], "why"), (people[1], None), (people[2], None)])
    assert told(await rest.delete_members(program, people[1:])) == [("deleted", "")] * 2
    assert told(await rest.delete_members(program, people[1:2])) == [("skipped", "1037")]
    assert set(await rest.members(program, people, [])) == {people[0]}


async def made(sandbox: dict[str, Any], name: str) -> str:
    """A program that somebody has made; its id."""
    who = sandbox["marketo"]
    params = {"grant_type": "client_credentials", "client_id": who["client_id"], "client_secret": who["client_secret"]}
    async with aiohttp.ClientSession(who["url"]) as http:
        async with http.get("/identity/oauth/token", params=params) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
        form = {"name": name, "folder": '{"id":15,"type":"Folder"}', "type": "Event", "channel": "Webinar"}
        async with http.post("/rest/asset/v1/programs.json", data=form, headers=headers) as answer:
            body = await answer.json()
            assert body["success"], body
            return str(body["result"][0]["id"])
