"""A whole stack on the sandbox that is told of changes in Marketo: by a webhook, by signed calls of the data stream, by its journal.

Without being told it would look every half hour.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import yaml

from infra.ports import free_port
from infra.stack.stack import CONFIG, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import Both, tandem, until

pytestmark = pytest.mark.integration

SELDOM = "intervals:\n  activities_min: 30m\n  activities_max: 30m\n"
ROLES = tuple(part for role in ("relay", "observe", "settle", "intake") for part in ("--role", role))
"""No poll beside."""
BEGUN = "select source from source_positions where position is not null and source ="
CLIENT, MUNCHKIN = "adobe-client", "123-ABC-456"


class Told(Both):
    """Both systems, and how Tandem is told."""

    def __init__(self, stack: Stack, http: aiohttp.ClientSession, port: int, secret: str) -> None:
        super().__init__(stack, http)
        self.port, self.secret = port, secret

    async def begun(self) -> None:
        """Changes from now on are in what the source is going to read."""
        await until(
            lambda: self.asked("select source from source_positions where position is not null and source = 'marketo.activities'"), "begun"
        )

    async def asked(self, query: str) -> list[str]:
        connection = await asyncpg.connect(self.stack.dsn())
        try:
            return [str(row[0]) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def webhook(self, name: str, secret: str) -> int:
        """What an administrator of Marketo sets up; the campaign."""
        url, payload = f"http://127.0.0.1:{self.port}/marketo/webhook", '{"leadId": {{lead.Id}}}'
        hook = await self.does("marketo/webhook/create", name=name, url=url, payload=payload, headers={"x-tandem-secret": secret})
        steps = [{"type": "webhook", "webhook": hook["id"]}]
        return int((await self.does("marketo/campaign/create", name=name, on="person_created", steps=steps))["id"])

    async def qualifies(self, name: str) -> None:
        """A new person of Marketo's, who is to reach Salesforce."""
        fields = {"lastName": name, "email": f"{name.lower()}@example.com", "company": "Acme", "leadScore": 60}
        await self.does("marketo/person/create", fields=fields)

    async def arrives(self, name: str) -> None:
        async def there() -> bool:
            return any(row.get("LastName") == name for row in (await self.rows("salesforce/Lead")).values())

        await until(there, f"a lead {name}")


@asynccontextmanager
async def told(home: Path, pushes: Callable[[Told], Awaitable[dict[str, Any]]]) -> AsyncIterator[Told]:
    """A stack whose section `pushes` is made once the sandbox is there."""
    config, run, secret = home / "tandem.yaml", home / "run", secrets.token_hex(16)
    (home / "secret").write_text(secret)
    grounds = Stack(run, parts={"sandbox"})
    try:
        await grounds.up()
        async with aiohttp.ClientSession() as http:
            both = Told(Stack(run, workers=(Worker(arguments=ROLES),), config=config), http, free_port(), secret)
            marketo = grounds.endpoints()["marketo"]["url"]
            adobe = {"login_url": f"{marketo}/ims/token/v3", "keys_url": marketo, "validation_url": f"{marketo}/csm/registrations/validate"}
            section = {"port": both.port, "munchkin_id": MUNCHKIN, "adobe_client_id": CLIENT, **adobe, **await pushes(both)}
            config.write_text(CONFIG.read_text().replace("intervals:\n", SELDOM) + yaml.safe_dump({"pushes": section}))
            async with both.stack:
                await both.begun()
                yield both
                logs = "".join(file.read_text() for file in (run / "logs").glob("tandem*.log"))
                assert not [word for word in (secret, "example.com") if word in logs]
    finally:
        await Stack(run, config=config).clean()


async def test_calls_of_webhooks_and_of_the_data_stream_tell(tmp_path: Path) -> None:
    async def by_calls(_: Told) -> dict[str, Any]:
        return {"webhook_secret": {"file": str(tmp_path / "secret")}, "data_stream": "webhook"}

    async with told(tmp_path, by_calls) as both:
        await by_webhook(both)
        await by_data_stream(both)


@pytest.mark.slow
async def test_the_journal_tells(tmp_path: Path) -> None:
    async def by_journal(both: Told) -> dict[str, Any]:
        made = await both.does("marketo/stream/create", client_id=CLIENT, client_secret=both.secret)
        project = {"adobe_client_secret": {"file": str(tmp_path / "secret")}, "adobe_organisation": "1@AdobeOrg"}
        return {"data_stream": "journal", "journal_url": made["journal"], **project}

    async with told(tmp_path, by_journal) as both:
        await journalled(both)


async def by_webhook(both: Told) -> None:
    """One with another secret tells nothing; the answer says so in Marketo."""
    wrong = await both.webhook("Wrong", "another")
    await both.qualifies("Unheard")
    await until(lambda: refused(both), "the webhook is refused")
    await both.does("marketo/campaign/active", id=wrong, active=False)
    right = await both.webhook("Right", both.secret)
    await both.qualifies("Webhooked")
    await both.arrives("Webhooked")
    await both.arrives("Unheard")
    await both.does("marketo/campaign/active", id=right, active=False)


async def refused(both: Told) -> bool:
    return 'outcome="refused",source="webhook"} 1.0' in await both.metrics()


async def by_data_stream(both: Told) -> None:
    """Of another instance, or wrongly signed: nothing; the next one is taken."""
    stream = await both.does("marketo/stream/create", client_id=CLIENT, url=f"http://127.0.0.1:{both.port}/adobe/events")
    assert stream["status"] == "ACTIVE", "the challenge was answered"
    path = f"/events/{stream['id']}"
    for fault, outcome in (("stream_foreign", "other_instance"), ("stream_bad_signature", "refused")):
        await both.does("faults", system="marketo", match={"path": path}, action={"type": fault}, times=1)
        await both.qualifies(f"Not{fault[7:]}")

        async def met(words: str = f'outcome="{outcome}",source="data_stream"}} 1.0') -> bool:
            return words in await both.metrics()

        await until(met, outcome)
    await both.qualifies("Streamed")
    await both.arrives("Streamed")
    await both.arrives("Notforeign")


async def journalled(both: Told) -> None:
    """It is read, and once it doesn't hold the position any more that is a gap, for all to see in `tandem status`."""
    await until(
        lambda: both.asked("select source from source_positions where position is not null and source = 'marketo.journal'"), "begun"
    )
    await both.qualifies("Journalled")
    await both.arrives("Journalled")
    await both.stack.stop("tandem")
    await both.does("clock", advance_seconds=8 * 86_400)
    await both.stack.start("tandem")
    await until(lambda: both.asked("select reason from gaps where source = 'marketo.journal' and reason like '%410%'"), "the gap is opened")
    code, said = await tandem(both, "status")
    assert (code != 0, "(410)" in said) == (True, True), said
