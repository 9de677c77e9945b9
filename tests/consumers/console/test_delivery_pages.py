"""Deliveries in the browser: begun, paused, set back, ended, each written down with its reason, by those who may."""

import re
from pathlib import Path

import pytest

from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from streams.wire.topics import all_topics
from tests.consumers.console.served import served, settings_on
from tests.consumers.console.test_doors import deeds, user_file

pytestmark = pytest.mark.integration


async def test_a_delivery_is_begun_looked_after_and_ended(postgres: str, tmp_path: Path, kafka_broker: Broker) -> None:
    await ensure_topics(kafka_broker.bootstrap, all_topics(()))
    async with served(settings_on(postgres, tmp_path, kafka=kafka_broker.bootstrap)) as browser:
        key = await browser.sign_in()
        assert 'href="/deliveries"' in (await browser.get("/streams"))[1]
        wish = {"form_key": key, "name": "billing", "topic": "decisions", "url": "https://hooks.example.com/x?key=private", "since": "now"}
        assert (await browser.post("/deliveries", wish))[0] == 400, "without a reason"
        status, page, _ = await browser.post("/deliveries", {**wish, "why": "invoices", "name": "No Name"})
        assert (status, "no name of a delivery" in page) == (400, True)
        status, page, _ = await browser.post("/deliveries", {**wish, "why": "invoices"})
        secret = re.search(r"shown this once: <code>([^<]+)</code>", page)
        assert (status, secret is not None) == (200, True)
        assert secret is not None
        page = (await browser.get("/deliveries/billing"))[1]
        assert [word in page for word in (secret[1], "private", "hooks.example.com", "It is active")] == [False, False, True, True]
        assert 'href="/deliveries/billing"' in (await browser.get("/streams"))[1]
        told = {"form_key": key, "why": "their release"}
        assert (await browser.post("/deliveries/billing/pause", {"form_key": key}))[0] == 400, "without a reason"
        page = (await browser.post("/deliveries/billing/pause", told))[1]
        assert ("It is paused" in page, "their release" in page) == (True, True)
        assert "It is active" in (await browser.post("/deliveries/billing/resume", told))[1]
        assert "Its cursor is set" in (await browser.post("/deliveries/billing/rewind", {**told, "since": "all"}))[1]
        page = (await browser.post("/deliveries/billing/rotate", told))[1]
        assert secret[1] not in page
        assert "shown this once" in page
        assert (await browser.post("/deliveries/billing/delete", {**told, "typed": "bill"}))[0] == 400
        assert (await browser.post("/deliveries/billing/delete", {**told, "typed": "billing"}))[0] == 303
        assert (await browser.get("/deliveries/billing"))[0] == 404
        acts = [act.removeprefix("deliveries ") for _, act in (await deeds(postgres))[1:]]
        assert acts == ["create", "create", "pause", "resume", "rewind", "rotate", "delete"]


async def test_who_may_not_does_nothing_with_a_delivery(postgres: str, tmp_path: Path) -> None:
    async with served(settings_on(postgres, tmp_path, users=str(await user_file(tmp_path)))) as browser:
        assert (await browser.post("/sign-in", {"name": "olaf", "password": "an operator word"}))[0] == 303
        told = {"form_key": await browser.form_key(), "why": "x", "name": "a", "topic": "decisions", "typed": "a"}
        assert (await browser.post("/deliveries", told))[0] == 403
        for act in ("rotate", "rewind", "delete"):
            assert (await browser.post(f"/deliveries/a/{act}", told))[0] == 403, act
        assert (await browser.post("/deliveries/a/pause", told))[0] == 404, "he may, and there is none"
