"""The common interface of companies, roles and the like: what is sent, and what comes back."""

from typing import Any

import orjson
import pytest
from aiohttp import web

from streams.marketo.api.calling import BATCH_RECORDS_MAX
from streams.marketo.api.resource import Resource
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import ItemResult
from streams.wire.errors import Reject
from streams.wire.systems import Object
from tests.streams.marketo.marketo_stub import NOW_MS, MarketoStub, failure
from tests.streams.marketo.test_marketo_rest import done

COMPANIES = Resource(object=Object("company"), path="companies", key=("externalCompanyId",), id_field="id")
ROLES = Resource(object=Object("role"), path="opportunities/roles", key=("externalOpportunityId", "leadId", "role"), id_field="marketoGUID")
PATH, ROLES_PATH = "/rest/v1/companies.json", "/rest/v1/opportunities/roles.json"


async def test_results_are_found_by_their_seq_whatever_order_they_come_in(stub: MarketoStub, rest: MarketoRest) -> None:
    skipped = {"seq": 0, "status": "skipped", "reasons": [{"code": "1003", "message": "no"}]}
    stub.scripts[ROLES_PATH] = [
        done({"seq": 2, "status": "updated", "marketoGUID": "c-2"}, skipped, {"seq": 9, "status": "created"}, {"id": 1})
    ]
    records: list[dict[str, Any]] = [{"externalOpportunityId": f"006{n}", "leadId": n, "role": "Buyer"} for n in range(3)]
    answer = await rest.resources.sync_records(ROLES, records)
    assert answer.results == [
        ItemResult(id=None, status="skipped", code="1003", message="no"),
        ItemResult(id=None, status="unknown", message="Marketo's answer has no result for this record"),
        ItemResult(id="c-2", status="updated"),
    ]
    (seen,) = stub.asked(ROLES_PATH)
    assert orjson.loads(seen.body) == {"action": "createOrUpdate", "dedupeBy": "dedupeFields", "input": records}
    assert rest.calls == 1


async def test_records_can_be_named_by_the_id_that_marketo_gave_them(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[PATH] = [done({"seq": 0, "status": "updated", "id": 5})]
    stub.scripts["/rest/v1/companies/delete.json"] = [done({"seq": 0, "status": "deleted", "id": 5}), done({"seq": 0, "status": "deleted"})]
    updated = await rest.resources.sync_records(COMPANIES, [{"id": 5, "company": "Acme"}], "updateOnly", by_id=True)
    deleted = await rest.resources.delete_records(COMPANIES, ["5"], by_id=True)
    await rest.resources.delete_records(COMPANIES, ["001A"])
    assert [each.results[0].id for each in (updated, deleted)] == ["5", "5"]
    assert [orjson.loads(seen.body) for seen in stub.seen if seen.body.startswith(b"{")] == [
        {"action": "updateOnly", "dedupeBy": "idField", "input": [{"id": 5, "company": "Acme"}]},
        {"deleteBy": "idField", "input": [{"id": "5"}]},
        {"deleteBy": "dedupeFields", "input": [{"externalCompanyId": "001A"}]},
    ]


async def test_a_call_refused_as_a_whole_is_for_the_caller_to_halve(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[PATH] = [failure("718", "externalSalesPersonId not found")]
    with pytest.raises(Reject) as refused:
        await rest.resources.sync_records(COMPANIES, [{"externalCompanyId": "001A"}] * 2)
    assert refused.value.code == "718"
    with pytest.raises(Reject, match="300 records"):
        await rest.resources.sync_records(COMPANIES, [{"externalCompanyId": "001A"}] * (BATCH_RECORDS_MAX + 1))


async def test_a_batch_over_one_megabyte_goes_in_parts_each_with_its_own_seq(stub: MarketoStub, rest: MarketoRest) -> None:
    async def apply(request: web.Request) -> web.Response:
        records = orjson.loads(await request.read())["input"]
        rows = [{"seq": seq, "id": record["n"], "status": "updated"} for seq, record in enumerate(records)]
        return web.json_response(done(*reversed(rows)))

    stub.scripts[PATH] = [apply] * 4
    answer = await rest.resources.sync_records(COMPANIES, [{"n": number, "notes": "x" * 250_000} for number in range(6)])
    assert [result.id for result in answer.results] == [str(number) for number in range(6)]
    assert len(stub.asked(PATH)) > 1


async def test_what_is_read_answers_to_the_key_as_it_was_asked_for(stub: MarketoStub, rest: MarketoRest) -> None:
    """Marketo folds case; a record may show its key in another spelling than ours."""
    stub.scripts[PATH] = [
        done({"seq": 0, "id": 5, "externalCompanyId": "001a", "company": "Acme"}, nextPageToken="T=="),
        done({"seq": 0, "id": 6, "externalCompanyId": "001B"}),
    ]
    found = await rest.resources.read_records(COMPANIES, ["001A", "001B", "001C", "001a"], ["company"])
    assert {key: (each.id, each.fields["company"]) for key, each in found.items()} == {
        "001A": ("5", "Acme"), "001a": ("5", "Acme"), "001B": ("6", None),
    }  # fmt: skip
    assert found["001A"].at < NOW_MS < found["001A"].until
    first, second = stub.asked(PATH)
    assert (first.query["filterType"], first.query["filterValues"]) == ("externalCompanyId", "001A,001B,001C")
    assert first.query["fields"] == "company,externalCompanyId,id"
    assert second.query["nextPageToken"] == "T=="


async def test_keys_are_read_300_a_call(stub: MarketoStub, rest: MarketoRest) -> None:
    async def answer(request: web.Request) -> web.Response:
        values = request.query["filterValues"].split(",")
        return web.json_response(done(*({"id": int(each), "externalCompanyId": each} for each in values), nextPageToken="more"))

    stub.scripts[PATH] = [answer] * 3
    keys = [str(number) for number in range(601)]
    assert list(await rest.resources.read_records(COMPANIES, keys, [])) == keys
    assert [len(seen.query["filterValues"].split(",")) for seen in stub.asked(PATH)] == [300, 300, 1]
    stub.scripts[PATH] = [answer]
    assert (await rest.resources.read_records_by_id(COMPANIES, ["7"], []))["7"].fields == {"id": 7}
    assert stub.asked(PATH)[-1].query["filterType"] == "id"


async def test_compound_keys_are_asked_for_in_the_body_again_with_each_token(stub: MarketoStub, rest: MarketoRest) -> None:
    row = {"externalOpportunityId": "006A", "leadId": 7, "role": "buyer"}
    stub.scripts[ROLES_PATH] = [
        done(row | {"seq": 0, "marketoGUID": "a-1", "isPrimary": True}, nextPageToken="T=="),
        done(row | {"seq": 0, "marketoGUID": "a-2", "role": "Seller"}),
    ]
    keys: list[tuple[str | int, ...]] = [("006A", "7", "Buyer"), ("006A", 7, "Seller"), ("006A", 8, "Buyer")]
    found = await rest.resources.read_records(ROLES, keys, ["isPrimary"])
    assert {key: (each.id, each.fields["isPrimary"]) for key, each in found.items()} == {keys[0]: ("a-1", True), keys[1]: ("a-2", None)}
    first, second = stub.asked(ROLES_PATH)
    assert (first.method, first.query["_method"]) == ("POST", "GET")
    body = orjson.loads(first.body)
    assert (body["filterType"], body["fields"]) == (
        "dedupeFields", ["externalOpportunityId", "isPrimary", "leadId", "marketoGUID", "role"],
    )  # fmt: skip
    assert body["input"] == [dict(zip(ROLES.key, key, strict=True)) for key in keys]
    assert orjson.loads(second.body) == body | {"nextPageToken": "T=="}


async def test_a_key_with_a_comma_can_not_be_searched_for_alone(stub: MarketoStub, rest: MarketoRest) -> None:
    with pytest.raises(Reject, match="comma") as refused:
        await rest.resources.read_records(COMPANIES, ["a,b"], [])
    assert refused.value.code == "1003"
    assert stub.seen == []


async def test_a_key_is_written_though_it_is_told_as_not_updateable(stub: MarketoStub, rest: MarketoRest) -> None:
    told = [
        {"name": "externalCompanyId", "displayName": "Key", "dataType": "string", "length": 100, "updateable": False},
        {"name": "createdAt", "displayName": "Created", "dataType": "datetime", "updateable": False},
        {"name": "company", "displayName": "Name", "dataType": "string", "updateable": True},
    ]
    entry = {"idField": "id", "dedupeFields": ["externalCompanyId"], "searchableFields": [["externalCompanyId"], ["id"]], "fields": told}
    stub.scripts["/rest/v1/companies/describe.json"] = [done(entry), done({"fields": []})]
    schema = await rest.resources.describe_records(COMPANIES)
    assert {field.name: field.updateable for field in schema.fields} == {"externalCompanyId": True, "createdAt": False, "company": True}
    assert (schema.id_field, schema.dedupe, schema.searchable) == ("id", ["externalCompanyId"], [["externalCompanyId"], ["id"]])
    with pytest.raises(Reject, match="describe companies"):
        await rest.resources.describe_records(COMPANIES)


async def test_an_answer_of_another_shape_is_refused(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[PATH] = [done({"externalCompanyId": "001A"})]
    with pytest.raises(Reject, match="unexpected shape"):
        await rest.resources.read_records(COMPANIES, ["001A"], [])


def test_what_names_no_list_of_records_is_refused() -> None:
    with pytest.raises(ValueError, match="path"):
        Resource(object=Object("x"), path="../leads", key=("id",), id_field="id")
    with pytest.raises(ValueError, match="no key"):
        Resource(object=Object("x"), path="companies", key=(), id_field="id")
    with pytest.raises(ValueError, match="argument"):
        ROLES.named("006A")
