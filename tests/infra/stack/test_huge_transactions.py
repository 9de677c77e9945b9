"""A transaction in Salesforce of more changes than its stream tells of: what overflows is a hole that is told and read; nothing is lost."""

import json
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import STREAMS, Both, Row, a_stack, until
from tests.infra.stack.test_streams_broken import holes

pytestmark = pytest.mark.integration

MEMORY_MIB = 420
"""Of the worker, however many records a transaction has: as much as it takes for any burst."""


WRITTEN = """
select (select count(*) from pairs where salesforce_id is not null and marketo_id is not null), (select count(*) from due where kind < 2)
"""


def peak_mib(both: Both) -> float:
    """The most memory that the worker ever had."""
    pid = int(json.loads(both.stack.tandem.process.pidfile.read_text())["pid"])
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def written(both: Both, changes: int) -> bool:
    """Whether so many people are known on both sides, and nothing is owed to Marketo: only then it is worth comparing all of them."""
    connection = await asyncpg.connect(both.stack.dsn())
    try:
        met, owed = await connection.fetchrow(WRITTEN)
        return bool(met >= changes and not owed)
    finally:
        await connection.close()


async def apart(both: Both, ids: Sequence[str]) -> list[str]:
    """Of these leads, whose person in Marketo is missing, doubled, or shows something else; compared by hand."""
    leads = await both.rows("salesforce/Lead")
    people: dict[str, list[Row]] = {}
    for row in (await both.rows("marketo/Lead")).values():
        people.setdefault(str(row.get("sfLeadId")), []).append(row)
    wanted = {each: (leads[each]["LastName"], leads[each].get("Title")) for each in ids}
    return [each for each in ids if [(row["lastName"], row.get("title")) for row in people.get(each, [])] != [wanted[each]]]


async def overflows(both: Both) -> list[Row]:
    return (await holes(both)).get("overflow", [])


async def healed(both: Both, ids: Sequence[str], count: int, seconds: float) -> list[Row]:
    """Once both sides agree and so many holes of an overflow are closed."""
    left: list[str] = []
    told: list[Row] = []

    async def agree() -> bool:
        if not await written(both, len(ids)):
            return False
        left[:] = await apart(both, ids)
        return not left

    async def closed() -> bool:
        told[:] = await overflows(both)
        return len(told) >= count and all(each["standing"] == "closed" for each in told)

    await until(agree, "both sides agree", lambda: (len(left), left[:3], told), seconds=seconds)
    await until(closed, "the holes are closed", lambda: told, seconds=seconds)
    return told


async def of_one_transaction(both: Both, changes: int, most: int, seconds: float = 300) -> None:
    """That many leads are made in one, changed in another; `most` of them the stream tells of."""
    await both.does("salesforce/set_options", changes_per_transaction_max=most)
    await both.lead("Before")
    await both.person("Before")
    assert not await overflows(both)
    facts = [{"LastName": f"Many{n}", "Company": "Acme", "Email": f"many.{n}@example.com", "Title": "first"} for n in range(changes)]
    ids: list[str] = (await both.does("salesforce/create", object="Lead", records=facts))["ids"]
    made = (await healed(both, ids, 1, seconds))[-1]
    await both.does("salesforce/edit", object="Lead", records=[{"id": each, "fields": {"Title": "second"}} for each in ids])
    changed = (await healed(both, ids, 2, seconds))[-1]
    for hole in (made, changed):
        assert (hole["source"], hole["object"]) == ("salesforce.cdc", "lead")
        read = {reading["poll"] for reading in hole["readings"]}
        assert read == {"salesforce.poll.lead"}, "a hole of one kind is read by its poll alone"


async def test_what_overflows_is_told_and_read(tmp_path: Path, lent: Lent) -> None:
    async with a_stack(tmp_path, STREAMS, lent=lent) as both:
        await of_one_transaction(both, changes=600, most=250)


@pytest.mark.slow
async def test_a_transaction_of_120_000_changes(tmp_path: Path) -> None:
    async with a_stack(tmp_path, STREAMS) as both:
        await of_one_transaction(both, changes=120_000, most=100_000, seconds=3_600)
        assert peak_mib(both) < MEMORY_MIB
