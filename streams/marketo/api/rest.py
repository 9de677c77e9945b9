"""Marketo's lead database and activity log over REST: one method per endpoint, every call under the budget."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from streams.budget.port import Budget, Lane
from streams.marketo.api.bulk import MarketoBulk
from streams.marketo.api.calling import BATCH_RECORDS_MAX, Calling, field_of, results_by_place, shape
from streams.marketo.api.custom_activities import MarketoCustomActivities
from streams.marketo.api.object_types import MarketoObjectTypes
from streams.marketo.api.programs import MarketoPrograms
from streams.marketo.api.resources import MarketoResources
from streams.marketo.api.session import Answer, Call, MarketoSession
from streams.marketo.api.wire import ActivityType, FieldInfo, Lead, Page, PagingToken, Schema, SyncAnswer, Usage
from streams.wire.errors import Reject
from streams.wire.events import Value

MERGE_LOSERS_MAX = 25
"""More are refused with 1080 (Marketo, Merge Leads)."""
ACTIVITY_TYPES_MAX = 10

_LEADS = "/rest/v1/leads.json"
_ACTIVITIES = "/rest/v1/activities"


class MarketoRest:
    """Calls to one instance. Raises the errors of `streams.wire.errors` and nothing else; reads are safe to repeat.

    `patience_seconds`: for how long a call waits here for a limit of the instance to pass (`Calling`).
    """

    def __init__(self, session: MarketoSession, budget: Budget, patience_seconds: float = 0.0) -> None:
        self._calling = Calling(session, budget, patience_seconds)
        self.resources = MarketoResources(self._calling)
        """Everything but people that has the common interface."""
        self.object_types = MarketoObjectTypes(self._calling)
        """What custom objects there are, and how one is made."""
        self.programs = MarketoPrograms(self._calling)
        """Programs, their channels and members."""
        self.custom_activities = MarketoCustomActivities(self._calling)
        """Activities of types of our own, and the types."""
        self.bulk = MarketoBulk(self._calling)
        """Extracts of all people, and of all members."""

    @property
    def calls(self) -> int:
        """Calls made, for reports."""
        return self._calling.calls

    async def sync(
        self, records: Sequence[Mapping[str, Value]], action: str, lookup_field: str | None, lane: Lane = Lane.LIVE
    ) -> SyncAnswer:
        """Writes at most 300 leads; results in input order. `action`: createOnly, updateOnly, createOrUpdate, createDuplicate.

        A batch over 1 MB goes in several calls. Once a part was applied, a refusal of another stands in its results, and any
        other failure is raised as `Unknown`: some of the batch is done. Records with the same key belong in one call after the
        other, never side by side: Marketo makes duplicates of concurrent upserts (Marketo, Sync Leads).
        """
        frame: dict[str, Any] = {"action": action}
        if lookup_field is not None and action not in {"createOnly", "createDuplicate"}:
            frame["lookupField"] = lookup_field
        return await self._calling.write_batch(_LEADS, frame, records, lane, results_in=results_by_place)

    async def delete(self, ids: Sequence[str], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Deletes at most 300 leads; `skipped` 1004 where there is none."""
        return await self._calling.write_batch(
            "/rest/v1/leads/delete.json", {}, [{"id": int(each)} for each in ids], lane, results_in=results_by_place
        )

    async def merge(self, winner: str, losers: Sequence[str], lane: Lane = Lane.LIVE) -> str:
        """Merges the losers (at most 25) into the winner, whose values stay unless empty. The request id."""
        if not 0 < len(losers) <= MERGE_LOSERS_MAX:
            raise Reject(f"Marketo merge takes 1 to {MERGE_LOSERS_MAX} losers, not {len(losers)}", code="1080")
        call = Call(
            method="POST",
            path=f"/rest/v1/leads/{int(winner)}/merge.json",
            params={"leadIds": ",".join(losers)},
            write=True,
            timeout_seconds=self._calling.session.settings.merge_seconds,
        )
        return (await self._calling.call(call, lane)).request_id

    async def read(self, ids: Sequence[str], fields: Sequence[str], lane: Lane = Lane.LIVE) -> dict[str, Lead]:
        """Leads by id, 300 a call; ids that don't exist are absent."""
        return {lead.id: lead for lead in await self.find("id", ids, fields, lane)}

    async def find(self, filter_type: str, values: Sequence[str], fields: Sequence[str], lane: Lane = Lane.LIVE) -> list[Lead]:
        """Leads whose `filter_type` is one of `values`, 300 values a call, all pages.

        Raises `Reject` for a value with a comma, which the list of values can't carry, and what Marketo says (1003 for more
        than 1,000 matches).
        """
        if any("," in value for value in values):
            raise Reject(f"Marketo can't search {filter_type} for a value with a comma in it", code="1003")
        found: list[Lead] = []
        names = sorted({"id", *fields})
        for start in range(0, len(values), BATCH_RECORDS_MAX):
            part = values[start : start + BATCH_RECORDS_MAX]
            params = {
                "filterType": filter_type,
                "filterValues": ",".join(part),
                "fields": ",".join(names),
                "batchSize": str(BATCH_RECORDS_MAX),
            }
            token = ""
            while True:
                answer = await self._calling.get(_LEADS, params | ({"nextPageToken": token} if token else {}), lane)
                with shape("leads"):
                    found += [_lead(row, names, answer) for row in answer.result]
                token = answer.next_page_token
                if not token or not answer.result or (filter_type == "id" and len(answer.result) >= len(part)):
                    break
        return found

    async def describe2(self, lane: Lane = Lane.LIVE) -> Schema:
        """The lead's fields with what may be written, and what can be searched by."""
        answer = await self._calling.get("/rest/v1/leads/describe2.json", {}, lane)
        with shape("describe2"):
            entry = answer.result[0]
            fields = [field_of(row, row["name"], updateable=bool(row.get("updateable", True))) for row in entry["fields"]]
            return Schema(fields=fields, searchable=[list(names) for names in entry.get("searchableFields", [])])

    async def describe(self, lane: Lane = Lane.LIVE) -> list[FieldInfo]:
        """The lead's fields with their numeric ids; fields that REST can't see are left out."""
        answer = await self._calling.get("/rest/v1/leads/describe.json", {}, lane)
        with shape("describe"):
            seen = [row for row in answer.result if "rest" in row]
            return [field_of(row, row["rest"]["name"], updateable=not row["rest"].get("readOnly", False)) for row in seen]

    async def create_fields(self, fields: Sequence[Mapping[str, Value]], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Creates custom lead fields (`name`, `displayName`, `dataType`); they can be hidden later, never deleted."""
        return await self._calling.write_batch("/rest/v1/leads/schema/fields.json", {}, fields, lane, results_in=results_by_place)

    async def activity_types(self, lane: Lane = Lane.LIVE) -> list[ActivityType]:
        """The instance's own list of activity types."""
        answer = await self._calling.get(f"{_ACTIVITIES}/types.json", {}, lane)
        with shape("activity types"):
            return [
                ActivityType(id=int(row["id"]), name=row.get("name", ""), attributes=[each["name"] for each in row.get("attributes") or []])
                for row in answer.result
            ]

    async def paging_token(self, since_ms: int, lane: Lane = Lane.LIVE) -> PagingToken:
        """A token for activities after a moment (whole seconds)."""
        since = datetime.fromtimestamp(since_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = await self._calling.get(f"{_ACTIVITIES}/pagingtoken.json", {"sinceDatetime": since}, lane)
        return PagingToken(token=answer.next_page_token, server_ms=answer.at)

    async def activities(self, token: str, type_ids: Sequence[int], lane: Lane = Lane.LIVE, leads: Sequence[str] = ()) -> Page:
        """Activities of at most 10 types from `token` on; of these leads only (at most 30), where some are named."""
        if not 0 < len(type_ids) <= ACTIVITY_TYPES_MAX:
            raise Reject(f"Marketo takes 1 to {ACTIVITY_TYPES_MAX} activity types a call, not {len(type_ids)}", code="1027")
        params = {"nextPageToken": token, "activityTypeIds": ",".join(map(str, type_ids))}
        return await self._page(".json", params | ({"leadIds": ",".join(leads)} if leads else {}), lane)

    async def memberships(self, lead: str, of: str, lane: Lane = Lane.LIVE) -> list[str]:
        """The ids of the lists, programs or smart campaigns that a lead is in (`of`: list, program, smartCampaign); the first 300.

        A row of another shape than expected is a membership all the same, and shown as it is.
        """
        answer = await self._calling.get(f"/rest/v1/leads/{int(lead)}/{of}Membership.json", {"batchSize": str(BATCH_RECORDS_MAX)}, lane)
        with shape("memberships"):
            return [str(row.get(f"{of}Id") or row.get("id") or row) for row in answer.result]

    async def deleted_leads(self, token: str, lane: Lane = Lane.LIVE) -> Page:
        """Type 37 from `token` on; Marketo may forget deletions after 14 days."""
        return await self._page("deletedleads.json", {"nextPageToken": token}, lane)

    async def usage(self, lane: Lane = Lane.LIVE) -> Usage:
        """Calls of the day."""
        answer = await self._calling.get("/rest/v1/stats/usage.json", {}, lane)
        with shape("usage"):
            row = answer.result[0] if answer.result else {}
            users = {str(each.get("userId", "")): int(each.get("count", 0)) for each in row.get("users") or []}
            return Usage(date=str(row.get("date", "")), total=int(row.get("total", 0)), users=users)

    async def _page(self, name: str, params: dict[str, str], lane: Lane) -> Page:
        separator = "" if name.startswith(".") else "/"
        answer = await self._calling.get(f"{_ACTIVITIES}{separator}{name}", params | {"batchSize": str(BATCH_RECORDS_MAX)}, lane)
        token = answer.next_page_token or params["nextPageToken"]
        return Page(rows=answer.result, token=token, more=answer.more, at=answer.at, until=answer.until)


def _lead(row: dict[str, Any], names: Sequence[str], answer: Answer) -> Lead:
    return Lead(id=str(row["id"]), fields={name: row.get(name) for name in names}, at=answer.at, until=answer.until)
