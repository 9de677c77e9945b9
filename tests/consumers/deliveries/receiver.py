"""A receiver of webhooks that keeps what it gets, checks each signature with its own library, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook

from infra.ports import free_port

DEADLINE_SECONDS = 180.0


@dataclass(slots=True)
class Receiver:
    """`taken`: what it has answered with 2xx, as (webhook-id, body); `refused`: webhook-ids that it has not."""

    url: str
    secrets: list[str] = field(default_factory=list)
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answer: Callable[["Receiver"], int] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def titles(self) -> list[str]:
        """The titles of changes, as they came."""
        return [str(body["data"]["fields"]["Title"]) for _, body in self.taken if body.get("data", {}).get("fields")]

    async def call(self, request: web.Request) -> web.Response:
        """One call. Before it knows the secret it takes none."""
        if not self.secrets:
            return web.Response(status=503)
        raw = await request.text()
        body = [Webhook(each).verify(raw, dict(request.headers)) for each in self.secrets][-1]
        identity, status = request.headers["webhook-id"], self.answer(self)
        if 200 <= status < 300:
            self.taken.append((identity, body))
        else:
            self.refused.append(identity)
        self.heard.set()
        return web.Response(status=status, headers=self.headers)

    async def until(self, come: Callable[["Receiver"], bool]) -> None:
        """Wait for it. Raises `TimeoutError`."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not come(self):
                self.heard.clear()
                await self.heard.wait()


@asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """One that listens."""
    port = port or free_port()
    told = Receiver(url=f"http://127.0.0.1:{port}/hook?token=hidden")
    app = web.Application()
    app.router.add_post("/hook", told.call)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield told
    finally:
        await runner.cleanup()
