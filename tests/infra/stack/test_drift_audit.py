"""A whole stack on the sandbox in which values change with no event, stamp or log to tell of it: the audit finds each, and nothing else."""

import asyncio
import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.stack.stack import CONFIG, Lent
from tests.infra.stack.both import Both, a_stack, tandem, until

pytestmark = pytest.mark.integration

AUDIT = {"calls_percent": 100, "every": "5s", "confirm": "6s"}


def configured(home: Path) -> Path:
    """Calls enough that the day's share is no matter."""
    config = yaml.safe_load(CONFIG.read_text())
    config["audit"] = AUDIT
    for system in ("salesforce", "marketo"):
        config[system]["calls_per_day"] = 10_000_000
    path = home / "base.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


async def leads(both: Both, count: int) -> dict[str, int]:
    """Leads, and their people in Marketo once all are there."""
    people: dict[str, int] = {}
    for begin in range(0, count, 500):
        records = [
            {"LastName": f"Person{number}", "Company": "Acme", "Email": f"p{number}@example.com", "Title": "first", "City": "Paris"}
            for number in range(begin, min(begin + 500, count))
        ]
        await both.does("salesforce/create", object="Lead", records=records)

    async def all_there() -> bool:
        people.update({str(row["sfLeadId"]): int(row["id"]) for row in (await both.rows("marketo/Lead")).values() if row.get("sfLeadId")})
        return len(people) == count

    await until(all_there, f"{count} people in Marketo", lambda: len(people))
    return people


async def edits(both: Both, records: list[str]) -> None:
    """People work on, on other records than are corrupted."""
    while True:
        await both.edit("Lead", random.choice(records), City=f"City {random.randrange(1_000)}")
        await asyncio.sleep(0.7)


async def time_passes(both: Both) -> None:
    """Two hours: what was made before is further back than any poll reads."""
    await both.does("clock", advance_seconds=7_200)

    async def passed() -> bool:
        told = json.loads((await tandem(both, "status", "--json"))[1])
        polls = [each for each in told["cycles"] if each["source"].startswith("salesforce.poll.")]
        return bool(polls) and not any(each["read"] for each in polls)

    await until(passed, "the polls have passed by")


async def drift(both: Both, *arguments: str) -> tuple[int, Any]:
    code, said = await tandem(both, "drift", *arguments, "--json")
    return code, json.loads(said)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "corrupted"), [(600, 12)])
async def test_silent_corruptions_are_found_and_mended_and_nothing_else_is(
    tmp_path: Path, lent: Lent, monkeypatch: pytest.MonkeyPatch, count: int, corrupted: int
) -> None:
    monkeypatch.setattr("tests.infra.stack.both.CONFIG", configured(tmp_path))
    async with a_stack(tmp_path, (), lent=lent) as both:
        people = await leads(both, count)
        await time_passes(both)
        chosen = sorted(people)[:: count // corrupted]
        here, there = chosen[::2], chosen[1::2]
        await both.does("salesforce/corrupt", object="Lead", records=[{"id": each, "fields": {"Title": "bent"}} for each in here])
        await both.does("marketo/corrupt", records=[{"id": people[each], "fields": {"city": "Bent"}} for each in there])
        planted = {*((each, "title") for each in here), *((each, "city") for each in there)}
        busy = asyncio.create_task(edits(both, [each for each in people if each not in chosen]))
        found: set[tuple[str, str]] = set()

        async def all_found() -> bool:
            _, told = await drift(both)
            found.clear()
            found.update((each["record"], each["field"]) for each in told["differences"])
            return found >= planted

        try:
            await until(all_found, "every corruption is found", lambda: (len(found & planted), sorted(found - planted)[:5]))
        finally:
            busy.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await busy
        assert found == planted
        code, told = await drift(both, "--object", "lead")
        assert (code, len(told["differences"])) == (1, corrupted)
        assert f'tandem_differences{{class="true_drift"}} {corrupted}.0' in await both.metrics()
        code, repairs = await drift(both, "repair")
        assert (code, len(repairs)) == (6, corrupted)
        assert (await both.rows("salesforce/Lead"))[there[0]]["City"] == "Paris"
        await both.edit("Lead", here[0], Title="newer")
        assert (await drift(both, "repair", "--apply"))[0] == 0
        await both.record("salesforce/Lead", there[0], City="Bent")
        rows = await both.rows("salesforce/Lead")

        async def mended() -> bool:
            rows.update(await both.rows("salesforce/Lead"))
            marketo = {int(row["id"]): row for row in (await both.rows("marketo/Lead")).values()}
            return all(rows[each]["City"] == marketo[people[each]]["city"] for each in there) and all(
                rows[each]["Title"] == marketo[people[each]]["title"] for each in here
            )

        await until(mended, "both sides say the same")
        assert rows[here[0]]["Title"] == "newer"

        async def none_left() -> bool:
            return (await tandem(both, "drift"))[0] == 0

        await until(none_left, "no true drift is left")
