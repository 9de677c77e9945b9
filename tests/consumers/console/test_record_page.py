"""The page of a record: how it stood, without what is personal unless somebody has said why; and what a person does with it."""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from consumers.console.pages import deciding, matching, onerecord
from consumers.desk.doing import Outcome
from consumers.desk.forcing import Forced, Forcing
from tests.consumers.console.served import Browser, served, settings_on
from tests.consumers.console.troubled import CANARY, fill

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


async def test_the_candidates_of_an_ambiguous_match_stand_beside_it(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str, bool]] = []

    async def chosen_match(_settings: Any, name: str, candidate: str, *, who: str, apply: bool) -> list[Outcome]:
        asked.append((name, candidate, apply))
        assert who == "link:ann"
        return [Outcome(what=name, pair=signed.pairs["twin 1005"], record="1005", steps=("they are one",))]

    monkeypatch.setattr(matching, "chosen_match", chosen_match)
    assert "Choose whom it is" in await signed.page("/record/{held}")
    masked = await signed.page("/match/{held}")
    assert ("1005" in masked, "1006" in masked, "Doctor" in masked) == (True, True, False)
    await signed.act("/reveal", why="a question", to="/")
    assert "Doctor" in await signed.page("/match/{held}")
    one = str(signed.pairs["twin 1005"])
    _, plan, _ = await signed.act("/match/{held}", **{"with": one})
    assert ("they are one" in plan, asked[-1][2]) == (True, False)
    status, _, there = await signed.act("/match/{held}", **{"with": one}, apply="1", why="her passport")
    assert (status, there) == (303, f"/record/{one}")
    assert asked[-1] == (f"pair:{signed.pairs['held']}", f"pair:{one}", True)
    assert json.loads(await signed.page("/api/v1/audit-log"))[0]["act"] == "holds resolve"
    assert "does not wait" in await signed.page("/match/{ada}", status=404)


async def test_a_choice_is_made_for_all_like_it_and_shown_as_a_rule(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, str, bool]] = []

    async def resolved(_settings: Any, chosen: Any, field: str, take: Any, *, who: str, apply: bool, reason: str) -> list[Outcome]:
        asked.append((chosen.cause or list(chosen.names), f"{field} {take.side} {who} {reason}", apply))
        return [Outcome(what="pair 1", pair=1, steps=("title is 'Matron' on both sides",))]

    monkeypatch.setattr(deciding, "resolved", resolved)
    _, page, _ = await signed.act("/conflict/{similar}/title", take="salesforce")
    assert "title: {rule: salesforce}" in page
    assert "for all 2" in page
    like = {"take": "salesforce", "why": "the board"}
    _, plan, _ = await signed.act("/conflicts/similar/{similar}/title", take="salesforce")
    assert ("Matron" in plan, asked[-1][2]) == (False, False), "it is masked, and nothing is done"
    assert (await signed.act("/conflicts/similar/{similar}/title", **like, apply="1", typed="phone"))[0] == 400
    assert asked[-1][2] is False
    assert (await signed.act("/conflicts/similar/{similar}/title", **like, apply="1", typed="title"))[0] == 200
    assert asked[-1] == ("review", "title salesforce link:ann the board", True)


async def test_a_support_bundle_holds_all_of_a_record_and_no_secret(signed: Signed, tmp_path: Path) -> None:
    async def bundle() -> dict[str, str]:
        base = signed.browser.base
        async with signed.browser.http.get(f"{base}/bundle/{signed.pairs['ada']}.zip") as answer:
            assert (answer.status, answer.content_type) == (200, "application/zip")
            with zipfile.ZipFile(io.BytesIO(await answer.read())) as archive:
                return {name: archive.read(name).decode() for name in archive.namelist()}

    masked = await bundle()
    assert masked.keys() == {
        "README.txt", "record.json", "explanation.json", "timeline.json", "decisions.json", "exchanges.json", "configuration.json",
        "versions.json",
    }  # fmt: skip
    whole = "".join(masked.values())
    assert [each for each in ("Countess", "Lovelace", "ada@example.com", CANARY) if each in whole] == []
    assert "00Q000000000001EAA" in masked["record.json"]
    assert {each["kind"] for each in json.loads(masked["decisions.json"])} == {"judged", "written"}
    dsn = signed.browser.settings.postgres.dsn.reveal()
    assert dsn not in whole
    assert (urlsplit(dsn).password or "no password") not in whole
    await signed.act("/reveal", why="a question", to="/")
    revealed = await bundle()
    assert ("Countess" in revealed["decisions.json"], "NOT MASKED" in revealed["README.txt"]) == (True, True)
    assert dsn not in "".join(revealed.values())
    assert json.loads(await signed.page("/api/v1/audit-log"))[0]["act"] == "reveal"
