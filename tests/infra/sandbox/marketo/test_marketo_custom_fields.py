"""Fields that an administrator adds to companies and opportunities, changed fields, and the owner that a person shows."""

from typing import Any

import pytest


async def written(server: Any, path: str, *records: Any) -> list[str]:
    envelope = await server.call("POST", f"{path}.json", json={"input": list(records)})
    assert envelope["success"], envelope
    return [one["reasons"][0]["code"] if one["status"] == "skipped" else one["status"] for one in envelope["result"]]


async def field(server: Any, target: str, name: str, kind: str = "string") -> None:
    await server.verb("field/create", {"object": target, "name": name, "displayName": name.title(), "dataType": kind})


async def test_a_company_field_is_the_companys_and_shows_on_its_people(server: Any) -> None:
    await field(server, "Company", "tier")
    assert await written(server, "companies", {"externalCompanyId": "A", "tier": "gold"}) == ["created"]
    people = [{"email": "a@x.example", "externalCompanyId": "A"}, {"email": "b@x.example", "tier": "own"}]
    assert await written(server, "leads", *people) == ["created", "created"]
    assert await written(server, "leads", {"email": "a@x.example", "tier": "x"}) == ["1021"]
    found = await server.call("GET", "leads.json", params={"filterType": "id", "filterValues": "1,2", "fields": "tier"})
    assert [one["tier"] for one in found["result"]] == ["gold", "own"]
    params = {"filterType": "externalCompanyId", "filterValues": "A", "fields": "tier"}
    assert (await server.call("GET", "companies.json", params=params))["result"][0]["tier"] == "gold"
    await written(server, "companies", {"externalCompanyId": "A", "tier": "silver"})
    rows, _ = await server.drain("/leadchanges.json", await server.since(), fields="tier")
    assert [(row["leadId"], one["newValue"]) for row in rows for one in row["fields"]] == [(1, "silver")]
    (shown,) = (await server.call("GET", "companies/schema/fields/tier.json"))["result"]
    assert (shown["isCustom"], shown["isApiCreated"], shown["dataType"]) == (True, False, "string")
    described = (await server.call("GET", "companies/describe.json"))["result"][0]["fields"]
    assert [one["updateable"] for one in described if one["name"] == "tier"] == [True]
    assert [1 for one in (await server.call("GET", "opportunities/describe.json"))["result"][0]["fields"] if one["name"] == "tier"] == []


async def test_an_opportunity_field_is_kept_and_found_by_if_it_is_a_text_or_a_whole_number(server: Any) -> None:
    for name, kind in (("region", "string"), ("seats", "integer"), ("margin", "float"), ("notes", "text")):
        await field(server, "Opportunity", name, kind)
    deal = {"externalOpportunityId": "O", "name": "n", "region": "North", "seats": 5, "margin": 0.5, "notes": "x" * 3000}
    assert await written(server, "opportunities", deal, {"externalOpportunityId": "P", "name": "n", "seats": "many"}) == ["created", "1001"]
    (shown,) = (await server.call("GET", "opportunities/describe.json"))["result"]
    assert shown["searchableFields"] == [["marketoGUID"], ["externalOpportunityId"], ["region"], ["seats"]]
    params = {"filterType": "region", "filterValues": "north", "fields": "seats,margin"}
    (found,) = (await server.call("GET", "opportunities.json", params=params))["result"]
    assert (found["seats"], found["margin"]) == (5, 0.5)
    assert "region" not in {one["name"] for one in (await server.call("GET", "leads/describe2.json"))["result"][0]["fields"]}
    assert (await server.call("GET", "opportunities/schema/fields/nope.json"))["errors"][0]["code"] == "1006"
    with pytest.raises(Exception, match="1017"):
        await field(server, "Opportunity", "Stage")


@pytest.mark.parametrize(
    ("base", "name"), [("leads/schema/fields", "own"), ("programs/members/schema/fields", "own"), ("leads/schema/fields", "city")]
)
async def test_a_fields_words_and_marks_can_be_changed(server: Any, base: str, name: str) -> None:
    if name == "own":
        assert await written(server, base, {"displayName": "Own", "name": "own", "dataType": "string"}) == ["created"]
    change = {"displayName": "Mine", "isHidden": True, "isSensitive": True, "description": "d", "isHtmlEncodingInEmail": False}
    assert await written(server, f"{base}/{name}", change) == ["updated"]
    (shown,) = (await server.call("GET", f"{base}/{name}.json"))["result"]
    assert {one: shown[one] for one in change} == change
    assert await written(server, f"{base}/{name}", {"dataType": "integer"}) == ["1003"]
    assert await written(server, f"{base}/{name}", {"isHidden": "yes"}) == ["1001"]
    assert await written(server, f"{base}/nope", {"displayName": "x"}) == ["1006"]


async def test_a_person_shows_who_owns_it(server: Any) -> None:
    owner = {"externalSalesPersonId": "005A", "email": "eva@x.example", "firstName": "Eva", "lastName": "Ek"}
    await written(server, "salespersons", owner)
    names = "leadOwnerFirstName,leadOwnerLastName,leadOwnerEmailAddress"
    await written(server, "leads", {"email": "a@x.example", "externalSalesPersonId": "005A"}, {"email": "b@x.example"})

    async def shown(number: int) -> list[Any]:
        (found,) = (await server.call("GET", f"lead/{number}.json", params={"fields": names}))["result"]
        return [found[name] for name in names.split(",")]

    assert (await shown(1), await shown(2)) == (["Eva", "Ek", "eva@x.example"], [None, None, None])
    await written(server, "salespersons", {"externalSalesPersonId": "005A", "lastName": "Berg"})
    assert (await shown(1))[1] == "Berg"
    await written(server, "leads", {"email": "a@x.example", "externalSalesPersonId": None})
    assert await shown(1) == [None, None, None]
    assert await written(server, "leads", {"email": "a@x.example", "leadOwnerLastName": "x"}) == ["1003"]
