"""The pictures of the README, of what `make demo ARGS=--keep` has left running: `make pictures`. Without a demo nothing is done."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Page, async_playwright, expect

from consumers.answers.looking.ledger import records_of
from consumers.answers.looking.timelines import timeline_of
from consumers.configuration.loading import Settings, load
from consumers.console.serving import address, link_of
from consumers.reports.records.timeline import Cause
from infra.setup.found import ROOT
from infra.stack.stack import Stack
from tests.consumers.console.test_console_in_chromium import chromium_of

DEMO = os.environ.get("TANDEM_DEMO", "")
PICTURES = ROOT / "infra" / "docs" / "pictures"
_BYTES_MAX = 200_000
_LOOKED_AT = 120
_LATIN = 0x2100
"""Beyond are letters for which not every machine has a font."""
_PEOPLE = "select id from pairs where not gone and marketo_id ~ '^[0-9]+$' and salesforce_id ~ '^00[Q3]' order by id limit $1"
pytestmark = [pytest.mark.integration, pytest.mark.skipif(not DEMO, reason="TANDEM_DEMO names no demo that was kept")]


async def test_the_pictures_of_the_readme() -> None:
    folder = Path(DEMO).resolve()
    stack = Stack(folder, config=folder / "tandem.yaml", console=True)
    settings = load(folder / "tandem.yaml", {**os.environ, **stack.told(), "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"})
    pair, base = await _with_a_story(settings), address(settings.console)
    PICTURES.mkdir(exist_ok=True)
    async with async_playwright() as playwright, chromium_of(playwright) as browser:
        context = await browser.new_context(color_scheme="light")
        page = await context.new_page()
        await page.goto(await link_of(settings, "ann"))
        await page.get_by_role("button", name="Open the console").click()
        await page.get_by_text("Show personal data").click()
        await page.get_by_label("Why?").fill("pictures for the README")
        await page.get_by_role("button", name="Show for 15 minutes").click()
        await expect(page.get_by_text("Personal data is shown.")).to_be_visible()
        await page.goto(base)
        await expect(page.locator(".sentence")).to_contain_text(re.compile("pairs|people|in step", re.IGNORECASE))
        await expect(page.locator(".plot canvas").first).to_be_visible()
        await _picture(page, "overview", 1_300)
        await page.goto(f"{base}/record/{pair}")
        await _picture(page, "record", 1_180)


async def _picture(page: Page, name: str, height: int) -> None:
    file = PICTURES / f"{name}.png"
    await page.set_viewport_size({"width": 1280, "height": height})
    await page.screenshot(path=file, caret="initial")
    assert file.stat().st_size < _BYTES_MAX, f"{file} is {file.stat().st_size:,} bytes"


async def _with_a_story(settings: Settings) -> int:
    """A person of whom both sides were edited: the one with the most conflicts that a rule has decided, of the first hundred."""
    connection: Any = await asyncpg.connect(settings.postgres.dsn.reveal())
    try:
        people = [row["id"] for row in await connection.fetch(_PEOPLE, _LOOKED_AT)]
    finally:
        await connection.close()
    told: dict[int, Sequence[Cause]] = {}
    for pair in people:
        (record,), _ = await records_of(settings, f"pair:{pair}", live=False)
        values = "".join(str(each.agreed) for each in record.fields) + record.salesforce_note + record.marketo_note
        if "deleted" not in values and all(ord(letter) < _LATIN for letter in values):
            told[pair] = await timeline_of(settings, pair)
    return max(told, key=lambda pair: _told(told[pair]))


def _told(causes: Sequence[Cause]) -> int:
    """How much there is to see: what a rule has decided counts more, and what many fonts lack not at all."""
    lines = [line for cause in causes[:6] if not cause.quiet for line in cause.lines]
    if any(ord(letter) >= _LATIN and letter not in "“”" for line in lines for letter in line.plain):
        return 0
    return sum(3 if "stands" in line.plain else 1 for line in lines)
