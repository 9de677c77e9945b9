"""The pages for people, through the gateway, and in a real browser."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from infra.setup.found import chromium

pytestmark = pytest.mark.integration
_CHROMIUM = found.path if (found := chromium()) else ""
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,900"),
)


async def page(sandbox: Any, path: str, *, status: int = 200) -> str:
    async with sandbox.http.get(f"{sandbox.url}/ui/marketo{path}") as answer:
        assert (answer.status, answer.content_type) == (status, "text/html")
        return str(await answer.text())


async def send(sandbox: Any, path: str, form: dict[str, str], **headers: str) -> tuple[int, str]:
    address = f"{sandbox.url}/ui/marketo{path}"
    async with sandbox.http.post(address, data=form, headers=headers, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def test_a_person_is_made(marketo_only: Any) -> None:
    assert 'href="/ui/marketo/Lead/-new"' in await page(marketo_only, "/Lead")
    assert "-new" not in await page(marketo_only, "/Program"), "only people are made by hand here"
    assert "/Lead/-new" not in await page(marketo_only, "/Program/-new", status=404)
    form = await page(marketo_only, "/Lead/-new")
    assert ('name="email"' in form, 'name="id"' in form) == (True, False)
    status, text = await send(marketo_only, "/Lead/-new", {"email": "zoe@x.example", "leadScore": "many"})
    assert (status, 'value="zoe@x.example"' in text) == (400, True)
    status, where = await send(marketo_only, "/Lead/-new", {"email": "zoe@x.example", "firstName": "Zoë", "leadScore": "60"})
    assert status == 303
    assert "Zoë" in await page(marketo_only, where.removeprefix("/ui/marketo"))
    lines = [one for one in await marketo_only.lines("/history?object=Lead") if one["op"] == "create"]
    assert [(one["after"]["email"], one["after"]["leadScore"]) for one in lines] == [("zoe@x.example", 60)]


async def test_records_search_edit_history_and_faults(marketo_only: Any) -> None:
    for name in ("Zoë", "<b>Bob</b>"):
        await marketo_only.post("/marketo/person/create", {"fields": {"email": f"{len(name)}@x.example", "firstName": name}})
    assert "Zoë" in await page(marketo_only, "")
    listed = await page(marketo_only, "/Lead")
    assert "&lt;b&gt;Bob&lt;/b&gt;" in listed
    assert "<b>Bob" not in listed
    assert "Bob" not in await page(marketo_only, "/Lead?q=zo%C3%AB")
    form = await page(marketo_only, "/Lead/1?mode=edit")
    assert re.search(r'name="firstName" value="Zoë"', form)
    assert await send(marketo_only, "/Lead/1", {"firstName": "Zoe", "city": "", "email": "3@x.example"}) == (
        303,
        "/ui/marketo/Lead/1?saved=1",
    )
    shown = await page(marketo_only, "/Lead/1?mode=watch")
    assert re.search(r'class="value changed" data-field="firstName">Zoe<', shown)
    assert 'http-equiv="refresh"' in shown
    (line,) = [one for one in await marketo_only.lines("/history") if one["op"] == "update"]
    assert (line["before"], line["after"], line["actor"]) == ({"firstName": "Zoë"}, {"firstName": "Zoe"}, "operator@marketo.example")
    status, text = await send(marketo_only, "/Lead/1", {"leadScore": "many"})
    assert (status, "Required of type" in text) == (400, True)
    assert (await send(marketo_only, "/Lead/1", {"firstName": "Eve"}, Origin="http://elsewhere.example"))[0] == 403
    assert "eva" not in await page(marketo_only, "/-/history")
    assert (await send(marketo_only, "/-/faults", {"type": "system_error", "path": "/rest/*", "times": "2", "more": ""}))[0] == 303
    (fault,) = await marketo_only.get("/faults")
    assert (fault["action"], fault["times"]) == ({"type": "system_error"}, 2)
    assert "system_error" in await page(marketo_only, "/-/faults")
    assert (await send(marketo_only, "/-/faults", {"type": "latency", "more": "[]"}))[0] == 400
    await send(marketo_only, "/-/faults", {"delete": fault["id"]})
    assert await marketo_only.get("/faults") == []
    program = (await marketo_only.post("/marketo/program/create", {"name": "Webinar"}))["id"]
    whole = await page(marketo_only, f"/Program/{program}")
    assert "<h1>Webinar</h1>" in whole
    assert ">Edit<" not in whole
    await page(marketo_only, "/Lead/77", status=404)
    await page(marketo_only, "/Nothing", status=404)


@pytest.mark.skipif(not _CHROMIUM, reason="chromium is not installed")
async def test_a_browser_shows_a_person(marketo_only: Any, tmp_path: Path) -> None:
    await marketo_only.post("/marketo/person/create", {"fields": {"email": "a@x.example", "firstName": "Zoë", "lastName": "Lee"}})
    address = f"{marketo_only.url}/ui/marketo/Lead/1"
    browser = await asyncio.create_subprocess_exec(
        str(_CHROMIUM), *_FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", address,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(browser.communicate(), 60)
    assert "<h1>Zoë Lee</h1>" in out.decode()
