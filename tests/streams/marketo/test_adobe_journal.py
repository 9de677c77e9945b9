"""Adobe's journal as a source of hints: page by page, and a gap where it doesn't hold the position any more."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from infra.ports import LOOPBACK
from streams.marketo.sources.push.hints import Hint
from streams.marketo.sources.push.journal import JournalSettings, JournalSource
from streams.wire.errors import Fatal, Gap, Retry
from streams.wire.events import Batch

JOURNAL = "/events/organizations/1/integrations/2/r"


@dataclass
class Adobe:
    """Answers in turn with `replies` (status, events, headers), then 204."""

    url: str = ""
    replies: list[tuple[int, list[dict[str, Any]], dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tokens: int = 0
    token_status: int = 200

    async def journal(self, request: web.Request) -> web.Response:
        self.asked.append((request.raw_path, dict(request.headers)))
        status, events, headers = self.replies.pop(0) if self.replies else (204, [], {"retry-after": "7"})
        link = {"Link": f'</events-fast/organizations/1/integrations/2/r?since=a%3A{len(self.asked)}>; rel="next"'}
        shown = [{"position": str(place), "event": each} for place, each in enumerate(events)]
        return web.Response(status=status, headers={**link, **headers}, text=json.dumps({"events": shown}) if status == 200 else None)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert (form["grant_type"], form["client_secret"]) == ("client_credentials", "hush")
        self.tokens += 1
        return web.json_response({"access_token": f"t{self.tokens}", "expires_in": 86399}, status=self.token_status)


@dataclass
class Reading:
    """The source, and what it has passed on and slept."""

    adobe: Adobe
    source: JournalSource
    passed: list[Hint] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    async def batches(self, count: int, position: str | None = None) -> list[Batch]:
        found: list[Batch] = []
        async with aclosing(self.source.batches(position)) as batches:
            async for batch in batches:
                found.append(batch)
                if len(found) == count:
                    break
        return found


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    adobe, app = Adobe(), web.Application()
    app.router.add_get("/{tail:events.*}", adobe.journal)
    app.router.add_post("/ims/token/v3", adobe.token)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    adobe.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    settings = JournalSettings(
        url=adobe.url + JOURNAL,
        token_url=f"{adobe.url}/ims/token/v3",
        client_id="us",
        client_secret="hush",
        organisation="1@AdobeOrg",
        munchkin_id="123-ABC-456",
    )
    async with aiohttp.ClientSession() as http:
        passed: list[Hint] = []
        slept: list[float] = []

        async def pass_on(hints: Sequence[Hint]) -> None:
            passed.extend(hints)

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        yield Reading(adobe, JournalSource(http, settings, pass_on, sleep=sleep, now_ms=lambda: 1_000_000), passed, slept)
    await runner.cleanup()


def event(lead: int, munchkin: str = "123-ABC-456") -> dict[str, Any]:
    return {"id": f"g{lead}", "recipientclientid": "us", "data": {"munchkinId": munchkin, "leadId": str(lead), "activityTypeId": 13}}


async def test_it_begins_with_what_is_new_and_follows_the_links_as_they_are(reading: Reading) -> None:
    reading.adobe.replies += [(200, [event(1), event(2, "999-ZZZ-999")], {}), (200, [event(3)], {})]
    batches = await reading.batches(3)
    assert reading.passed == [Hint("1", "g1"), Hint("3", "g3")]
    assert [path for path, _ in reading.adobe.asked] == [
        f"{JOURNAL}?latest=true",
        "/events-fast/organizations/1/integrations/2/r?since=a%3A1",
        "/events-fast/organizations/1/integrations/2/r?since=a%3A2",
    ]
    assert ([batch.events for batch in batches], [batch.caught_up for batch in batches]) == ([[], [], []], [False, False, True])
    headers = reading.adobe.asked[0][1]
    assert (headers["Authorization"], headers["x-api-key"], headers["x-ims-org-id"]) == ("Bearer t1", "us", "1@AdobeOrg")
    assert reading.adobe.tokens == 1


async def test_it_goes_on_where_it_was_and_rests_as_it_is_told(reading: Reading) -> None:
    (batch,) = await reading.batches(1)
    await reading.batches(2, batch.position)
    assert reading.adobe.asked[1][0].endswith("?since=a%3A1")
    assert reading.slept == [7.0]


async def test_a_position_that_is_not_held_any_more_is_a_gap_and_new_things_come_after_it(reading: Reading) -> None:
    (batch,) = await reading.batches(1)
    reading.adobe.replies.append((410, [], {}))
    with pytest.raises(Gap, match="410") as gap:
        await reading.batches(1, batch.position)
    assert gap.value.since_ms == 1_000_000 - 60_000
    await reading.batches(1, gap.value.resume)
    assert reading.adobe.asked[-1][0] == f"{JOURNAL}?latest=true"


@pytest.mark.parametrize("position", ["what", '{"url":"http://evil.example/","at":5,"journal":"http://evil.example/"}'])
async def test_a_position_of_another_journal_is_a_gap_and_nobody_else_sees_the_token(reading: Reading, position: str) -> None:
    with pytest.raises(Gap):
        await reading.batches(1, position)
    assert reading.adobe.asked == []


async def test_a_link_that_leads_elsewhere_is_not_followed(reading: Reading) -> None:
    reading.adobe.replies.append((200, [], {"Link": '<http://evil.example/x>; rel="next"'}))
    with pytest.raises(Retry):
        await reading.batches(2)
    assert len(reading.adobe.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, Retry), (429, Retry), (500, Retry), (503, Retry), (403, Fatal), (404, Fatal), (400, Fatal)]
)
async def test_what_a_refusal_means(reading: Reading, status: int, error: type[Exception]) -> None:
    reading.adobe.replies.append((status, [], {}))
    with pytest.raises(error) as refused:
        await reading.batches(1)
    assert "hush" not in str(refused.value)
    await reading.batches(1)
    assert reading.adobe.tokens == (2 if status == 401 else 1)


async def test_refused_credentials_are_for_a_person(reading: Reading) -> None:
    reading.adobe.token_status = 400
    with pytest.raises(Fatal) as refused:
        await reading.batches(1)
    assert "hush" not in str(refused.value)
