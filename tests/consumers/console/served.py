"""A console for a test: served on a port of its own, in the test's own loop, on the test's database."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import uvicorn
import yaml

from consumers.configuration.loading import Settings, load
from consumers.console.app import application
from consumers.console.ground import grounded
from consumers.console.serving import link_of
from infra.ports import free_port
from tests.consumers.reports.test_reports_on_postgres import add_pair

DEADLINE_SECONDS = 60.0
SALESFORCE_ID = "00QA0000001tXYZMA2"


def settings_on(postgres: str, folder: Path, *, kafka: str = "127.0.0.1:1", **console: Any) -> Settings:
    """Settings of a console on that database; both systems are away, and Kafka, unless it is given."""
    system = {"client_id": "x", "client_secret": {"env": "SECRET"}}
    told = {
        "salesforce": {"url": "https://a.my.salesforce.com", **system},
        "marketo": {"url": "http://127.0.0.1:1", **system},
        "kafka": {"bootstrap_servers": kafka},
        "postgres": {"dsn": {"env": "PG"}},
        "console": {"port": free_port(), **console},
    }
    file = folder / "tandem.yaml"
    file.write_text(yaml.safe_dump(told))
    return load(file, {"SECRET": "x", "PG": postgres})


class Browser:
    """Somebody's requests: cookies are kept, redirects are not followed."""

    def __init__(self, http: aiohttp.ClientSession, settings: Settings) -> None:
        self.http, self.settings = http, settings
        self.base = f"http://localhost:{settings.console.port}"

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        """Status, text, headers."""
        async with self.http.get(f"{self.base}{path}", headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(self, path: str, form: dict[str, str], **headers: str) -> tuple[int, str, Any]:
        """The same, of a form; from a page of the console unless the headers say otherwise."""
        told = {"origin": self.base, **headers}
        async with self.http.post(f"{self.base}{path}", data=form, headers=told, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers

    async def sign_in(self) -> str:
        """By a one-time link. The key of this session's forms."""
        link = (await link_of(self.settings, "ann")).split("link=")[1]
        status, text, _ = await self.post("/sign-in", {"link": link})
        assert status == 303, text
        return await self.form_key()

    async def form_key(self) -> str:
        """As a page holds it."""
        _, page, _ = await self.get("/record")
        found = re.search(r'name="form_key" value="(\w+)"', page)
        assert found is not None, page
        return found[1]


@asynccontextmanager
async def served(settings: Settings, *, file: Path | None = None) -> AsyncIterator[Browser]:
    """A console that runs, and a browser that has not signed in."""
    async with grounded(settings, file) as ground:
        config = uvicorn.Config(application(ground), host="127.0.0.1", port=settings.console.port, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(server._serve())
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while not server.started:
                    assert not task.done(), task
                    await asyncio.sleep(0.01)
            async with aiohttp.ClientSession() as http:
                yield Browser(http, settings)
        finally:
            server.should_exit = True
            server.force_exit = True
            await task


async def add_ada(postgres: str, **fields: Any) -> int:
    """Somebody on both sides, with these values."""
    from consumers.merge.pair.state import Field, Side  # noqa: PLC0415 - for this alone

    told = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Lovelace", "title": "Countess"} | fields
    connection = await asyncpg.connect(postgres)
    try:
        return await add_pair(
            connection,
            salesforce=SALESFORCE_ID,
            marketo="1001",
            email="ada@example.com",
            fields={
                key: Field(value=value, version=1, salesforce=Side(seen=value, shows=1), marketo=Side(seen=value, shows=1))
                for key, value in told.items()
            },
        )
    finally:
        await connection.close()
