"""Custom activities and their types over REST: written once, never changed; found again by the record that they tell of."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from streams.budget.port import Lane
from streams.marketo.api.calling import BATCH_RECORDS_MAX, Calling, field_of, results_by_place, shape
from streams.marketo.api.custom_activity import DATE, LEAD, Attribute, CustomActivity, Found, TypeState
from streams.marketo.api.session import Answer, Call
from streams.marketo.api.wire import FieldInfo, Schema, SyncAnswer
from streams.wire.errors import Reject

_EXTERNAL = "/rest/v1/activities/external"
PAGES_MAX = 1_000
"""Pages that one search reads at the most; a page is a block of all activities that the instance has."""


class MarketoCustomActivities:
    """Typed calls. Raises the errors of `streams.wire.errors` and nothing else; what reads is safe to repeat, `add` is not."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    async def add(self, records: Sequence[Mapping[str, Any]], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Adds at most 300 activities (`CustomActivity.told`); results in input order, with the GUIDs that Marketo gave them.

        There is no key: sent again, the same is there twice. A batch over 1 MB goes in several calls.
        """
        return await self._calling.write_batch(f"{_EXTERNAL}.json", {}, records, lane, results_in=results_by_place)

    async def type_of(self, kind: CustomActivity, lane: Lane = Lane.LIVE) -> TypeState | None:
        """The type as the instance has it; None where it has none."""
        row = await self._described(kind, lane)
        if row is None:
            return None
        with shape(f"activity type {kind.api_name}"):
            status = str(row.get("status", ""))
            attributes = {str(each["apiName"]): str(each.get("dataType", "")) for each in row.get("attributes") or []}
            approved, draft = status.startswith("approved"), status != "approved"
            return TypeState(number=int(row["id"]), approved=approved, draft=draft, attributes=attributes)

    async def describe(self, kind: CustomActivity, lane: Lane = Lane.LIVE) -> Schema | None:
        """The fields of an approved type, with what every activity has; None where there is none, or it isn't approved."""
        row = await self._described(kind, lane)
        if row is None or not str(row.get("status", "")).startswith("approved"):
            return None
        with shape(f"activity type {kind.api_name}"):
            always = [
                FieldInfo(name=LEAD, label="Lead Id", type="integer"),
                FieldInfo(name=DATE, label="Activity Date", type="datetime"),
                FieldInfo(name=kind.primary, label="", type="string", length=255),
            ]
            told = [field_of(each, str(each["apiName"]), updateable=True) for each in row.get("attributes") or []]
            return Schema(fields=[*always, *told], searchable=[], id_field=kind.id_field, dedupe=list(kind.key))

    async def find(self, kind: CustomActivity, records: Collection[str], since_ms: int, lane: Lane = Lane.LIVE) -> list[Found]:
        """The activities that tell of these records and are dated `since_ms` or later (whoever's they are now: people are merged).

        Raises `Reject` where that would be a search through more than a thousand blocks of the log, or nothing tells them apart.
        """
        row = await self._described(kind, lane)
        if row is None:
            raise Reject(f"the activity type {kind.api_name} is not there, so nobody can say which of its activities are", code="1013")
        with shape(f"activity type {kind.api_name}"):
            number, label = int(row["id"]), _label(row, kind)
        since = datetime.fromtimestamp(since_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        token = (await self._calling.get("/rest/v1/activities/pagingtoken.json", {"sinceDatetime": since}, lane)).next_page_token
        wanted, found = frozenset(records), list[Found]()
        for _ in range(PAGES_MAX):
            params = {"nextPageToken": token, "activityTypeIds": str(number), "batchSize": str(BATCH_RECORDS_MAX)}
            page = await self._calling.get("/rest/v1/activities.json", params, lane)
            found += [each for row in page.result if (each := _found(row, label)) is not None and each.record in wanted]
            token = page.next_page_token or token
            if not page.more:
                return found
        raise Reject(f"activities since {since} fill more than {PAGES_MAX:,} blocks of Marketo's log")

    async def create(self, kind: CustomActivity, description: str, lane: Lane = Lane.LIVE) -> None:
        """Makes a draft of the type, with its primary attribute."""
        primary = {"apiName": kind.primary, "name": label_of(kind.primary)}
        body = {
            "apiName": kind.api_name, "name": kind.name, "triggerName": kind.trigger_name, "filterName": kind.filter_name,
            "description": description, "primaryAttribute": primary,
        }  # fmt: skip
        await self._post(f"{_EXTERNAL}/type.json", body, lane)

    async def add_attributes(self, kind: CustomActivity, attributes: Sequence[Attribute], lane: Lane = Lane.LIVE) -> None:
        """Adds attributes to the draft of the type, which an approved one gets by it."""
        rows = [{"apiName": each.name, "name": each.label, "dataType": each.data_type} for each in attributes]
        await self._post(f"{_EXTERNAL}/type/{kind.api_name}/attributes/create.json", {"attributes": rows}, lane)

    async def approve(self, kind: CustomActivity, lane: Lane = Lane.LIVE) -> None:
        """Makes the draft the version that counts: activities of the type can be added."""
        await self._post(f"{_EXTERNAL}/type/{kind.api_name}/approve.json", {}, lane)

    async def _described(self, kind: CustomActivity, lane: Lane) -> dict[str, Any] | None:
        """Marketo refuses to describe a type that it hasn't got."""
        try:
            answer = await self._calling.get(f"{_EXTERNAL}/type/{kind.api_name}/describe.json", {}, lane)
        except Reject:
            return None
        return answer.result[0] if answer.result else None

    async def _post(self, path: str, body: Mapping[str, Any], lane: Lane) -> Answer:
        return await self._calling.call(Call(method="POST", path=path, body=orjson.dumps(body), write=True), lane)


def label_of(name: str) -> str:
    """`salesforceId` -> `Salesforce Id`: what people read."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in name)
    return f"{words[:1].upper()}{words[1:]}"


def _label(row: Mapping[str, Any], kind: CustomActivity) -> str:
    """How the log names the attribute with the record's id: by what people read, not by its API name."""
    for each in row["attributes"]:
        if each["apiName"] == kind.stored_id:
            return str(each.get("name") or each["apiName"])
    raise Reject(f"the activity type {kind.api_name} has no attribute {kind.stored_id}, so its activities can't be told apart", code="1006")


def _found(row: object, label: str) -> Found | None:
    if not isinstance(row, dict):
        return None
    told = (each for each in row.get("attributes") or [] if isinstance(each, dict) and each.get("name") == label)
    record = next((str(each.get("value")) for each in told), "")
    guid = row.get("marketoGUID") or row.get("id")
    return Found(guid=str(guid), lead=str(row.get("leadId")), record=record) if record and guid else None
