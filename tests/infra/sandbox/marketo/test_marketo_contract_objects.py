"""Companies, sales people, opportunities, roles, custom objects and custom activities, as marketorestpython uses them."""

from typing import Any

import pytest


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [one["status"] for one in results]


async def test_companies_owners_opportunities_and_roles(stranger: Any) -> None:
    assert statuses(
        await stranger.do("create_update_sales_persons", input=[{"externalSalesPersonId": "005A", "email": "owner@x.example"}])
    ) == ["created"]
    companies = [{"externalCompanyId": "001A", "company": "Acme", "annualRevenue": 5}, {"externalCompanyId": "001B", "nope": 1}]
    made = await stranger.do("create_update_companies", input=companies, action="createOrUpdate")
    assert [(one["seq"], one["status"]) for one in made] == [(0, "created"), (1, "skipped")]
    assert made[1]["reasons"][0]["code"] == "1006"
    found = await stranger.do("get_companies", filterType="externalCompanyId", filterValues=["001a"], fields="company,annualRevenue")
    assert found == [{"seq": 0, "id": made[0]["id"], "company": "Acme", "annualRevenue": 5.0}]
    (lead,) = await stranger.do("create_update_leads", leads=[{"email": "a@x.example", "externalCompanyId": "001A"}])
    opportunity = {"externalOpportunityId": "006A", "name": "Big", "amount": 1604.47, "externalSalesPersonId": "005A"}
    (won,) = await stranger.do("create_update_opportunities", input=[opportunity])
    found = await stranger.do("get_opportunities", filterType="marketoGUID", filterValues=[won["marketoGUID"]], fields="name,amount")
    assert found == [{"seq": 0, "marketoGUID": won["marketoGUID"], "name": "Big", "amount": "1604.47"}]
    role = {"externalOpportunityId": "006A", "leadId": lead["id"], "role": "Unspecified", "isPrimary": True}
    assert statuses(await stranger.do("create_update_opportunities_roles", input=[role])) == ["created"]
    found = await stranger.do("get_opportunity_roles", filterType="leadId", filterValues=[str(lead["id"])], fields="role,isPrimary")
    assert [(one["role"], one["isPrimary"]) for one in found] == [("Unspecified", True)]
    assert statuses(await stranger.do("delete_opportunity_roles", input=[role | {}], deleteBy="dedupeFields")) == ["deleted"]
    assert statuses(await stranger.do("delete_opportunities", input=[{"externalOpportunityId": "006A"}])) == ["deleted"]
    await stranger.do("delete_lead", id=[lead["id"]])
    assert statuses(await stranger.do("delete_companies", input=[{"externalCompanyId": "001A"}])) == ["deleted"]
    found = await stranger.do("get_sales_persons", filterType="email", filterValues=["OWNER@x.example"])
    assert [one["externalSalesPersonId"] for one in found] == ["005A"]
    assert statuses(await stranger.do("delete_sales_persons", input=[{"externalSalesPersonId": "005A"}])) == ["deleted"]
    for name, id_field in (("company", "id"), ("sales_person", "id"), ("opportunity", "marketoGUID"), ("opportunity_role", "marketoGUID")):
        assert (await stranger.do(f"describe_{name}"))[0]["idField"] == id_field


async def test_custom_objects_from_draft_to_record(stranger: Any) -> None:
    await stranger.do("create_update_custom_object_type", apiName="car_c", displayName="Car", action="createOnly", pluralName="Cars")
    fields = [
        {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True},
        {"name": "owner", "displayName": "Owner", "dataType": "link", "relatedTo": {"name": "lead", "field": "id"}},
        {"name": "km", "displayName": "Km", "dataType": "integer"},
    ]
    await stranger.do("add_field_custom_object_type", apiName="car_c", fields=fields)
    assert (await stranger.do("get_list_of_custom_object_types"))[0]["state"] == "draft"
    with pytest.raises(Exception, match="1013"):
        await stranger.do("describe_custom_object", name="car_c")
    await stranger.do("approve_custom_object_type", apiName="car_c")
    assert (await stranger.do("describe_custom_object_type", apiName="car_c"))[0]["state"] == "approved"
    shown = (await stranger.do("describe_custom_object", name="car_c"))[0]
    assert (shown["idField"], shown["dedupeFields"]) == ("marketoGUID", ["vin"])
    assert shown["relationships"] == [{"field": "owner", "type": "child", "relatedTo": {"name": "Lead", "field": "Id"}}]
    assert [one["name"] for one in await stranger.do("get_list_of_custom_objects")] == ["car_c"]
    (lead,) = await stranger.do("create_update_leads", leads=[{"email": "a@x.example"}])
    cars = [{"vin": "V1", "owner": lead["id"], "km": 5}, {"vin": "V2", "owner": 99}, {"vin": "v1", "km": 6}, {"km": 7}]
    made = await stranger.do("create_update_custom_objects", name="car_c", input=cars)
    assert [one.get("reasons", [{"code": one["status"]}])[0]["code"] for one in made] == ["created", "1004", "1036", "1002"]
    guid = made[0]["marketoGUID"]
    (again,) = await stranger.do(
        "create_update_custom_objects", name="car_c", input=[{"marketoGUID": guid, "km": 9}], action="updateOnly", dedupeBy="idField"
    )
    assert (again["status"], again["marketoGUID"]) == ("updated", guid)
    found = await stranger.do("get_custom_objects", name="car_c", input=[{"vin": "V1"}], filterType="dedupeFields", fields=["km", "owner"])
    assert [(one["km"], one["owner"]) for one in found] == [(9, lead["id"])]
    assert statuses(await stranger.do("delete_custom_objects", name="car_c", input=[{"vin": "V1"}, {"vin": "V1"}])) == [
        "deleted",
        "skipped",
    ]
    await stranger.do("add_field_custom_object_type", apiName="car_c", fields=[{"name": "hue", "displayName": "Hue", "dataType": "string"}])
    await stranger.do("discard_custom_object_type", apiName="car_c")
    await stranger.do("delete_custom_object_type", apiName="car_c")
    assert await stranger.do("get_list_of_custom_object_types") == []


async def test_custom_activities(stranger: Any) -> None:
    words = {"name": "Visit", "triggerName": "Visits", "filterName": "Visited"}
    (made,) = await stranger.do(
        "create_custom_activity_type", apiName="visit_c", **words, primaryAttributeApiName="place", primaryAttributeName="Place"
    )
    assert (made["status"], made["id"]) == ("draft", 100_001)
    attributes = [{"apiName": "minutes", "name": "Minutes", "dataType": "integer"}]
    await stranger.do("create_custom_activity_type_attribute", apiName="visit_c", attributes=attributes)
    await stranger.do("update_custom_activity_type", apiName="visit_c", description="who came")
    await stranger.do("update_custom_activity_type_attribute", apiName="visit_c", attributes=[{"apiName": "minutes", "name": "Min"}])
    await stranger.do("approve_custom_activity_type", apiName="visit_c")
    (shown,) = await stranger.do("describe_custom_activity_type", apiName="visit_c")
    assert (shown["status"], shown["attributes"][0]["name"]) == ("approved", "Min")
    (lead,) = await stranger.do("create_update_leads", leads=[{"email": "a@x.example"}])
    row = {"leadId": lead["id"], "activityDate": "2024-09-26T06:56:35+07:00", "activityTypeId": made["id"], "primaryAttributeValue": "Rome"}
    results = await stranger.do(
        "add_custom_activities", input=[row | {"attributes": [{"apiName": "minutes", "value": 7}]}, row, row | {"leadId": 99}]
    )
    assert statuses(results) == ["added", "added", "skipped"]
    assert results[2]["errors"][0]["code"] == "1004"
    token = await stranger.do("get_paging_token", sinceDatetime="2024-01-01T00:00:00Z")
    rows = await stranger.do("get_lead_activities", activityTypeIds=[str(made["id"])], nextPageToken=token)
    assert [one["marketoGUID"] for one in rows] == [results[0]["marketoGUID"], results[1]["marketoGUID"]]
    assert (rows[0]["activityDate"], rows[0]["primaryAttributeValue"]) == ("2024-09-25T23:56:35Z", "Rome")
    assert rows[0]["attributes"] == [{"name": "Min", "value": 7}]
    await stranger.do("create_custom_activity_type_attribute", apiName="visit_c", attributes=[{"apiName": "hue", "dataType": "string"}])
    await stranger.do("delete_custom_activity_type_attribute", apiName="visit_c", attributes=[{"apiName": "hue"}])
    await stranger.do("discard_custom_activity_type_draft", apiName="visit_c")
    assert made["id"] in {one["id"] for one in await stranger.do("get_activity_types")}
    await stranger.do("delete_custom_activity_type", apiName="visit_c")
    assert await stranger.do("get_custom_activity_types") == []
