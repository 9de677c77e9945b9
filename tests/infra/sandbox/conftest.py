"""The sandbox as its users start it: `python -m infra.sandbox`, stopped by SIGTERM."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.infra.sandbox.conformance import conformance

__all__ = ["conformance"]  # a fixture of every test here

_START_SECONDS = 60.0


@dataclass
class Sandbox:
    process: asyncio.subprocess.Process
    endpoints: dict[str, Any]
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return str(self.endpoints["sandbox"]["url"])

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.url}{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)

    async def lines(self, path: str) -> list[dict[str, Any]]:
        async with self.http.get(f"{self.url}{path}") as answer:
            assert answer.status == 200, await answer.text()
            return [json.loads(line) for line in (await answer.read()).splitlines()]

    async def post(self, path: str, body: Any, *, status: int = 200) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(f"{self.url}{path}", data=data) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json(content_type=None)


@asynccontextmanager
async def started(data: Path, *options: str) -> AsyncIterator[Sandbox]:
    """A running sandbox; at the end it must stop in order."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.sandbox", "--data", str(data), *options), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        endpoints = json.loads(Path(os.fsdecode(line.strip())).read_bytes())
        async with aiohttp.ClientSession() as http:
            yield Sandbox(process, endpoints, http)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), 30)
    assert code == 0


@pytest.fixture
def start() -> Callable[..., AbstractAsyncContextManager[Sandbox]]:
    """Starts a sandbox on a data folder with options."""
    return started


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]:
    """Waits until what a function asks for comes back true; TimeoutError after a minute."""

    async def wait(condition: Callable[[], Awaitable[object]]) -> None:
        async with asyncio.timeout(60):
            while not await condition():
                await asyncio.sleep(0.02)

    return wait


@pytest.fixture
async def marketo_only(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with started(tmp_path / "sandbox", "--only", "marketo") as sandbox:
        yield sandbox
