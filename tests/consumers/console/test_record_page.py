"""The page of a record: how it stood, without what is personal unless somebody has said why; and what a person does with it."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumers.console.pages import onerecord
from consumers.desk.doing import Outcome
from consumers.desk.forcing import Forced, Forcing
from tests.consumers.console.served import Browser, served, settings_on
from tests.consumers.console.troubled import fill

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Signed:
    """A browser of an administrator, on a ledger in which something of everything has happened."""

    browser: Browser
    key: str
    pairs: dict[str, int]

    async def page(self, path: str, *, status: int = 200) -> str:
        """Its text; `{ada}` stands for a pair."""
        found, text, _ = await self.browser.get(path.format(**self.pairs))
        assert found == status, text
        return text

    async def act(self, path: str, **form: str) -> tuple[int, str, str]:
        """Status, text, and where it leads."""
        status, text, headers = await self.browser.post(path.format(**self.pairs), {"form_key": self.key, **form})
        return status, text, headers.get("location", "")


@pytest.fixture
async def signed(postgres: str, tmp_path: Path) -> AsyncIterator[Signed]:
    pairs = await fill(postgres)
    async with served(settings_on(postgres, tmp_path)) as browser:
        yield Signed(browser, await browser.sign_in(), pairs)


async def test_how_it_stood_and_what_has_changed_since(signed: Signed) -> None:
    masked = await signed.page("/record/{ada}?at=1h")
    assert "things have changed since" in masked
    assert "Lady" not in masked
    assert (await signed.act("/reveal", why="a question", to="/"))[0] == 303
    told = (await signed.page("/record/{ada}?at=1h")).split('id="then"')[1].split('id="timeline"')[0]
    assert "Lady" in told
    assert "Countess" in told
    assert "Marketo: 1001" in told
    assert "Nothing has changed since" in await signed.page("/record/{ada}?at=1s")
    assert "Nothing was known of it" in await signed.page("/record/{ada}?at=9h")
    for nonsense in ("yesterday", "99999999d", "9" * 400 + "d", "0001-01-01"):
        assert "is no moment" in await signed.page(f"/record/{{ada}}?at={nonsense}", status=400)


async def test_a_record_is_held_by_somebody_who_says_why_and_let_go_on(signed: Signed) -> None:
    assert (await signed.act("/hold/{ada}", why=" "))[0] == 400
    assert (await signed.act("/hold/{ada}", why="her lawyer has asked"))[2] == f"/record/{signed.pairs['ada']}"
    page = await signed.page("/record/{ada}")
    assert "her lawyer has asked" in page
    assert "Hold this record" not in page
    why = await signed.page("/record/{ada}/phone")
    assert "it waits, for writing of pair:" in why
    assert "to Marketo is paused (by link:ann: her lawyer has asked)" in why
    assert "is paused" not in await signed.page("/record/{ada}/title"), "nothing of that field waits"
    await signed.act("/release/{ada}")
    assert "her lawyer has asked" not in await signed.page("/record/{ada}")
    assert [deed["act"] for deed in json.loads(await signed.page("/api/v1/audit-log"))][:3] == ["resume", "pause", "sign-in"]


async def test_a_record_is_forced_once_the_other_one_was_typed(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Any, bool]] = []
    title = Forced(field="title", value="Countess", agreed="Lady", instead="Lady")
    website = Forced(field="website", value=None, agreed=None, instead="x", why="it never flows to marketo")

    async def forced(_settings: Any, name: str, source: Any, fields: Any, *, who: str, apply: bool, reason: str) -> Forcing:
        asked.append((name, (source, tuple(fields), who, reason), apply))
        return Forcing(source=source, fields=(title, website), outcome=Outcome(what=name, steps=("title is 'Countess' on both sides",)))

    monkeypatch.setattr(onerecord, "forced", forced)
    status, plan, _ = await signed.act("/force/{ada}", **{"from": "salesforce"})
    assert (status, asked[-1][2]) == (200, False)
    assert re.findall(r'name="(field\.\w+)"', plan) == ["field.title"], "what can't be forced is not offered"
    assert ("Countess" in plan, "It never flows" in plan or "it never flows" in plan) == (False, True), "it is masked"
    form = {"from": "salesforce", "field.title": "1", "why": "she said so", "apply": "1"}
    assert (await signed.act("/force/{ada}", **form, typed="1002"))[0] == 400
    assert asked[-1][2] is False
    status, done, _ = await signed.act("/force/{ada}", **form, typed="1001")
    assert (status, "Forced from Salesforce" in done) == (200, True)
    assert asked[-1] == (f"pair:{signed.pairs['ada']}", ("salesforce", ("title",), "link:ann", "she said so"), True)
    assert json.loads(await signed.page("/api/v1/audit-log"))[0]["act"] == "force"
    assert (await signed.act("/force/{ada}", **{"from": "nowhere"}))[0] == 400
    assert (await signed.act("/force/999999", **{"from": "marketo"}))[0] == 404


async def test_systems_that_are_away_are_said(signed: Signed) -> None:
    status, page, _ = await signed.act("/force/{ada}", **{"from": "salesforce"})
    assert (status, "This page can't be shown" in page) == (503, True)
