"""The page of a record: how it stood, without what is personal unless somebody has said why."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

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
