"""The common interface against the sandbox's Marketo: companies, sales people, opportunities, roles, a custom object."""

import secrets
from typing import Any

import aiohttp
import orjson
import pytest

from streams.marketo.api.resource import Key, Resource
from streams.marketo.api.wire import SyncAnswer
from streams.wire.errors import Reject
from streams.wire.systems import Object
from tests.streams.marketo.test_marketo_sandbox import Instance, instance  # noqa: F401 - a fixture

pytestmark = pytest.mark.integration

COMPANIES = Resource(object=Object("company"), path="companies", key=("externalCompanyId",), id_field="id")
OWNERS = Resource(object=Object("salesperson"), path="salespersons", key=("externalSalesPersonId",), id_field="id")
DEALS = Resource(object=Object("opportunity"), path="opportunities", key=("externalOpportunityId",), id_field="marketoGUID")
ROLES = Resource(object=Object("role"), path="opportunities/roles", key=("externalOpportunityId", "leadId", "role"), id_field="marketoGUID")


def told(answer: SyncAnswer) -> list[tuple[str, str]]:
    return [(result.status, result.code) for result in answer.results]


@pytest.fixture
def key() -> str:
    """Of this test only."""
    return secrets.token_hex(6).upper()


async def test_companies_are_written_read_described_and_deleted(instance: Instance, key: str) -> None:  # noqa: F811
    rest = instance.ours.resources
    records: list[dict[str, Any]] = [
        {"externalCompanyId": f"{key}A", "company": "Acme", "annualRevenue": 5}, {"externalCompanyId": f"{key}B", "nope": 1},
    ]  # fmt: skip
    made = await rest.sync_records(COMPANIES, records)
    assert told(made) == [("created", ""), ("skipped", "1006")]
    assert told(await rest.sync_records(COMPANIES, records[:1], "createOnly")) == [("skipped", "1017")]
    found = await rest.read_records(COMPANIES, [f"{key}A".lower(), f"{key}B"], ["company", "annualRevenue"])
    assert {name: (each.fields["company"], each.fields["annualRevenue"]) for name, each in found.items()} == {
        f"{key}A".lower(): ("Acme", 5.0)
    }
    company = found[f"{key}A".lower()]
    assert company.id == made.results[0].id
    assert 0 < company.at <= company.until
    assert told(await rest.sync_records(COMPANIES, [{"id": int(company.id), "company": "Acme Inc"}], "updateOnly", by_id=True)) == [
        ("updated", "")
    ]
    by_id = await rest.read_records_by_id(COMPANIES, [company.id, "999999999"], ["company"])
    assert {name: each.fields["company"] for name, each in by_id.items()} == {company.id: "Acme Inc"}
    schema = await rest.describe_records(COMPANIES)
    assert (schema.id_field, schema.dedupe) == ("id", ["externalCompanyId"])
    writable = {field.name: field.updateable for field in schema.fields}
    assert (writable["externalCompanyId"], writable["company"], writable["createdAt"]) == (True, True, False)
    assert told(await rest.delete_records(COMPANIES, [f"{key}A", f"{key}B"])) == [("deleted", ""), ("skipped", "1013")]
    with pytest.raises(Reject):
        await rest.read_records(COMPANIES, [f"{key}A"], ["nope"])


async def test_an_opportunity_with_its_owner_and_its_roles(instance: Instance, key: str) -> None:  # noqa: F811
    rest = instance.ours.resources
    lead = await instance.person(instance.ours, lastName="Byron")
    owner = {"externalSalesPersonId": key, "email": f"{key}@x.example", "lastName": "West"}
    deal: dict[str, Any] = {"name": "Big", "amount": 1604.47, "externalSalesPersonId": key}
    deals = [{**deal, "externalOpportunityId": f"{key}{n}"} for n in range(2)]
    with pytest.raises(Reject) as refused:
        await rest.sync_records(DEALS, deals)
    assert refused.value.code == "718", "no such owner: the whole call is refused"
    assert told(await rest.sync_records(OWNERS, [owner])) == [("created", "")]
    made = await rest.sync_records(DEALS, deals)
    assert told(made) == [("created", "")] * 2
    found = await rest.read_records(DEALS, [f"{key}0"], ["name", "amount"])
    assert (found[f"{key}0"].id, found[f"{key}0"].fields["amount"]) == (made.results[0].id, "1604.47")

    keys: list[Key] = [(f"{key}0", lead, "Buyer"), (f"{key}1", lead, "Buyer"), (f"{key}1", lead, "Seller")]
    roles = [{**ROLES.named(each), "leadId": int(lead), "isPrimary": number == 0} for number, each in enumerate(keys)]
    assert told(await rest.sync_records(ROLES, roles[:2])) == [("created", "")] * 2
    shown = await rest.read_records(ROLES, keys, ["isPrimary"])
    assert {name: each.fields["isPrimary"] for name, each in shown.items()} == {keys[0]: True, keys[1]: False}
    guid = shown[keys[0]].id
    assert set(await rest.read_records_by_id(ROLES, [guid], ["role"])) == {guid}
    assert (await rest.describe_records(ROLES)).dedupe == list(ROLES.key)
    assert (await rest.describe_records(DEALS)).id_field == "marketoGUID"
    assert {field.name for field in (await rest.describe_records(OWNERS)).fields} >= {"externalSalesPersonId", "email", "firstName"}

    assert told(await rest.delete_records(DEALS, [f"{key}0"])) == [("skipped", "1022")], "roles go first"
    assert told(await rest.delete_records(ROLES, [guid], by_id=True)) == [("deleted", "")]
    assert told(await rest.delete_records(ROLES, keys[1:])) == [("deleted", ""), ("skipped", "1013")]
    assert told(await rest.delete_records(DEALS, [f"{key}0", f"{key}1"])) == [("deleted", "")] * 2
    assert told(await rest.delete_records(OWNERS, [key])) == [("deleted", "")]


async def test_many_records_are_read_in_pages(instance: Instance, key: str) -> None:  # noqa: F811
    rest = instance.ours.resources
    keys = [f"{key}{number}" for number in range(301)]
    for part in (keys[:300], keys[300:]):
        assert {status for status, _ in told(await rest.sync_records(COMPANIES, [{"externalCompanyId": each} for each in part]))} == {
            "created"
        }
    calls = instance.ours.calls
    assert list(await rest.read_records(COMPANIES, keys, [])) == keys
    assert instance.ours.calls - calls == 2


async def test_a_custom_object_is_a_resource_like_the_others(instance: Instance, key: str, sandbox: dict[str, Any]) -> None:  # noqa: F811
    name = f"car{key.lower()}_c"
    fields = [
        {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True},
        {"name": "plate", "displayName": "Plate", "dataType": "string", "isDedupeField": True},
        {"name": "owner", "displayName": "Owner", "dataType": "link", "relatedTo": {"name": "lead", "field": "id"}},
        {"name": "km", "displayName": "Km", "dataType": "integer"},
    ]
    await administer(sandbox, "schema", {"action": "createOnly", "apiName": name, "displayName": name, "pluralName": f"{name}s"})
    await administer(sandbox, f"schema/{name}/addField", {"input": fields})
    await administer(sandbox, f"schema/{name}/approve", {})
    cars = Resource(object=Object("car-c"), path=f"customobjects/{name}", key=("vin", "plate"), id_field="marketoGUID")
    rest = instance.ours.resources
    lead = await instance.person(instance.ours, lastName="Byron")
    records: list[dict[str, Any]] = [
        {"vin": "V1", "plate": "P1", "owner": int(lead), "km": 5},
        {"vin": "V2", "plate": "P2", "owner": 999999},
    ]
    made = await rest.sync_records(cars, records)
    assert told(made) == [("created", ""), ("skipped", "1004")]
    found = await rest.read_records(cars, [("v1", "P1"), ("V2", "P2")], ["km", "owner"])
    assert {name: (each.id, each.fields["km"]) for name, each in found.items()} == {("v1", "P1"): (made.results[0].id, 5)}
    schema = await rest.describe_records(cars)
    assert (schema.id_field, schema.dedupe) == ("marketoGUID", ["vin", "plate"])
    assert told(await rest.delete_records(cars, [("V1", "P1")])) == [("deleted", "")]


async def administer(sandbox: dict[str, Any], path: str, body: dict[str, Any]) -> None:
    """What an administrator does with custom objects' types."""
    who = sandbox["marketo"]
    params = {"grant_type": "client_credentials", "client_id": who["client_id"], "client_secret": who["client_secret"]}
    async with aiohttp.ClientSession(who["url"]) as http:
        async with http.get("/identity/oauth/token", params=params) as answer:
            token = (await answer.json())["access_token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with http.post(f"/rest/v1/customobjects/{path}.json", data=orjson.dumps(body), headers=headers) as answer:
            told = await answer.json()
            assert told["success"], told
