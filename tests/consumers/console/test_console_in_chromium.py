"""The console in a real browser: every page without an error, for eyes and ears, by keys alone, on a small screen, in the dark."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright, expect

from consumers.configuration.mapping.registered import registry_of
from consumers.console.access.guard import COOKIE
from consumers.console.access.roles import Role
from consumers.console.access.sessions import Person, new_session
from consumers.console.serving import link_of
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from infra.setup.found import chromium
from streams.wire.topics import all_topics
from tests.consumers.console.served import served, settings_on
from tests.consumers.console.test_changes import publish
from tests.consumers.console.troubled import fill

_CHROMIUM = found.path if (found := chromium()) else ""
_AXE = Path(__file__).parents[2] / "infra" / "sandbox" / "node" / "node_modules" / "axe-core" / "axe.min.js"
_PATIENCE_MS = 60_000
WIDE, SMALL = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
pytestmark = [
    pytest.mark.integration,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not _CHROMIUM, reason="there is no Chromium here"),
]
_IN_THE_DARK = ("overview", "record", "conflict", "errors")
"""Looked at by axe in the dark, too: together they have every colour."""
SHOTS = os.environ.get("TANDEM_SHOTS", "")
"""A folder for pictures of every page. The caret stays in them: to hide it takes a style, which the policy forbids."""


@dataclass
class Console:
    """A console, a browser that is signed in, and what the browser had to complain of."""

    base: str
    settings: Any
    postgres: str
    browser: Browser
    state: Any
    pairs: dict[str, int]
    change: str
    complaints: list[str] = field(default_factory=list)

    @property
    def pages(self) -> dict[str, str]:
        """Every page, by its name."""
        return {
            "overview": "/", "find": "/record", "record": f"/record/{self.pairs['ada']}?all=1",
            "canary": f"/record/{self.pairs['canary']}?technical=1",
            "then": f"/record/{self.pairs['ada']}?at=1h",
            "story": f"/record/{self.pairs['canary']}/title?technical=1", "changes": "/changes?topic=salesforce.lead",
            "change": self.change,
            "errors": "/errors", "conflicts": "/conflicts",
            "conflict": f"/conflict/{self.pairs['conflict']}/title", "match": f"/match/{self.pairs['held']}",
            "backlog": "/backlog", "coverage": "/coverage", "streams": "/streams",
            "rules": "/rules", "version": "/rules/1", "delivery": "/deliveries/billing",
            "new-delivery": "/deliveries", "audit": "/audit",
        }  # fmt: skip

    async def state_of(self, role: Role) -> Any:
        """What the browser of somebody with this role keeps."""
        connection = await asyncpg.connect(self.postgres)
        try:
            token = await new_session(connection, Person(who=f"link:{role}", role=role), round(time.time() * 1000))
        finally:
            await connection.close()
        return {"cookies": [{"name": COOKIE, "value": token, "domain": "localhost", "path": "/", "httpOnly": True, "sameSite": "Lax"}]}

    async def context(self, **options: Any) -> BrowserContext:
        """A window of the one who is signed in; its pages are listened to."""
        context = await self.browser.new_context(**{"storage_state": self.state, "viewport": WIDE, **options})
        context.set_default_timeout(_PATIENCE_MS)
        context.on(
            "console", lambda said: self.complaints.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") else None
        )
        context.on("weberror", lambda error: self.complaints.append(f"error: {error.error}"))
        context.on("request", lambda asked: self.complaints.append(f"asked {asked.url}") if not asked.url.startswith(self.base) else None)
        return context


@asynccontextmanager
async def chromium_of(playwright: Playwright) -> AsyncIterator[Browser]:
    """Debian's own, or the one that setting up has found."""
    browser = await playwright.chromium.launch(executable_path=str(_CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
    try:
        yield browser
    finally:
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def console(postgres_module: str, kafka_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    settings = settings_on(postgres_module, tmp_path_factory.mktemp("console"), kafka=kafka_broker.bootstrap)
    await ensure_topics(kafka_broker.bootstrap, all_topics(registry_of(settings).objects))
    pairs = await fill(postgres_module)
    told = await publish(kafka_broker.bootstrap, "005000000000001AAA", count=3)
    change = f"/changes/salesforce.lead/{told.partition}/{told.offset}"
    async with served(settings) as visitor, async_playwright() as playwright, chromium_of(playwright) as browser:
        context = await browser.new_context()
        context.set_default_timeout(_PATIENCE_MS)
        page = await context.new_page()
        await page.goto(await link_of(settings, "ann"))
        await page.get_by_role("button", name="Open the console").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=_PATIENCE_MS)
        await page.get_by_text("Show personal data").click()
        await page.get_by_label("Why?").fill("looking at every page")
        await page.get_by_role("button", name="Show for 15 minutes").click()
        await expect(page.get_by_text("Personal data is shown.")).to_be_visible(timeout=_PATIENCE_MS)
        state = await context.storage_state()
        yield Console(
            base=visitor.base, settings=settings, postgres=postgres_module, browser=browser, state=state, pairs=pairs, change=change
        )


async def test_every_page_is_without_fault_wide_and_small_light_and_dark(console: Console) -> None:
    """No error, no warning, nothing against the policy, no request elsewhere, no markup out of values, nothing that axe finds serious,
    and nothing that sticks out of a small screen."""
    console.complaints.clear()
    for name, view, scheme in (("wide", WIDE, "light"), ("small", SMALL, "dark")):
        context = await console.context(viewport=view, color_scheme=scheme)
        page = await context.new_page()
        for title, path in console.pages.items():
            answer = await page.goto(console.base + path)
            assert answer is not None
            assert answer.status == 200, (title, await page.locator("main").inner_text())
            assert await page.evaluate("window.canary") is None, f"{title}: a value became markup"
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{title} is wider than a {name} screen"
            if _AXE.exists() and (name == "wide" or title in _IN_THE_DARK):
                await page.evaluate(_AXE.read_text())
                told = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
                serious = [
                    (each["id"], each["nodes"][0]["html"]) for each in told["violations"] if each["impact"] in ("serious", "critical")
                ]
                assert not serious, f"{title}, {name}: {serious}"
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/{title}-{name}-{scheme}.png", full_page=True, caret="initial")
        await context.close()
    assert console.complaints == []


async def test_the_five_questions_are_two_clicks_away(console: Console) -> None:
    """From the overview: is it healthy, where is this person, why has the field its value, when is it done, what needs me."""
    context = await console.context()
    page = await context.new_page()
    await page.goto(console.base)
    await expect(page.locator(".sentence")).to_contain_text("pairs", timeout=_PATIENCE_MS)  # healthy? no click at all
    await page.get_by_label("Find a record").fill("ada@example.com")
    await page.keyboard.press("Enter")  # where is this person? one
    await expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible(timeout=_PATIENCE_MS)
    assert "ada@" not in page.url
    await page.locator(".fields").get_by_role("link", name="title", exact=True).click()  # why? two
    await expect(page.locator(".now")).to_contain_text("Countess", timeout=_PATIENCE_MS)
    await page.goto(console.base)
    await page.get_by_role("link", name="Backlog and budget").click()  # when is it done? one
    await expect(page.get_by_role("heading", name="To do")).to_be_visible(timeout=_PATIENCE_MS)
    await page.goto(console.base)
    await page.locator(".needs").get_by_role("link").filter(has_text="conflict").click()  # what needs me? one
    await page.get_by_role("link", name="title").first.click()  # what if I choose? two, and its plan
    await expect(page.get_by_role("heading", name="Which title is right?")).to_be_visible(timeout=_PATIENCE_MS)
    await context.close()


async def test_keys_alone_are_enough(console: Console) -> None:
    context = await console.context()
    page = await context.new_page()
    await page.goto(console.base)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused(timeout=_PATIENCE_MS)
    for key, title in (("r", "Find a record"), ("c", "Conflicts and holds"), ("o", "Overview")):
        await page.locator("body").press("Escape")
        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await expect(page.get_by_role("heading", level=1, name=title)).to_be_visible(timeout=_PATIENCE_MS)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible(timeout=_PATIENCE_MS)
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_label("Find a record")).to_be_focused(timeout=_PATIENCE_MS)
    await context.close()


async def test_a_record_is_held_by_keys_alone(console: Console) -> None:
    context = await console.context()
    page = await context.new_page()
    await page.goto(f"{console.base}/record/{console.pairs['canary']}")
    await page.get_by_text("Hold this record").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("a question of her lawyer's")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("a question of her lawyer's").first).to_be_visible(timeout=_PATIENCE_MS)
    await page.get_by_role("button", name="Let it go on").press("Enter")
    await expect(page.get_by_text("a question of her lawyer's")).to_have_count(0, timeout=_PATIENCE_MS)
    await context.close()


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_is_shown_what_it_may_see_and_offered_what_it_may_do(role: Role, console: Console) -> None:
    console.complaints.clear()
    context = await console.context(storage_state=await console.state_of(role))
    page = await context.new_page()
    acts = role is not Role.VIEWER
    await page.goto(f"{console.base}/record/{console.pairs['ada']}")
    assert "ada@example.com" not in await page.content(), "nobody has said why"
    await expect(page.get_by_role("button", name="Force from Salesforce …")).to_have_count(int(acts))
    await expect(page.get_by_text("Show personal data", exact=True)).to_have_count(int(acts))
    offered: set[str] = set()
    for title in ("overview", "record", "conflicts", "conflict", "match", "errors", "rules"):
        await page.goto(console.base + console.pages[title])
        actions = await page.eval_on_selector_all("form[method=post]", "forms => forms.map(form => new URL(form.action).pathname)")
        offered.update(actions)
    assert (offered == {"/sign-out"}) is not acts, offered
    await page.goto(f"{console.base}/audit")
    await expect(page.locator("tbody tr").first).to_have_count(int(role is Role.ADMIN))
    status = await page.evaluate(
        """async () => {
            const told = new URLSearchParams({form_key: document.querySelector("[name=form_key]").value, why: "x"});
            return (await fetch("/hold/999999", {method: "POST", body: told})).status;
        }"""
    )
    assert status == (404 if acts else 403), "what is not offered is not done either"
    refused = ("status of 403", "status of 404")  # the audit log, and the act
    assert [each for each in console.complaints if not any(words in each for words in refused)] == []
    await context.close()


async def test_a_page_follows_what_happens_and_the_way_back_is_whole(console: Console) -> None:
    context = await console.context()
    page = await context.new_page()
    await page.goto(f"{console.base}/errors")
    await expect(page.locator("[data-connection]")).to_be_hidden(timeout=_PATIENCE_MS)
    connection = await asyncpg.connect(console.postgres)
    refusal = "insert into refusals (pair, system, field, reason, since_ms) values ($1, 'marketo', 'city', 'a new refusal', $2)"
    await connection.execute(refusal, console.pairs["ada"], 2_000_000_000_000)
    await expect(page.get_by_text("a new refusal").first).to_be_visible(timeout=_PATIENCE_MS)
    await page.get_by_role("link", name="Ada Lovelace").first.click()
    await expect(page.get_by_role("heading", name="Ada Lovelace")).to_be_visible(timeout=_PATIENCE_MS)
    await page.go_back()
    await expect(page.get_by_role("heading", level=1, name="Errors and dead letters")).to_be_visible(timeout=_PATIENCE_MS)
    await expect(page.locator("nav")).to_be_visible(timeout=_PATIENCE_MS)
    await context.route("**/live", lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_text("Reconnecting")).to_be_visible(timeout=_PATIENCE_MS)
    await connection.execute("delete from refusals where reason = 'a new refusal'")
    await context.unroute("**/live")
    await expect(page.get_by_text("Reconnecting")).to_be_hidden(timeout=_PATIENCE_MS)
    await expect(page.get_by_text("a new refusal")).to_have_count(0, timeout=_PATIENCE_MS)
    await connection.close()
    await context.close()


async def test_pages_are_read_without_javascript(console: Console) -> None:
    context = await console.context(java_script_enabled=False)
    page = await context.new_page()
    for title, path in console.pages.items():
        answer = await page.goto(console.base + path)
        assert answer is not None
        assert answer.status == 200, title
    await page.goto(f"{console.base}/rules?rules.object=lead&rules.q=title")
    rows = page.locator("section[aria-labelledby=rules] tbody tr")
    await expect(rows).to_have_count(1, timeout=_PATIENCE_MS)
    await page.get_by_role("link", name="Type").click()
    assert re.search(r"rules\.sort=type", page.url)
    await expect(rows).to_have_count(1, timeout=_PATIENCE_MS)
    await context.close()


@pytest.mark.parametrize(("title", "seen"), [("overview", ".sentence"), ("record", ".timeline")])
async def test_a_page_weighs_little(title: str, seen: str, console: Console) -> None:
    context = await console.context()
    page = await context.new_page()
    sizes: list[asyncio.Task[Any]] = []
    page.on("requestfinished", lambda asked: sizes.append(asyncio.ensure_future(asked.sizes())))
    await page.goto(console.base + console.pages[title])
    await expect(page.locator(seen)).to_be_visible(timeout=_PATIENCE_MS)
    told = await asyncio.gather(*sizes)
    assert sum(each["responseBodySize"] for each in told) <= 150_000
    await context.close()
