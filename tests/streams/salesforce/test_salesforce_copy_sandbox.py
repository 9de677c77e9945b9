"""The first copy of an object out of the sandbox org, interrupted after each batch."""

import secrets
from contextlib import aclosing

import pytest

from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.bulk import BulkQueries
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.sources.copy import CopySource
from tests.streams.salesforce.entities import LEADS, TASKS
from tests.streams.salesforce.test_salesforce_with_sandbox import Control, control, live  # noqa: F401 - fixtures

pytestmark = pytest.mark.integration


async def test_every_lead_comes_once_however_often_it_is_interrupted(live: Session, control: Control) -> None:  # noqa: F811
    mark = secrets.token_hex(6)
    for number in range(5):
        await control("/salesforce/create", object="Lead", fields={"LastName": f"{mark}{number}", "Company": 'Two\n"lines"'})
    rest = SalesforceRest(live, OpenBudget())
    fields = ["LastName", "Company", "HasOptedOutOfEmail", "AnnualRevenue"]
    types = {each["name"]: each["type"] for each in (await rest.describe("Lead"))["fields"]}

    def source() -> CopySource:
        return CopySource(BulkQueries(rest), LEADS, fields, types=lambda: types, page_rows=2)

    events, position, ended = [], None, False
    while not ended:
        async with aclosing(source().batches(position)) as batches:
            ended = True
            async for batch in batches:
                events += batch.events
                ended = batch.position == position or batch.caught_up
                position = batch.position
                if not ended:
                    break
    ours = [event for event in events if str(event.fields["LastName"]).startswith(mark)]
    assert sorted(str(event.fields["LastName"]) for event in ours) == [f"{mark}{number}" for number in range(5)]
    assert ours[0].fields["Company"] == 'Two\n"lines"'
    assert ours[0].fields["HasOptedOutOfEmail"] is False
    assert ours[0].fields["AnnualRevenue"] is None
    assert {event.source for event in ours} == {"copy"}
    query = LEADS.select(("Id", *fields), [f"LastName LIKE '{mark}%'"])
    read = {str(row.pop("Id")): row for row in (await rest.page(query, Lane.COPY)).rows}
    assert {event.id: dict(event.fields) for event in ours} == read


async def test_the_archive_is_copied_too(live: Session, control: Control) -> None:  # noqa: F811
    names = [secrets.token_hex(6) for _ in range(3)]
    new, old, gone = [(await control("/salesforce/create", object="Task", fields={"Subject": name}))["id"] for name in names]
    await control("/salesforce/archive", object="Task", ids=[old])
    await control("/salesforce/delete", ids=[gone])
    source = CopySource(BulkQueries(SalesforceRest(live, OpenBudget())), TASKS, ["Subject"], types=lambda: {"Subject": "string"})
    found = {event.id: event.fields["Subject"] async for batch in source.batches(None) for event in batch.events}
    assert {each: found.get(each) for each in (new, old, gone)} == {new: names[0], old: names[1], gone: None}
