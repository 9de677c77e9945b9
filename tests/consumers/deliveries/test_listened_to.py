"""A delivery listened to over the HTTP API: what is kept, then what comes, cut off and gone on with, masked unless an operator asks."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from consumers.answers.logs.delivering import Asked, create, delivery_of, pause
from consumers.audit_log.deeds import deeds
from consumers.configuration.loading import Settings
from consumers.console.access.roles import Role
from consumers.deliveries.delivery import Way, places_of
from consumers.subscriptions.masking import MASK
from tests.consumers.console.served import Browser, served, settings_on
from tests.consumers.deliveries.receiver import DEADLINE_SECONDS
from tests.consumers.deliveries.test_webhooks_delivered import Ground, ground

pytestmark = pytest.mark.integration
__all__ = ["ground"]

PATH = "/api/v1/deliveries/board/events"


async def heard(browser: Browser, role: Role, *, after: str = "", query: str = "") -> AsyncGenerator[tuple[str, str, Any]]:
    """Events as the standard says that they are read: name, last id, data."""
    headers = {"authorization": f"Bearer {role}"} | ({"last-event-id": after} if after else {})
    async with browser.http.get(f"{browser.base}{PATH}{query}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        event, identity, data = "message", after, list[str]()
        async for raw in answer.content:
            line = raw.decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if not line:
                if data:
                    yield event, identity, json.loads("\n".join(data))
                event, data = "message", []
            elif name == "id":
                identity = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)


async def some(browser: Browser, count: int, role: Role = Role.VIEWER, **told: str) -> list[tuple[str, str, Any]]:
    """The next so many; then the connection is cut."""
    found: list[tuple[str, str, Any]] = []
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing(heard(browser, role, **told)) as read:
        async for each in read:
            found.append(each)
            if len(found) == count:
                break
    return found


def numbers(found: list[tuple[str, str, Any]]) -> list[int]:
    return [each["data"].get("seq", 0) for _, _, each in found]


@pytest.fixture
async def settings(ground: Ground, tmp_path: Path) -> Settings:
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("\n".join(f"{role} {role} {hashlib.sha256(str(role).encode()).hexdigest()}" for role in Role))
    told = settings_on(ground.dsn, tmp_path, kafka=ground.kafka.bootstrap, tokens=str(tokens))
    asked = Asked(
        name="board", topic="salesforce.lead", way=Way.EVENTS, kinds=["Updated"], since_ms=round(time.time() * 1000), fields=["Title"]
    )  # fmt: skip
    connection = await asyncpg.connect(ground.dsn)
    try:
        await create(told, asked, who="ann")
        await connection.execute(
            "update deliveries set choice = choice || jsonb_build_object('records', $1::text[])", ground.records
        )  # fmt: skip
    finally:
        await connection.close()
    return told


async def test_cut_off_again_and_again_it_goes_on_without_a_hole(ground: Ground, settings: Settings) -> None:
    await ground.publish(20)
    async with served(settings) as browser:
        first = await some(browser, 12)
        assert all(event == "message" for event, _, _ in first)
        assert {each["data"]["fields"]["Title"] for _, _, each in first} == {f"0{MASK}"}
        await ground.publish(15)
        second = await some(browser, 20, after=first[-1][1])
        third = await some(browser, 3, after=second[-1][1])
        assert sorted(numbers(first + second + third)) == list(range(35))
        kept = await delivery_of(settings, "board")
        assert kept.places == places_of(second[-1][1]), "what a listener says that it has is where another begins"
        assert numbers(await some(browser, 3)) == numbers(third)


async def test_values_are_shown_to_an_operator_who_asks_and_that_is_written_down(ground: Ground, settings: Settings) -> None:
    await ground.publish(1)
    async with served(settings) as browser:
        status, text, _ = await browser.get(f"{PATH}?reveal=1", authorization=f"Bearer {Role.VIEWER}")
        assert status == 403, text
        [(_, _, told)] = await some(browser, 1, Role.OPERATOR, query="?reveal=1")
        assert told["data"]["fields"] == {"Title": "00000"}
    found = await deeds(ground.connection, act="reveal", most=10)
    assert [(each.who, each.what["path"]) for each in found] == [("program:operator", PATH)]


async def test_what_can_not_be_listened_to_is_said(ground: Ground, settings: Settings) -> None:
    viewer = {"authorization": f"Bearer {Role.VIEWER}"}
    async with served(settings) as browser:
        for path, headers, code in (
            (PATH, {}, 401),
            (PATH.replace("board", "nobody"), viewer, 404),
            (PATH, {**viewer, "last-event-id": "12"}, 409),
        ):
            status, text, _ = await browser.get(path, **headers)
            assert status == code, text
        await pause(settings, "board", who="ann", why="a release")
        status, text, _ = await browser.get(PATH, **viewer)
        assert status == 409
        assert "a release" in text
