"""The org's pages for people, through the gateway, with https behind it."""

import asyncio
import re
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.setup.found import chromium

pytestmark = pytest.mark.integration
_CHROMIUM = found.path if (found := chromium()) else ""


async def page(sandbox: Any, path: str) -> str:
    async with sandbox.http.get(f"{sandbox.url}/ui/salesforce{path}") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html"), await answer.text()
        return str(await answer.text())


async def send(sandbox: Any, path: str, form: dict[str, str]) -> tuple[int, str]:
    async with sandbox.http.post(f"{sandbox.url}/ui/salesforce{path}", data=form, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def test_records_search_and_edit(start: Any, tmp_path: Path) -> None:
    async with start(tmp_path / "sandbox", "--only", "salesforce", "--tls") as sandbox:
        fields = {"LastName": "<b>Ito</b>", "Company": "Acme", "Email": "i@x.example"}
        lead = (await sandbox.post("/salesforce/create", {"object": "Lead", "fields": fields}))["id"]
        await sandbox.post("/salesforce/create", {"object": "Task", "fields": {"Subject": "Call her", "WhoId": lead}})
        assert "Opportunity Contact Role" in await page(sandbox, "")
        assert "&lt;b&gt;Ito" in await page(sandbox, "/Lead?q=i@x")
        assert "Ito" not in (await page(sandbox, "/Lead?q=nobody")).partition("<main>")[2]
        shown = await page(sandbox, f"/Lead/{lead}")
        assert "Call her" in shown
        long = "x" * 5000
        await sandbox.post("/salesforce/edit", {"object": "Lead", "id": lead, "fields": {"Description": long}})
        history = await page(sandbox, "/-/history")
        assert ("Description" in history, "SystemModstamp" in history, long in history) == (True, False, False)
        assert '<option value="Hot">' in await page(sandbox, f"/Lead/{lead}?mode=edit")
        for address in ("", "/", "/ui", "/ui/"):
            async with sandbox.http.get(f"{sandbox.url}{address}") as answer:
                assert 'href="/ui/salesforce"' in await answer.text()
        assert re.search(r'name="Company" value="Acme"', await page(sandbox, f"/Lead/{lead}?mode=edit"))
        assert (await send(sandbox, f"/Lead/{lead}", {"Company": "Other"}))[0] == 303
        status, text = await send(sandbox, f"/Lead/{lead}", {"Company": ""})
        assert (status, "Required fields are missing" in text) == (400, True)
        (line,) = [one for one in await sandbox.lines("/history?object=Lead") if one["op"] == "update"][1:]
        assert (line["actor"], line["after"]["Company"]) == ("ann.operator@sandbox.example", "Other")

        own, trusted = sandbox.endpoints["salesforce"], sandbox.endpoints["sandbox"]["certificate"]
        assert own["url"].startswith("https://")
        assert own["pubsub"].startswith("localhost:")
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=trusted))
        async with aiohttp.ClientSession(connector=connector) as http, http.get(f"{own['url']}/services/data") as answer:
            assert answer.status == 200


async def test_a_person_is_made(start: Any, tmp_path: Path) -> None:
    async with start(tmp_path / "sandbox", "--only", "salesforce") as sandbox:
        assert 'href="/ui/salesforce/Lead/-new"' in await page(sandbox, "/Lead")
        assert 'name="LastName"' in await page(sandbox, "/Lead/-new")
        assert 'name="CreatedDate"' not in await page(sandbox, "/Lead/-new")
        status, text = await send(sandbox, "/Lead/-new", {"LastName": "<b>Ito</b>", "Email": "i@x.example"})
        assert (status, "Required fields are missing" in text) == (400, True)
        assert 'value="i@x.example"' in text, "what was typed is not lost"
        status, where = await send(sandbox, "/Lead/-new", {"LastName": "Ito", "Company": "Acme", "Email": "i@x.example", "Phone": ""})
        assert status == 303
        assert "i@x.example" in await page(sandbox, where.removeprefix("/ui/salesforce"))
        (line,) = await sandbox.lines("/history?object=Lead")
        assert (line["op"], line["actor"], line["after"]["Company"]) == ("create", "ann.operator@sandbox.example", "Acme")
        async with sandbox.http.get(f"{sandbox.url}/ui/salesforce/Nothing/-new") as answer:
            assert answer.status == 404


@pytest.mark.skipif(not _CHROMIUM, reason="chromium is not installed")
async def test_a_browser_shows_a_lead(start: Any, tmp_path: Path) -> None:
    async with start(tmp_path / "sandbox", "--only", "salesforce") as sandbox:
        fields = {"LastName": "Lee", "FirstName": "Zoë", "Company": "Acme"}
        lead = (await sandbox.post("/salesforce/create", {"object": "Lead", "fields": fields}))["id"]
        browser = await asyncio.create_subprocess_exec(
            *(str(_CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", f"{sandbox.url}/ui/salesforce/Lead/{lead}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await asyncio.wait_for(browser.communicate(), 60)
        assert "<h1>Zoë Lee</h1>" in out.decode()
