"""Errands in the database: kept once, worked off, called back until Marketo has taken it, and let go after their time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from consumers.configuration.groups.services import FlowStepSettings
from consumers.errands.errand import ChangeOwner, Done, Failed, Later, Push
from consumers.errands.store import Asked, Callback, Store
from consumers.flowsteps.answering import Answering
from consumers.retention.tables import ERRANDS, ROWS_MAX

pytestmark = pytest.mark.integration

T = 1_700_000_000_000
MINUTE = 60_000
SETTINGS = FlowStepSettings(give_up_seconds=3_600.0)


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=4) as opened:
        yield opened


@pytest.fixture
def store(pool: Any) -> Store:
    return Store(pool)


class Marketo:
    """Takes callbacks; answers with `answers` in turn, then 200."""

    def __init__(self) -> None:
        self.url, self.answers, self.calls = "", list[int](), list[tuple[dict[str, str], Any]]()

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((dict(request.headers), await request.json()))
        status = self.answers.pop(0) if self.answers else 200
        if not status and request.transport is not None:
            request.transport.abort()
        return web.Response(status=status or 200)


@pytest.fixture
async def marketo() -> AsyncIterator[Marketo]:
    made, app = Marketo(), web.Application()
    app.router.add_post("/callback", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
    yield made
    await runner.cleanup()


def asked(*people: int, request: Any = Push()) -> list[Asked]:  # noqa: B008 - a value that never changes
    return [Asked(name=f"batch/{each}", person=str(each), request=request) for each in people]


def callback(url: str = "https://app.marketo.com/x") -> Callback:
    return Callback(url=url, munchkin_id="123-ABC-456", api_key="key", token="secret")


async def test_a_batch_is_kept_once_and_whole(store: Store) -> None:
    wrong = Asked(name="batch/9", person="9", request=None, wrong=("INVALID_INPUT", "Owner is missing"))
    assert await store.ask("batch", "a test", [*asked(7, 8), wrong], T)
    assert not await store.ask("batch", "a test", asked(7, 8, 10), T + 1)
    assert [(each.person, each.request) for each in await store.due(T, 10)] == [("7", Push()), ("8", Push())]
    assert [(each.person, each.state, each.code) for each in await store.told("batch")] == [
        ("7", "open", ""), ("8", "open", ""), ("9", "failed", "INVALID_INPUT"),
    ]  # fmt: skip
    assert await store.open() == 2


async def test_the_same_batch_by_two_at_once_is_kept_once(store: Store) -> None:
    new = await asyncio.gather(*(store.ask("batch", "a test", asked(*range(50)), T) for _ in range(4)))
    assert sorted(new) == [False, False, False, True]
    assert await store.open() == 50


async def test_how_an_errand_goes_on(store: Store) -> None:
    await store.ask("batch", "a test", asked(7, 8, 9, request=ChangeOwner("o")), T)
    one, two, three = await store.due(T, 10)
    await store.introduced({one.id: "70"}, T)
    await store.trying([one.id, two.id], T + 5)
    await store.untried([two.id])
    await store.settle({two.id: Later(reason="busy\x00")}, {two.id: T + 500}, T)
    again = {each.id: each for each in await store.due(T, 10)}
    assert (again[one.id].person, again[one.id].introduced, again[one.id].tried_at) == ("70", True, T + 5)
    assert two.id not in again
    found = {each.id: each for each in await store.due(T + 500, 10)}
    assert (found[two.id].attempts, found[two.id].tried_at, found[two.id].introduced) == (1, 0, False)
    await store.settle({one.id: Done(reason="done", id="005x"), three.id: Failed(code="NO", reason="x" * 2_000)}, {}, T)
    await store.settle({one.id: Failed(code="LATE", reason="no")}, {}, T)
    told = {each.person: each for each in await store.told("batch")}
    assert (told["70"].state, told["70"].record) == ("done", "005x"), "what has ended does not end again"
    assert (told["8"].state, told["8"].reason) == ("open", "busy")
    assert (told["9"].state, told["9"].code, len(told["9"].reason)) == ("failed", "NO", 1_000)
    assert await store.records(["70", "8"], "change-owner") == {"005x"}
    assert await store.records(["70"], "create-task") == set()


async def test_one_in_a_form_that_nobody_knows_ends_by_itself(pool: Any, store: Store) -> None:
    await store.ask("batch", "a test", asked(7, 8), T)
    await pool.execute("""update errands set request = '{"type": "of tomorrow"}' where person = '7'""")
    assert [each.person for each in await store.due(T, 10)] == ["8"]
    assert [(each.person, each.state, each.code) for each in await store.told("batch")] == [
        ("7", "failed", "UNREADABLE"),
        ("8", "open", ""),
    ]


async def ended(store: Store, url: str) -> None:
    await store.ask("batch", "a test", asked(7, 8), T, callback(url))
    one, two = await store.due(T, 10)
    await store.introduced({one.id: "70"}, T)
    await store.settle({one.id: Done(reason="made", id="00Qx"), two.id: Failed(code="HELD", reason="held: x")}, {}, T)


async def secrets_left(pool: Any) -> int:
    return int(await pool.fetchval("select count(*) from errand_batches where callback is not null"))


async def test_marketo_is_told_once_all_have_ended(pool: Any, store: Store, marketo: Marketo) -> None:
    await store.ask("batch", "a test", asked(7, 8), T, callback(marketo.url))
    answering = Answering(pool, SETTINGS, lambda: T + 1)
    async with aiohttp.ClientSession() as http:
        one, two = await store.due(T, 10)
        await store.introduced({one.id: "70"}, T)
        await store.settle({one.id: Done(reason="made", id="00Qx")}, {}, T)
        assert await answering.round(http) == 0
        await store.settle({two.id: Failed(code="HELD", reason="held: x")}, {}, T)
        assert await answering.round(http) == 1
        assert await answering.round(http) == 0
    ((headers, body),) = marketo.calls
    assert (headers["x-api-key"], headers["x-callback-token"]) == ("key", "secret")
    assert body["munchkinId"] == "123-ABC-456"
    first, second = body["objectData"]
    assert first == {
        "leadData": {"id": 7}, "activityData": {"success": True, "reason": "made", "errorCode": "", "salesforceId": "00Qx"},
    }, "by the id that Marketo asked for"  # fmt: skip
    assert second == {"leadData": {"id": 8}, "activityData": {"success": False, "reason": "held: x", "errorCode": "HELD"}}
    assert await secrets_left(pool) == 0


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([500, 200], "taken"),
        ([0, 401], "taken"),
        ([429, 503, 200], "taken"),
        ([401], "not taken: HTTP 401"),
        ([400], "not taken: HTTP 400"),
    ],
)
async def test_marketo_is_told_until_it_has_it(pool: Any, store: Store, marketo: Marketo, answers: list[int], told: str) -> None:
    await ended(store, marketo.url)
    marketo.answers = [*answers]
    now = T
    answering = Answering(pool, SETTINGS, lambda: now)
    async with aiohttp.ClientSession() as http:
        for place in range(len(answers)):
            assert await answering.round(http) == 1
            assert (answering.trouble is None) == (place == len(answers) - 1)
            assert await answering.round(http) == 0, "not before its time"
            now += 10_000
        assert await answering.round(http) == 0
    assert len(marketo.calls) == len(answers)
    assert await pool.fetchval("select told from errand_batches") == told
    assert await secrets_left(pool) == 0


async def test_a_worker_that_was_killed_over_a_call_makes_it_again(pool: Any, store: Store, marketo: Marketo) -> None:
    await ended(store, marketo.url)
    await pool.execute("update errand_batches set call_at = $1, calls = 1", T + MINUTE)  # as the claim of one that never came back
    marketo.answers = [401]
    async with aiohttp.ClientSession() as http:
        assert await Answering(pool, SETTINGS, lambda: T + MINUTE - 1).round(http) == 0
        assert await Answering(pool, SETTINGS, lambda: T + MINUTE).round(http) == 1
    assert await pool.fetchval("select told from errand_batches") == "taken"


async def test_marketo_is_given_up_in_the_end(pool: Any, store: Store, marketo: Marketo) -> None:
    await ended(store, marketo.url)
    marketo.answers = [500]
    async with aiohttp.ClientSession() as http:
        assert await Answering(pool, SETTINGS, lambda: T + 3_600_001).round(http) == 1
    assert await pool.fetchval("select told from errand_batches") == "not taken: HTTP 500"
    assert await secrets_left(pool) == 0


async def test_what_has_ended_is_let_go_and_nothing_else(pool: Any, store: Store) -> None:
    await store.ask("open", "a test", [Asked(name="open/1", person="1", request=Push())], T)
    await store.ask("waited for", "a test", [Asked(name="w/1", person="1", request=None, wrong=("X", "x"))], T, callback())
    await store.ask("over", "a test", [Asked(name="over/1", person="1", request=None, wrong=("X", "x"))], T)
    await store.ask("young", "a test", [Asked(name="young/1", person="1", request=None, wrong=("X", "x"))], T + 2)
    await pool.execute(ERRANDS, T + 1, ROWS_MAX)
    left = [row["name"] for row in await pool.fetch("select name from errand_batches order by id")]
    assert left == ["open", "waited for", "young"]
    assert await pool.fetchval("select count(*) from errands") == 3
