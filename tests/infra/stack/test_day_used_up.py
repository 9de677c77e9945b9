"""A whole stack whose Marketo has no calls left for the day, in the midst of a first copy: edits wait, coalesce, and nothing is lost."""

import json
from pathlib import Path

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import Both, tandem, until
from tests.infra.stack.test_first_copy import copy, done, grown, settled
from tests.infra.stack.test_streams_broken import differences

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COUNT = 160
ONE_BY_ONE = "settle:\n  marketo_records_max: 1\n"
"""So that a copy takes as many calls as there are people."""


async def copied(both: Both) -> int:
    return len(await both.rows("marketo/Lead"))


async def troubles(both: Both) -> list[str]:
    return [each["what"] for each in json.loads((await tandem(both, "status", "--json"))[1])["troubles"]]


async def test_the_days_calls_end_at_sixty_percent_of_a_copy_while_people_go_on_editing(tmp_path: Path, lent: Lent) -> None:
    async with grown(tmp_path, lent, ONE_BY_ONE) as both:
        names = [f"P{number}" for number in range(COUNT)]
        records = [{"LastName": name, "Company": "Acme", "Email": f"{name.lower()}@example.com", "Title": "old"} for name in names]
        await both.does("salesforce/create", object="Lead", records=records)
        leads = {str(row["LastName"]): record for record, row in (await both.rows("salesforce/Lead")).items()}
        await settled(both)
        assert (await copy(both, "start", "--yes", "--no-follow"))[0] == 0

        async def sixty_percent() -> bool:
            return await copied(both) >= 0.6 * COUNT

        await until(sixty_percent, "60 % are copied")
        await both.does("marketo/limits", daily=1)
        standing = await copied(both)
        assert standing < COUNT, "the copy was quicker than its end"
        there = await both.people()
        for turn in range(5):
            for name in names[:20]:
                await both.edit("Lead", leads[name], Title=f"turn {turn}")
        edited = sorted(there)[:10]
        for name in edited:
            await both.touch(there[name], city="Oslo")
        late = await both.lead("Late")

        async def told() -> bool:
            return any("Marketo takes no calls" in each for each in await troubles(both))

        await until(told, "status tells that Marketo takes no calls")
        code, said = await tandem(both, "budget")
        assert (code, "It takes no calls" in said) == (1, True), said
        assert await copied(both) == standing, "nobody gets through"

        await both.does("marketo/limits", daily=50_000)
        await both.does("clock", advance_seconds=86_400)
        await done(both)
        apart: list[str] = []

        async def alike() -> bool:
            apart[:] = await differences(both)
            return not apart

        await until(alike, "both sides agree", lambda: apart[:3])
        people = await both.people()
        assert len(await both.everybody()) == len(people) == COUNT + 1
        assert {people[name]["title"] for name in names[:20]} == {"turn 4"}
        assert people["Late"]["sfLeadId"] == late
        assert {people[name]["city"] for name in edited} == {"Oslo"}
