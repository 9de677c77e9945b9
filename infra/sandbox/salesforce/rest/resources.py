"""Versions, limits, object lists, describe and event schemas."""

from __future__ import annotations

from email.utils import formatdate

import orjson

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.describe import describe_brief, describe_event, describe_full, event_brief
from infra.sandbox.salesforce.rest.whoami import identity_url
from infra.sandbox.salesforce.saving.cascades import along
from infra.sandbox.salesforce.wire.errors import ApiError, not_found
from infra.sandbox.salesforce.wire.stamps import http_ms

OLDEST, NEWEST = 31, 67
RELEASES = ("Spring", "Summer", "Winter")


def versions() -> list[dict[str, str]]:
    """All versions that are served, oldest first."""
    return [
        {"label": f"{RELEASES[n % 3]} '{(n + 13) // 3:02d}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"}
        for n in range(OLDEST, NEWEST + 1)
    ]


def resources(call: Call) -> Reply:
    names = ("sobjects", "query", "queryAll", "limits", "composite", "event", "jobs", "tooling")
    identity = identity_url(call.caller.user_id, "https://login.salesforce.com")
    return json_reply({**{name: f"{call.base}/{name}" for name in names}, "identity": identity})


def limits(call: Call) -> Reply:
    org, now_ms = call.org, call.org.clock.now_ms()
    spent = {
        "DailyApiRequests": (org.api_calls.most, org.api_calls.remaining(now_ms)),
        "DailyDeliveredPlatformEvents": (org.delivered.most, org.delivered.remaining(now_ms)),
        "DurableStreamingApiConcurrentClients": (org.options.cometd_clients_max, org.options.cometd_clients_max - org.streaming_clients()),
        "DailyBulkV2QueryJobs": (org.bulk_queries.most, org.bulk_queries.remaining(now_ms)),
        "DailyBulkV2QueryFileStorageMB": (976_562, 976_562),
        "DataStorageMB": (20_480, 20_480),
    }
    return json_reply({name: {"Max": most, "Remaining": left} for name, (most, left) in spent.items()})


def list_objects(call: Call) -> Reply:
    objects = call.view.objects().values()
    briefs = [describe_brief(seen, call.base) for seen in objects]
    briefs += [event_brief(seen, call.base) for seen in objects if seen.kind.captured]
    return json_reply({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": briefs})


def basic_info(call: Call) -> Reply:
    return json_reply({"objectDescribe": describe_brief(call.object(call.params["object"]), call.base), "recentItems": []})


def describe(call: Call) -> Reply:
    """A describe; `LeadChangeEvent` can be described too, without the fields that the caller may not read. Answers 304 when the types
    have not changed since the time asked about (REST API guide, sObject describe)."""
    name = call.params["object"]
    event = _of_event(call, name)
    changed_ms = call.org.schema_ms // 1000 * 1000
    since = http_ms(call.headers.get("if-modified-since"))
    if since is not None and changed_ms <= since:
        return Reply(status=304)
    headers = {"Last-Modified": formatdate(changed_ms / 1000, usegmt=True)}
    if event is not None:
        return json_reply(describe_event(event, call.base), headers=headers)
    seen = call.object(name)
    types = [row for row in call.org.store.live("RecordType") if row.get("SobjectType") == seen.kind.name]
    return json_reply(
        describe_full(seen, call.base, call.view.children(seen.kind), types, along(call.org.schema, seen.kind)), headers=headers
    )


def event_schema(call: Call) -> Reply:
    """The schema by event name; all fields are in it, hidden ones too (CDC guide, field-level security)."""
    seen = _of_event(call, call.params["object"])
    if seen is None:
        raise not_found()
    return _schema_reply(call, call.org.event_schemas.id_of(seen.kind.name))


def event_schema_by_id(call: Call) -> Reply:
    return _schema_reply(call, call.params["schema"])


def _schema_reply(call: Call, wanted: str) -> Reply:
    text = call.org.event_schemas.text_of(wanted)
    if text is None:
        raise not_found()
    return json_reply({**orjson.loads(text), "uuid": wanted})


def not_here(call: Call) -> Reply:
    """Parts of the real API that this org does not have say so; they never answer an empty success."""
    raise ApiError(501, "NOT_IN_SANDBOX", f"{call.method} {call.path} is not part of this sandbox")


def _of_event(call: Call, name: str) -> VisibleObject | None:
    kind = call.org.schema.by_change_event.get(name)
    return None if kind is None or not kind.captured else call.view.object(kind.name)
