"""A whole stack on the sandbox to which Tandem comes late: nothing of before is touched until somebody asks for a first copy."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from consumers.worker.app import COPY, ROLES
from infra.stack.stack import CONFIG, PARTS, Lent, Stack
from infra.stack.tandem import Worker
from tests.infra.stack.both import Both, Row, tandem, until

pytestmark = pytest.mark.integration

QUICK = {"bulk": {"status_seconds": 0, "queued_seconds": 0, "running_seconds": 0}}
COPIER = "copier"
"""The worker that runs the copy, and nothing else."""
_LATER_SECONDS = 7_200
"""What was there before is further back than any poll reads."""


@asynccontextmanager
async def grown(home: Path, lent: Lent, more: str = "") -> AsyncIterator[Both]:
    """Both systems, with no Tandem; and the whole stack, which is to be brought up once there is something in them. `more`: lines at the
    end of its configuration."""
    config = home / "tandem.yaml"
    text = CONFIG.read_text().replace("poll: 20s", "poll: 2s").replace("first_copy: automatic", "first_copy: asked")
    config.write_text(text + more)
    others = tuple(part for role in ROLES if role != COPY for part in ("--role", role))
    workers = (Worker(arguments=others), Worker(name=COPIER, arguments=("--role", COPY)))
    ground, whole = Stack(home / "run", parts=PARTS - {"tandem"}, lent=lent), Stack(home / "run", workers=workers, config=config, lent=lent)
    async with ground, aiohttp.ClientSession() as http:
        both = Both(whole, http)
        await both.does("marketo/options", **QUICK)
        try:
            yield both
        finally:
            await whole.down()
    await whole.clean()


async def settled(both: Both) -> None:
    """Streams and polls have taken their positions."""
    await both.does("clock", advance_seconds=_LATER_SECONDS)
    await both.stack.up()

    async def placed() -> bool:
        told = json.loads((await tandem(both, "status", "--json"))[1])
        return {"salesforce.poll.lead", "salesforce.poll.account"} <= {each["source"] for each in told["cycles"]}

    await until(placed, "the polls have run")


async def copy(both: Both, *arguments: str) -> tuple[int, list[Any]]:
    """A command, and the documents that it prints."""
    code, said = await tandem(both, "copy", *arguments, "--json")
    return code, _documents(said)


def _documents(said: str) -> list[Any]:
    found, rest = [], said.lstrip()
    while rest:
        try:
            value, end = json.JSONDecoder().raw_decode(rest)
        except json.JSONDecodeError as error:
            raise AssertionError(said) from error
        found.append(value)
        rest = rest[end:].lstrip()
    return found


async def met(both: Both, email: str) -> list[Row]:
    """Marketo's people with this e-mail."""
    return [row for row in (await both.rows("marketo/Lead")).values() if row.get("email") == email]


async def killed(both: Both, *, times: int) -> None:
    """`kill -9` for whoever copies, at random moments."""
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.0, 4.0))
        await both.stack.kill(COPIER)
        await both.stack.start(COPIER)


async def done(both: Both) -> Row:
    """Follows the copy to its end."""
    code, told = await copy(both, "status", "--follow")
    assert (code, told[-1]["state"]) == (0, "done"), told[-1]
    last: Row = told[-1]
    return last


async def test_what_was_there_before_is_matched_made_or_let_be_once_it_is_asked_for(tmp_path: Path, lent: Lent) -> None:
    async with grown(tmp_path, lent) as both:
        account = await both.create("Account", Name="Acme")
        contact = await both.contact("Hopper", AccountId=account)
        here = [await both.lead(f"Here{number}") for number in range(4)]
        shared = [await both.lead(f"Shared{number}", Title="chief") for number in range(4)]
        for number in range(4):
            await both.does("marketo/person/create", fields={"lastName": f"Shared{number}", "email": f"shared{number}@example.com"})
        await both.does("marketo/person/create", fields={"lastName": "There", "email": "there@example.com"})
        await settled(both)
        await both.edit("Lead", here[0], Title="edited")
        await both.person("Here0", title="edited")
        assert not await met(both, "here1@example.com"), "nobody has asked for it yet"
        code, (quote,) = await copy(both, "plan")
        assert code == 6, quote
        rows = {(part["system"], part["object"]): part["rows"] for part in quote["parts"]}
        assert (rows["salesforce", "lead"], rows["salesforce", "contact"], rows["marketo", "person"]) == (8, 1, 6)
        expected = {"stored": 1, "email": 4, "alone": 4, "to_marketo": 4}
        assert {name: quote["matches"].get(name) for name in expected} == expected, quote["matches"]
        assert not await met(both, "here1@example.com"), "a plan writes nothing"
        assert (await copy(both, "start", "--yes", "--no-follow"))[0] == 0
        await killed(both, times=1)
        await done(both)
        people = await both.people()
        assert len(people) == 10
        for name, lead in {**{f"Here{n}": each for n, each in enumerate(here)}, **{f"Shared{n}": s for n, s in enumerate(shared)}}.items():
            assert people[name]["sfLeadId"] == lead
        assert people["Here0"]["title"] == "edited"
        assert people["Shared1"]["title"] == "chief", "a value beats none"
        assert people["Hopper"]["sfContactId"] == contact
        assert people["Hopper"]["company"] == "Acme"


@pytest.mark.slow
async def test_a_copy_killed_ten_times_leaves_nothing_out_and_nothing_double(tmp_path: Path, lent: Lent) -> None:
    count = 2_000
    async with grown(tmp_path, lent) as both:
        for begin in range(0, count, 500):
            records = [
                {"LastName": f"P{number}", "Company": "Acme", "Email": f"p{number}@example.com", "Title": "old"}
                for number in range(begin, begin + 500)
            ]
            await both.does("salesforce/create", object="Lead", records=records)
        for number in range(0, count, 4):
            await both.does("marketo/person/create", fields={"lastName": f"P{number}", "email": f"p{number}@example.com"})
        leads = {str(row["LastName"]): record for record, row in (await both.rows("salesforce/Lead")).items()}
        await settled(both)
        assert (await copy(both, "start", "--yes", "--no-follow"))[0] == 0
        edited = [f"P{number}" for number in range(0, count, 97)]
        killing = asyncio.create_task(killed(both, times=10))
        for name in edited:
            await both.edit("Lead", leads[name], Title="new")
            await asyncio.sleep(0.2)
        code, _ = await tandem(both, "copy", "pause")
        if code == 0:
            assert (await tandem(both, "copy", "resume"))[0] == 0
        await killing
        told = await done(both)
        assert {step["object"]: step["rows"] for step in told["steps"] if step["system"] == "salesforce"}["lead"] == count

        async def in_step() -> bool:
            people = await both.everybody()
            shown = {str(row["lastName"]): row for row in people}
            right = (shown[name].get("title") == ("new" if name in edited else "old") for name in leads if name in shown)
            return len(people) == len(shown) == count and all(right)

        await until(in_step, "everybody is there once, as edited last")
        assert all(row["sfLeadId"] == leads[str(row["lastName"])] for row in (await both.rows("marketo/Lead")).values())
