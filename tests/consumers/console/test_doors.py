"""Who comes in, by what, and what each may do there."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from consumers.console.access.roles import Role
from consumers.console.access.users import hashed_password
from consumers.console.serving import link_of, serve
from streams.wire.errors import Fatal
from tests.consumers.console.served import SALESFORCE_ID, add_ada, served, settings_on

pytestmark = pytest.mark.integration


async def deeds(postgres: str) -> list[tuple[str, str]]:
    connection = await asyncpg.connect(postgres)
    try:
        return [(row["who"], row["act"]) for row in await connection.fetch("select who, act from audit_log order by id")]
    finally:
        await connection.close()


async def test_a_link_signs_in_once_and_every_answer_forbids_what_pages_do_not_need(postgres: str, tmp_path: Path) -> None:
    settings = settings_on(postgres, tmp_path)
    async with served(settings) as browser:
        status, _, headers = await browser.get("/record/1?all=1")
        assert (status, headers["location"]) == (303, "/sign-in?to=%2Frecord%2F1%3Fall%3D1")
        link = (await link_of(settings, "ann")).split("link=")[1]
        assert (await browser.get(f"/sign-in?link={link}"))[0] == 200, "looking at it uses it up for nobody"
        status, _, headers = await browser.post("/sign-in", {"link": link, "to": "/record"})
        assert (status, headers["location"]) == (303, "/record")
        cookie = headers["set-cookie"].lower()
        assert ("httponly" in cookie, "samesite=lax" in cookie) == (True, True)
        status, page, headers = await browser.get("/record")
        assert status == 200
        policy = headers["content-security-policy"]
        assert ("unsafe" in policy, "default-src 'none'" in policy, "frame-ancestors 'none'" in policy) == (False, True, True)
        assert "onclick" not in page
        assert "<style" not in page
        browser.http.cookie_jar.clear()
        assert (await browser.post("/sign-in", {"link": link}))[0] == 403, "it has been used"
    assert await deeds(postgres) == [("link:ann", "sign-in")]


@pytest.mark.parametrize("to", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example"])
async def test_signing_in_leads_nowhere_else(to: str, postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        link = (await link_of(browser.settings, "ann")).split("link=")[1]
        assert (await browser.post("/sign-in", {"link": link, "to": to}))[2]["location"] == "/"


async def test_a_form_from_elsewhere_does_nothing(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        key = await browser.sign_in()
        form = {"form_key": key, "why": "x", "to": "/"}
        assert (await browser.post("/reveal", form, origin="http://elsewhere.example"))[0] == 403
        assert (await browser.post("/reveal", form, **{"sec-fetch-site": "cross-site"}))[0] == 403
        assert (await browser.post("/reveal", {**form, "form_key": "0" * 64}))[0] == 403
        assert (await browser.post("/reveal", {**form, "why": "x" * 70_000}))[0] == 413
        assert (await browser.get("/", host="elsewhere.example"))[0] == 421, "a name that leads here by somebody's doing"
        assert await deeds(postgres) == [("link:ann", "sign-in")]
        assert (await browser.post("/sign-out", {"form_key": key}))[0] == 303
        assert (await browser.get("/record"))[0] == 303, "signed out"


async def test_personal_data_is_masked_until_somebody_says_why(postgres: str, tmp_path: Path) -> None:
    pair = await add_ada(postgres)
    async with served(settings_on(postgres, tmp_path)) as browser:
        key = await browser.sign_in()
        status, _, headers = await browser.get("/record?q=ada@example.com")
        assert (status, headers["location"]) == (303, f"/record/{pair}"), "the address of a page holds no e-mail"
        _, page, _ = await browser.get(f"/record/{pair}")
        assert [word in page for word in ("Lovelace", "ada@example.com", "Countess", SALESFORCE_ID)] == [False, False, False, True]
        assert (await browser.post("/reveal", {"form_key": key, "why": "a call", "to": f"/record/{pair}"}))[0] == 303
        _, page, _ = await browser.get(f"/record/{pair}")
        assert [word in page for word in ("Lovelace", "ada@example.com", "Countess")] == [True, True, True]
        assert await deeds(postgres) == [("link:ann", "sign-in"), ("link:ann", "reveal"), ("link:ann", "look")]
        assert (await browser.post("/mask", {"form_key": key, "to": "/"}))[0] == 303
        assert "Lovelace" not in (await browser.get(f"/record/{pair}"))[1]


async def test_markup_in_values_stays_text(postgres: str, tmp_path: Path) -> None:
    pair = await add_ada(postgres, lastName="<script>alert(1)</script>", title='"><img src=x onerror=alert(1)>')
    async with served(settings_on(postgres, tmp_path)) as browser:
        key = await browser.sign_in()
        await browser.post("/reveal", {"form_key": key, "why": "a test", "to": "/"})
        for path in (f"/record/{pair}", f"/record/{pair}/title", "/record?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"):
            _, page, _ = await browser.get(path)
            assert "<script>alert" not in page, path
            assert "<img src=x" not in page, path


async def user_file(folder: Path) -> Path:
    file = folder / "users.txt"
    file.write_text(f"# people\nvera viewer {hashed_password('a viewer word')}\nolaf operator {hashed_password('an operator word')}\n")
    return file


async def test_users_sign_in_by_password_and_each_may_what_the_role_says(postgres: str, tmp_path: Path) -> None:
    users = await user_file(tmp_path)
    async with served(settings_on(postgres, tmp_path, users=str(users))) as browser:
        assert (await browser.post("/sign-in", {"name": "vera", "password": "an operator word"}))[0] == 403
        assert (await browser.post("/sign-in", {"name": "nobody", "password": "x"}))[0] == 403
        assert (await browser.post("/sign-in", {"name": "vera", "password": "a viewer word"}))[0] == 303
        key = await browser.form_key()
        assert "Show personal data" not in (await browser.get("/record"))[1]
        status, text, _ = await browser.post("/reveal", {"form_key": key, "why": "x", "to": "/"})
        assert (status, "operator" in text) == (403, True)
        users.write_text("olaf operator x\n")
        assert (await browser.get("/record"))[0] == 303, "who is struck off is out"
    with pytest.raises(Fatal, match="One-time links"):
        await link_of(browser.settings, "ann")


async def test_guessing_is_slowed_down(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        answers = [(await browser.post("/sign-in", {"link": f"guess{n}"}))[0] for n in range(12)]
        assert answers == [403] * 10 + [429] * 2


async def test_a_program_comes_in_by_its_token_alone(postgres: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text(f"warehouse viewer {hashlib.sha256(b'let me in').hexdigest()}\n")
    async with served(settings_on(postgres, tmp_path, tokens=str(tokens))) as browser:
        assert (await browser.get("/api/v1/status"))[0] == 401
        assert (await browser.get("/api/v1/status", authorization="Bearer wrong"))[0] == 401
        assert (await browser.get("/api/v1/nothing", authorization="Bearer let me in"))[0] == 404
        assert (await browser.get("/", authorization="Bearer let me in"))[0] == 303, "pages are for people"


@pytest.mark.parametrize(
    ("console", "words"),
    [({"host": "0.0.0.0"}, "nobody could sign in"), ({"users": "/nowhere"}, "can't be read"), ({"tokens": "/nowhere"}, "can't be read")],
)
async def test_it_is_not_served_where_nobody_could_use_it_rightly(
    console: dict[str, Any], words: str, postgres: str, tmp_path: Path
) -> None:
    with pytest.raises(Fatal, match=words):
        await serve(settings_on(postgres, tmp_path, **console))


async def test_a_database_that_is_away_is_said(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        await browser.sign_in()
        browser.settings.postgres.dsn._value = "postgresql://nobody@127.0.0.1:1/x"
        status, page, _ = await browser.get("/record?q=ada@example.com")
        assert (status, "can&#39;t be reached" in page) == (503, True)


def test_each_role_may_what_those_before_it_may() -> None:
    assert [[mine.may(needed) for needed in Role] for mine in Role] == [[True, False, False], [True, True, False], [True, True, True]]


async def test_a_page_hears_that_something_has_changed(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path)) as browser:
        await browser.sign_in()
        async with asyncio.timeout(60), browser.http.get(f"{browser.base}/live") as answer:
            assert answer.content_type == "text/event-stream"
            await until(answer, b"event: open")
            await until(answer, b"event: changed")  # the first look
            connection = await asyncpg.connect(postgres)
            await connection.execute("insert into partition_offsets values ('crm.salesforce.lead.v1', 0, 7)")
            await connection.close()
            await until(answer, b"event: changed")


async def until(answer: Any, line: bytes) -> None:
    async for told in answer.content:
        if told.strip() == line:
            return
    raise AssertionError(f"the stream ended without {line!r}")
