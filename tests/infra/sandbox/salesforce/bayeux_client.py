"""A CometD client in plain aiohttp, as small as the protocol allows: it remembers nothing for the server's mistakes to hide behind."""

from __future__ import annotations

import itertools
from typing import Any

import aiohttp

from tests.infra.sandbox.salesforce.conftest import Client

DEADLINE_SECONDS = 10.0


class Stream:
    def __init__(self, org: Client, scheme: str = "Bearer", version: str = "66.0") -> None:
        self.url = f"{org.url}/cometd/{version}" if version else f"{org.url}/cometd"
        self.headers = {"Authorization": f"{scheme} {org.token}"} if org.token else {}
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DEADLINE_SECONDS))
        self.client_id = ""
        self.replay_id = -1
        self._numbers = itertools.count()

    async def send(self, *messages: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        body = [{"id": str(next(self._numbers)), **message} for message in messages]
        async with self.http.post(self.url, json=body, headers=self.headers, **options) as response:
            answers: list[dict[str, Any]] = await response.json()
            return answers

    async def handshake(self) -> dict[str, Any]:
        message = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
        [answer] = await self.send(message)
        self.client_id = answer.get("clientId", "")
        return answer

    async def connect(self, **more: Any) -> list[dict[str, Any]]:
        return await self.send({"channel": "/meta/connect", "clientId": self.client_id, "connectionType": "long-polling", **more})

    async def subscribe(self, channel: str, replay: int | None = None) -> dict[str, Any]:
        ext = {} if replay is None else {"ext": {"replay": {channel: replay}}}
        [answer] = await self.send({"channel": "/meta/subscribe", "clientId": self.client_id, "subscription": channel, **ext})
        return answer

    async def open(self) -> None:
        assert (await self.handshake())["successful"]
        [first] = await self.connect()
        assert first["advice"]["timeout"] == 110_000

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Connects until so many events have come."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answers = await self.connect()
            assert answers[-1]["successful"], answers
            found += [answer for answer in answers if answer["channel"].startswith("/data/")]
        return found

    async def waiting_events(self) -> list[dict[str, Any]]:
        """What is there already, without waiting."""
        answers = await self.connect(advice={"timeout": 0})
        return [answer for answer in answers if answer["channel"].startswith("/data/")]

    async def close(self) -> None:
        await self.http.close()
