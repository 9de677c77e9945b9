"""Tooling API, as far as change data capture is set up through it: PlatformEventChannel and PlatformEventChannelMember (CDC guide), and
EntityDefinition."""

from __future__ import annotations

import re
from typing import Any

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.access.views import Permissions, View
from infra.sandbox.salesforce.events.channels import EVERY_ENTITY
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.records.store import Store
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.definitions import ENTITY, check_query, entity_definition
from infra.sandbox.salesforce.rest.definitions import rows as definitions
from infra.sandbox.salesforce.rest.rendering import query_render
from infra.sandbox.salesforce.schema.shapes import area, object_type, text
from infra.sandbox.salesforce.schema.types import ObjectType, Row, Schema
from infra.sandbox.salesforce.soql.grammar.parser import parse
from infra.sandbox.salesforce.soql.run import run
from infra.sandbox.salesforce.state.members import Member
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, no_such_type, not_found
from infra.sandbox.salesforce.wire.stamps import stamp_of

CHANNEL, MEMBER = "PlatformEventChannel", "PlatformEventChannelMember"


def tooling_objects() -> list[ObjectType]:
    return [
        object_type(CHANNEL, "0YL", [
            text("DeveloperName", 80), text("MasterLabel", 80), text("ChannelType", 40), text("FullName", 90), text("NamespacePrefix", 15),
        ], owners=()),
        object_type(MEMBER, "0v8", [
            text("DeveloperName", 80), text("MasterLabel", 80), text("EventChannel", 90), text("SelectedEntity", 80), text("FullName", 90),
            area("FilterExpression", 131_072), area("EnrichedFields", 32_000),
        ], owners=()),
        entity_definition(),
    ]  # fmt: skip


def query(call: Call) -> Reply:
    source = call.query.get("q")
    if source is None:
        raise ApiError(400, "MALFORMED_QUERY", "SOQL query is required: parameter q is missing")
    schema, wanted = Schema(tooling_objects()), parse(source)
    if wanted.object.lower() == ENTITY.lower():
        check_query(wanted)
    answer = run(wanted, View(schema, Permissions(), ""), _store(call, schema), call.org.today)
    base = f"{call.base}/tooling"
    if answer.records is not None:
        records = answer.records
    else:
        render = query_render(answer, schema, base)
        records = [render(row) for row in answer.rows]
    call.records = len(records)
    return json_reply({
        "size": len(records), "totalSize": answer.total, "done": True, "queryLocator": None, "entityTypeName": answer.kind,
        "records": records,
    })  # fmt: skip


def create(call: Call) -> Reply:
    """POST /tooling/sobjects/{PlatformEventChannel | PlatformEventChannelMember} {FullName, Metadata}"""
    body, name = call.json_object(), call.params["object"]
    metadata = body.get("Metadata")
    if not isinstance(metadata, dict) or not body.get("FullName"):
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName, Metadata]", ["FullName", "Metadata"])
    if name == CHANNEL:
        if metadata.get("channelType") != "data":
            raise ApiError(400, "INVALID_INPUT", "The channelType is data for change events")
        _set_up(call.org, "add_channel", {"name": str(body["FullName"])})
        return _created(_channel_id(call.org, str(body["FullName"])))
    if name == MEMBER:
        channel, entity = str(metadata.get("eventChannel") or EVERY_ENTITY), _entity(call.org, metadata.get("selectedEntity"))
        if call.org.member_of(channel, entity) is not None:
            raise ApiError(400, "DUPLICATE_VALUE", f"The entity {metadata.get('selectedEntity')} is already selected on {channel}")
        _set_up(call.org, "add_channel_member", {"channel": channel, "entity": entity, **_how(metadata)})
        made = call.org.member_of(channel, entity)
        return _created("" if made is None else made.id)
    raise not_found()


def read(call: Call) -> Reply:
    if call.params["object"] == MEMBER:
        member = _member(call)
        metadata: dict[str, Any] = {
            "eventChannel": member.channel, "selectedEntity": _event_name(call.org, member.entity), "filterExpression": member.filter,
            "enrichedFields": [{"name": each} for each in member.enriched],
        }  # fmt: skip
        return json_reply({"Id": member.id, "FullName": _full_name(call.org, member), "Metadata": metadata})
    name = next((each for each in call.org.channels if _channel_id(call.org, each) == call.params["id"]), None)
    if call.params["object"] != CHANNEL or name is None:
        raise not_found()
    label = name.removesuffix("__chn")
    return json_reply({"Id": call.params["id"], "FullName": name, "Metadata": {"channelType": "data", "label": label}})


def update(call: Call) -> Reply:
    """PATCH of a member: other enrichment, other filter."""
    member, metadata = _member(call), call.json_object().get("Metadata")
    if not isinstance(metadata, dict):
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Metadata]", ["Metadata"])
    _set_up(call.org, "add_channel_member", {"channel": member.channel, "entity": member.entity, **_how(metadata)})
    return Reply(status=204)


def delete(call: Call) -> Reply:
    _set_up(call.org, "remove_channel_member", {"id": _member(call).id})
    return Reply(status=204)


def _store(call: Call, schema: Schema) -> Store:
    """The channels and members of now, and the objects that the caller sees, as rows."""
    org = call.org
    store, stamp = Store(schema), stamp_of(org.clock.now_ms())
    stamps: Row = {"CreatedDate": stamp, "LastModifiedDate": stamp, "SystemModstamp": stamp}

    def put(name: str, row: Row) -> None:
        store.apply(Entry(0, "", "create", name, str(row["Id"]), None, {**row, **stamps}))

    for key, row in definitions(call.view, org.permissions.private, stamp).items():
        store.apply(Entry(0, "", "create", ENTITY, key, None, row))
    for name in org.channels:
        label = name.removesuffix("__chn")
        put(CHANNEL, {"Id": _channel_id(org, name), "DeveloperName": label, "MasterLabel": label, "ChannelType": "data", "FullName": name})
    for member in org.members.values():
        full = _full_name(org, member)
        put(MEMBER, {
            "Id": member.id, "DeveloperName": full, "MasterLabel": full, "EventChannel": member.channel, "FullName": full,
            "SelectedEntity": _event_name(org, member.entity), "FilterExpression": member.filter,
            "EnrichedFields": ",".join(member.enriched) or None,
        })  # fmt: skip
    return store


def _set_up(org: Org, verb: str, args: dict[str, Any]) -> None:
    try:
        org.set_up(verb, args)
    except ValueError as refused:
        code = "LIMIT_EXCEEDED" if "are allowed" in str(refused) else "INVALID_INPUT"
        raise ApiError(400, code, str(refused)) from None


def _how(metadata: dict[str, Any]) -> dict[str, Any]:
    enriched = metadata.get("enrichedFields") or []
    return {"enriched": [str(each.get("name")) for each in enriched if isinstance(each, dict)], "filter": metadata.get("filterExpression")}


def _entity(org: Org, selected: object) -> str:
    kind = org.schema.by_change_event.get(str(selected))
    if kind is None or not kind.captured:
        raise no_such_type(str(selected))
    return kind.name


def _event_name(org: Org, entity: str) -> str:
    return org.schema.objects[entity].change_event


def _member(call: Call) -> Member:
    wanted = call.params["id"]
    member = call.org.members.get(ids.normalise(wanted)) if ids.well_formed(wanted) else None
    if member is None or call.params["object"] != MEMBER:
        raise not_found()
    return member


def _full_name(org: Org, member: Member) -> str:
    return f"{member.channel.removesuffix('__chn')}_{re.sub('__', '_', _event_name(org, member.entity))}"


def _channel_id(org: Org, name: str) -> str:
    return ids.make("0YL", list(org.channels).index(name) + 1)


def _created(record_id: str) -> Reply:
    return json_reply({"id": record_id, "success": True, "errors": [], "warnings": [], "infos": []}, 201)
