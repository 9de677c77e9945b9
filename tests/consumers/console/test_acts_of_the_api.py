"""What programs can do: like the command line, looked at first, for a reason, by those who may, once, and written down before."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import jsonschema
import pytest

from consumers.console.access.problems import MEDIA
from consumers.console.access.roles import Role
from consumers.console.api.acts.act import Act, Asked
from consumers.console.api.acts.registry import ACTS, NONE
from consumers.console.api.openapi import openapi
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from streams.wire.topics import all_topics
from tests.consumers.cli.test_acts_by_hand import ACTS as BY_HAND
from tests.consumers.cli.test_acts_by_hand import IN_MARKETO
from tests.consumers.console.served import Browser, served, settings_on
from tests.consumers.console.troubled import fill

BY_NAME = {act.name: act for act in ACTS}
LEAST: Mapping[str, dict[str, Any]] = {
    "dead-letters retry": {"letters": [1]},
    "dead-letters discard": {"letters": [1]},
    "holds retry": {"all": True},
    "holds resolve": {"record": "pair:1", "candidate": "pair:2"},
    "conflicts resolve": {"all": True, "take": "salesforce"},
    "force": {"record": "pair:1", "source": "marketo"},
    "reread": {"records": ["pair:1"]},
    "deliveries create": {"name": "billing", "topic": "decisions"},
    "deliveries rewind": {"name": "billing", "since": "all"},
    **{f"deliveries {what}": {"name": "billing"} for what in ("pause", "resume", "test", "rotate", "delete")},
    "pause": {"to": "marketo"},
    "resume": {"all": True},
    "confirm-deletes": {"object": "lead"},
    "accept-hole": {"hole": 1},
    "undo": {"actor": "somebody"},
    "link": {"campaign": "701", "program": "1"},
    "unlink": {"campaign": "701"},
    **{name: {"person": "1001"} for name in BY_NAME if name.startswith("person ")},
}
"""The least that an act is asked with."""


def test_every_act_of_the_command_line_is_one_of_the_api_or_says_why_not() -> None:
    commands = [act.command for act in ACTS]
    assert len(set(commands)) == len(commands)
    assert set(commands).isdisjoint(NONE)
    assert set(commands) | set(NONE) == set(BY_HAND) | IN_MARKETO
    assert all(why.strip() for why in NONE.values())
    assert {act.name for act in ACTS} <= set(BY_HAND.values()), "the audit log calls it the same, whoever did it"


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_what_is_asked_for_is_described(act: Act) -> None:
    told = openapi()["paths"][f"/api/v1{act.path}"]["post"]
    assert (told["x-role"], told["x-command"]) == (act.role, f"tandem {' '.join(act.command)}")
    schema = {**told["requestBody"]["content"]["application/json"]["schema"], "components": openapi()["components"]}
    check = jsonschema.Draft202012Validator(schema)
    check.validate({**LEAST.get(act.name, {}), "apply": True, "reason": "a test"})
    assert not check.is_valid({"apply": 7})
    assert not check.is_valid({**LEAST.get(act.name, {}), "nonsense": 1})
    assert {code for code in told["responses"] if code != "200"} == {"401", "403", "404", "409", "413", "415", "422", "503"}


def test_what_is_written_down_holds_nothing_personal() -> None:
    def noted(name: str, **asked: Any) -> dict[str, Any]:
        act = BY_NAME[name]
        return act.what(act.takes(**asked))

    assert noted("conflicts resolve", record="ada@example.com", field="title", value="Countess") == {
        "record": "by e-mail", "field": "title", "all": False, "take": None, "value": "(not kept)", "most": 1_000,
    }  # fmt: skip
    assert noted("holds retry", records=["ada@example.com", "pair:7"])["records"] == ["by e-mail", "pair:7"]
    assert noted("person create-task", person="1001", inputs={"subject": "call Ada"})["inputs"] == "(not kept)"
    for act in ACTS:
        fields = {field for field in act.takes.__struct_fields__ if field not in Asked.__struct_fields__}
        assert act.private <= fields, act.name


class Program:
    """Somebody's programs, one of each role."""

    def __init__(self, browser: Browser, postgres: str) -> None:
        self._browser, self._postgres = browser, postgres

    async def post(self, path: str, asked: Any, role: Role = Role.ADMIN, **headers: str) -> tuple[int, Any, Any]:
        told = {"authorization": f"Bearer {role}", "content-type": "application/json"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self._browser.base}/api/v1{path}"
        data = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
        async with self._browser.http.post(url, data=data, headers=told) as answer:
            return answer.status, json.loads(await answer.read()), answer.headers

    async def get(self, path: str, role: Role = Role.ADMIN) -> tuple[int, Any]:
        status, text, _ = await self._browser.get(f"/api/v1{path}", authorization=f"Bearer {role}")
        return status, json.loads(text)

    async def rows(self, statement: str) -> list[Any]:
        connection = await asyncpg.connect(self._postgres)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def log(self) -> list[Any]:
        return await self.rows("select who, act, why from audit_log where act <> 'link' order by id")


@asynccontextmanager
async def programs(postgres: str, folder: Path, **more: Any) -> AsyncIterator[Program]:
    tokens = folder / "tokens.txt"
    tokens.write_text("\n".join(f"{role} {role} {hashlib.sha256(str(role).encode()).hexdigest()}" for role in Role))
    async with served(settings_on(postgres, folder, tokens=str(tokens), **more)) as browser:
        yield Program(browser, postgres)


@pytest.mark.integration
async def test_an_act_is_done_by_those_who_may_for_a_reason_once_and_is_written_down(postgres: str, tmp_path: Path) -> None:
    await fill(postgres)
    async with programs(postgres, tmp_path) as program:
        asked = {"to": "marketo", "kind": "lead"}
        status, told, _ = await program.post("/pause", asked, Role.OPERATOR)
        assert (status, told["applied"], told["result"][0]["pause"]["system"]) == (200, False, "marketo")
        assert (await program.get("/paused")) == (200, []), "it was only looked at"
        assert await program.log() == []
        status, told, headers = await program.post("/pause", {**asked, "apply": True}, Role.OPERATOR)
        assert (status, told["type"], headers["content-type"]) == (422, "urn:tandem:problem:no-reason", MEDIA)
        assert "reason" in told["remedy"]
        done = {**asked, "apply": True, "reason": "a campaign"}
        assert (await program.post("/pause", done, Role.VIEWER))[0] == 403
        assert await program.log() == []
        first = await program.post("/pause", done, Role.OPERATOR, idempotency_key="one")
        again = await program.post("/pause", done, Role.OPERATOR, idempotency_key="one")
        assert (first[0], first[1]["applied"], first[1]["who"]) == (200, True, "program:operator")
        assert (again[0], again[1], again[2]["idempotency-replayed"]) == (200, first[1], "true")
        assert await program.log() == [("program:operator", "pause", "a campaign")], "it was done once"
        status, told, _ = await program.post("/pause", {**done, "kind": ""}, Role.OPERATOR, idempotency_key="one")
        assert (status, told["type"]) == (422, "urn:tandem:problem:key-used")
        assert (await program.post("/pause", done, Role.ADMIN, idempotency_key="one"))[0] == 200, "each has keys of its own"
        assert [each["pause"]["why"] for each in (await program.get("/paused"))[1]] == ["a campaign"]
        over = {"all": True, "apply": True, "reason": "over"}
        assert len((await program.post("/resume", {"all": True}))[1]["result"]) == 1
        assert (await program.post("/resume", over, Role.OPERATOR))[0] == 200
        assert (await program.get("/paused"))[1] == []


@pytest.mark.integration
async def test_who_may_not_does_nothing_whatever_the_act(postgres: str, tmp_path: Path) -> None:
    await fill(postgres)
    async with programs(postgres, tmp_path) as program:
        for act in ACTS:
            asked = {**LEAST.get(act.name, {}), "apply": True, "reason": "a test"}
            for role in Role:
                if not role.may(act.role):
                    status, told, _ = await program.post(act.path, asked, role)
                    assert (status, told["type"]) == (403, "urn:tandem:problem:not-allowed"), (act.name, role)
        assert await program.log() == []
        assert await program.rows("select count(*) from pauses") == [(0,)]


@pytest.mark.integration
async def test_what_waits_is_looked_at_and_put_away(postgres: str, tmp_path: Path) -> None:
    await fill(postgres)
    async with programs(postgres, tmp_path) as program:
        (number,) = (await program.rows("select id from dead_letters"))[0]
        status, told, _ = await program.post("/dead-letters/discard", {"letters": [number]}, Role.OPERATOR)
        assert (status, len(told["result"])) == (200, 1)
        assert "canary" not in json.dumps(told), "what quotes values is masked"
        assert await program.rows("select closed_ms from dead_letters") == [(None,)]
        done = {"letters": [number], "apply": True, "reason": "a test of ours"}
        assert (await program.post("/dead-letters/discard", done, Role.OPERATOR))[0] == 200
        assert await program.rows("select count(*) from dead_letters where closed_ms is null") == [(0,)]
        (hole,) = (await program.rows("select id from gaps"))[0]
        status, told, _ = await program.post("/coverage/accept", {"hole": hole}, Role.OPERATOR)
        assert (status, told["result"]["standing"]) == (200, "open")
        status, told, _ = await program.post("/coverage/accept", {"hole": hole, "apply": True, "reason": "a test org"}, Role.OPERATOR)
        assert (status, told["result"]["accepted_by"], told["result"]["accepted_why"]) == (200, "program:operator", "a test org")
        assert await program.log() == [
            ("program:operator", "dead-letters discard", "a test of ours"), ("program:operator", "accept-hole", "a test org"),
        ]  # fmt: skip


IN_VAIN: tuple[tuple[str, Any, int, str], ...] = (
    ("/holds/retry", {}, 422, "senseless"),
    ("/holds/retry", {"all": True, "cause": "x"}, 422, "senseless"),
    ("/holds/retry", {"al": True}, 422, "senseless"),
    ("/holds/retry", b"{", 422, "senseless"),
    ("/holds/retry", {"records": ["nobody@example.com"]}, 404, "unknown"),
    ("/holds/retry", b'{"cause": "' + b"x" * 300_000 + b'"}', 413, "too-long"),
    ("/conflicts/resolve", {"all": True}, 422, "senseless"),
    ("/conflicts/resolve", {"all": True, "take": "hubspot"}, 422, "senseless"),
    ("/pause", {"kind": "nonsense"}, 422, "senseless"),
    ("/undo", {}, 422, "senseless"),
    ("/undo", {"between": "the other day.."}, 422, "senseless"),
    ("/confirm-deletes", {"object": "lead"}, 409, "refused"),
    ("/confirm-deletes", {"object": "nonsense"}, 422, "senseless"),
    ("/coverage/accept", {"hole": 999}, 409, "refused"),
    ("/coverage/accept", {"hole": 999, "apply": True, "reason": "x"}, 409, "refused"),
    ("/links/unlink", {"campaign": "7015f000001AbCdAAK"}, 409, "refused"),
    ("/copy/pause", {}, 409, "refused"),
    ("/canary", {"apply": True, "reason": "x", "wait_seconds": 1}, 503, "away"),
    ("/reread", {"records": ["nobody@example.com"]}, 404, "unknown"),
    ("/force", {"record": "nobody@example.com", "source": "marketo"}, 404, "unknown"),
    ("/nonsense", {}, 404, "nothing-here"),
    ("/status", {}, 405, "wrong-method"),
)


@pytest.mark.integration
async def test_what_can_not_be_done_is_told_with_what_helps(postgres: str, tmp_path: Path) -> None:
    problem = openapi()["components"]["schemas"]["Problem"]
    async with programs(postgres, tmp_path) as program:
        for path, asked, status, name in IN_VAIN:
            code, told, headers = await program.post(path, asked, idempotency_key="one")
            assert (code, told["type"], headers["content-type"]) == (status, f"urn:tandem:problem:{name}", MEDIA), (path, told)
            jsonschema.validate(told, problem)
            assert (told["status"], told["instance"]) == (status, f"/api/v1{path}")
            assert told["remedy"]
        assert await program.rows("select count(*) from asked_by_programs") == [(0,)], "what fails keeps no key"


@pytest.mark.integration
async def test_what_is_not_sent_by_a_program_or_our_page_does_nothing(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        key = await browser.sign_in()
        url, body = f"{browser.base}/api/v1/pause", json.dumps({"all": True, "apply": True, "reason": "x"})
        for headers, status in (
            ({"content-type": "text/plain", "origin": browser.base, "x-form-key": key}, 415),
            ({"content-type": "application/json", "origin": browser.base}, 403),
            ({"content-type": "application/json", "origin": "http://elsewhere.example", "x-form-key": key}, 403),
            ({"content-type": "application/json", "origin": browser.base, "x-form-key": key}, 200),
        ):
            async with browser.http.post(url, data=body, headers=headers) as answer:
                assert answer.status == status, headers


@pytest.mark.integration
async def test_nothing_is_done_that_can_not_be_written_down(postgres: str, tmp_path: Path) -> None:
    async with programs(postgres, tmp_path) as program:
        connection = await asyncpg.connect(postgres)
        await connection.execute("alter table audit_log rename to put_away")
        await connection.close()
        status, told, _ = await program.post("/pause", {"all": True, "apply": True, "reason": "x"})
        assert status >= 500, told
        assert await program.rows("select count(*) from pauses") == [(0,)]


@pytest.mark.integration
async def test_whoever_asks_while_it_is_done_is_told_so(postgres: str, tmp_path: Path) -> None:
    async with programs(postgres, tmp_path) as program:
        asked = {"all": True, "apply": True, "reason": "x"}
        assert (await program.post("/pause", asked, idempotency_key="one"))[0] == 200
        connection = await asyncpg.connect(postgres)
        await connection.execute("update asked_by_programs set answer = null")  # as after a crash, or while it is done
        await connection.close()
        status, told, headers = await program.post("/pause", asked, idempotency_key="one")
        assert (status, told["type"], headers["retry-after"]) == (409, "urn:tandem:problem:key-in-use", "2")


@pytest.mark.integration
async def test_a_secret_is_answered_once_and_kept_nowhere_else(postgres: str, tmp_path: Path, kafka_broker: Broker) -> None:
    wish = {"name": "billing", "topic": "decisions", "url": "https://hooks.example.com/x?key=private", "secret": ""}
    async with programs(postgres, tmp_path, kafka=kafka_broker.bootstrap) as program:
        await ensure_topics(kafka_broker.bootstrap, all_topics(()))
        assert (await program.post("/deliveries/create", wish))[1]["result"]["steps"]
        asked = {**wish, "apply": True, "reason": "for the invoices"}
        status, told, _ = await program.post("/deliveries/create", asked, idempotency_key="one")
        assert status == 200, told
        secret = told["result"]["secret"]
        assert secret
        status, again, _ = await program.post("/deliveries/create", asked, idempotency_key="one")
        assert (status, again["result"]["secret"], again["result"]["delivery"]["name"]) == (200, "", "billing")
        kept = await program.rows("select convert_from(answer, 'utf8') from asked_by_programs")
        noted = await program.rows("select what::text from audit_log")
        assert not any(secret in str(each) or "private" in str(each) for each in (*kept, *noted))
        assert [each["name"] for each in (await program.get("/deliveries"))[1]] == ["billing"]
        assert (await program.post("/deliveries/pause", {"name": "billing"}, Role.OPERATOR))[1]["result"]["state"] == "active"
        stop = {"name": "billing", "apply": True, "reason": "their release"}
        assert (await program.post("/deliveries/pause", stop, Role.OPERATOR))[1]["result"]["state"] == "paused"
        assert (await program.post("/deliveries/delete", {**stop, "name": "nobody"}))[0] == 404
        assert (await program.post("/deliveries/delete", stop))[0] == 200
        assert (await program.get("/deliveries"))[1] == []
