"""The whole sandbox as processes: one history, durable through kill -9, faults and verbs through the gateway."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.sandbox.gateway import Line, _merged
from infra.sandbox.numbering import Numbering

pytestmark = pytest.mark.integration


async def child_pid(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return int(children.split()[0])


async def test_history_numbers_dump_and_clock(marketo_only: Any) -> None:
    sandbox = marketo_only
    assert (await sandbox.get("/healthz"))["status"] == "ok"
    await sandbox.post("/marketo/person/create", {"fields": {"email": "a@example.com", "firstName": "Ann"}})
    await sandbox.post("/marketo/person/edit", {"id": 1, "fields": {"firstName": "Eve"}})
    await sandbox.post("/marketo/person/create", {"fields": {"email": "b@example.com"}})
    lines = await sandbox.lines("/history?after=0")
    assert [(line["n"], line["op"], line["id"]) for line in lines] == [(1, "create", "1"), (2, "update", "1"), (3, "create", "2")]
    assert list(lines[0]) == ["n", "at", "system", "actor", "op", "object", "id", "before", "after", "request_id"]
    assert [line["n"] for line in await sandbox.lines("/history?after=1&id=1&object=Lead")] == [2]
    assert [line["n"] for line in await sandbox.lines("/history?after=0&system=marketo&limit=2")] == [1, 2]
    assert await sandbox.lines("/history?after=3") == []
    assert [person["email"] for person in await sandbox.lines("/dump/marketo/Lead")] == ["a@example.com", "b@example.com"]
    before = (await sandbox.get("/healthz"))["systems"]["marketo"]["now_ms"]
    assert (await sandbox.post("/clock", {"advance_seconds": 7200}))["now_ms"] >= before + 7_200_000
    await sandbox.post("/clock", {"advance_seconds": -1}, status=400)
    await sandbox.post("/marketo/nope", {}, status=404)
    await sandbox.post("/salesforce/convert", {}, status=404)


async def test_faults_through_the_gateway(marketo_only: Any) -> None:
    sandbox = marketo_only
    posted = await sandbox.post(
        "/faults", {"system": "marketo", "match": {"path": "/identity/*"}, "action": {"type": "html_502"}, "times": 2}
    )
    identity = f"{sandbox.endpoints['marketo']['url']}/identity/oauth/token"
    async with sandbox.http.get(identity) as answer:
        assert answer.status == 502
    (standing,) = await sandbox.get("/faults")
    assert (standing["id"], standing["system"], standing["hits"]) == (posted["id"], "marketo", 1)
    async with sandbox.http.delete(f"{sandbox.url}/faults/{posted['id']}") as answer:
        assert await answer.json() == {"deleted": True}
    async with sandbox.http.get(identity) as answer:
        assert answer.status == 401
    await sandbox.post("/faults", {"system": "marketo", "action": "nonsense"}, status=400)
    await sandbox.post("/faults", {"action": "reset"}, status=400)
    assert (await sandbox.get("/meters"))["marketo"]["rows"][0]["endpoint"] == "POST /identity/oauth/token"


async def test_killed_while_it_writes_history_and_data_agree_and_go_on(start: Any, until: Any, tmp_path: Path) -> None:
    data = tmp_path / "sandbox"
    async with start(data, "--only", "marketo") as sandbox:
        rows = b"\n".join(b'{"email":"p%d@example.com","firstName":"F%d","city":"Rome"}' % (n, n) for n in range(20_000))
        loading = asyncio.ensure_future(sandbox.http.post(f"{sandbox.url}/marketo/load", data=rows))
        marketo = await child_pid(sandbox.process.pid)
        await until(lambda: sandbox.lines("/history?after=1000&limit=1"))
        os.kill(marketo, signal.SIGKILL)
        answer = await loading
        assert answer.status == 503
        await until(lambda: is_up(sandbox))
        history = await sandbox.lines("/history?after=0")
        dump = await sandbox.lines("/dump/marketo/Lead")
        assert len(history) > 1000
        assert [line["n"] for line in history] == list(range(1, len(history) + 1))
        assert {line["id"]: line["after"]["email"] for line in history} == {str(one["id"]): one["email"] for one in dump}
        await sandbox.post("/marketo/person/edit", {"id": 1, "fields": {"city": "Oslo"}})
        endpoints = sandbox.endpoints
    assert stat.S_IMODE((data / "endpoints.json").stat().st_mode) == 0o600
    async with start(data, "--only", "marketo") as again:
        assert again.endpoints["marketo"]["client_secret"] == endpoints["marketo"]["client_secret"]
        after = await again.lines("/history?after=0")
        assert after[:-1] == history
        assert after[-1]["after"] == {"city": "Oslo"}
        assert (await again.lines("/dump/marketo/Lead"))[0]["city"] == "Oslo"


async def is_up(sandbox: Any) -> bool:
    try:
        async with sandbox.http.get(f"{sandbox.url}/healthz") as answer:
            return bool(answer.status == 200)
    except aiohttp.ClientError:
        return False


def test_numbering_interleaves_new_tails_by_time_and_never_renumbers(tmp_path: Path) -> None:
    path = tmp_path / "numbering"
    numbering = Numbering(path, ["salesforce", "marketo"])
    numbering.extend({"salesforce": [10, 30], "marketo": [20, 5]})
    numbering.extend({"marketo": [1]})
    numbering.extend({"salesforce": [2], "marketo": []})
    numbering.close()
    path.write_bytes(path.read_bytes() + b"torn")
    again = Numbering(path, ["salesforce", "marketo"])
    assert [again.number("salesforce", local) for local in (1, 2, 3)] == [1, 4, 6]
    assert [again.number("marketo", local) for local in (1, 2, 3)] == [2, 3, 5]
    assert (again.last, again.known("marketo")) == (6, 3)
    assert [again.first_after("marketo", n) for n in range(7)] == [0, 0, 1, 2, 2, 3, 3]
    again.extend({"salesforce": [7]})
    assert again.number("salesforce", 4) == 7
    again.close()


async def test_chunks_of_two_histories_merge_into_one_order() -> None:
    async def source(*chunks: list[int]) -> AsyncIterator[list[Line]]:
        for chunk in chunks:
            yield [(n, b"%d" % n) for n in chunk]

    merged = _merged([source([1, 4], [5, 9]), source([2, 3, 6], [7], [8, 10, 11]), source()])
    assert [n async for chunk in merged for n, _ in chunk] == list(range(1, 12))
