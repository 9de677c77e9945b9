"""Campaign members: whoever is one already stays as is; everybody else is made one."""

from collections.abc import Mapping, Sequence

from consumers.errands.actions.calling import Calling
from consumers.errands.directory import Directory, status_of
from consumers.errands.errand import AddToCampaign, Done, Failed, Outcome, Ready
from streams.budget.port import Lane
from streams.salesforce.api.records import RECORDS_MAX, ItemResult
from streams.salesforce.api.soql import any_of, select
from streams.wire.systems import LEAD, salesforce_id

_ALREADY = ("DUPLICATE_VALUE", "Already a campaign member")


class Members:
    """Adds people to campaigns."""

    most = RECORDS_MAX

    def __init__(self, calling: Calling, directory: Directory) -> None:
        self._calling, self._directory = calling, directory

    async def carry_out(self, ready: Sequence[Ready]) -> Mapping[int, Outcome]:
        """As the port says. A second call finds the member of the first."""
        wanted = {each.errand.id: each.errand.request for each in ready}
        asked = {number: request for number, request in wanted.items() if isinstance(request, AddToCampaign)}
        campaigns = await self._directory.campaigns([request.campaign for request in asked.values()])
        found = {number: campaigns[request.campaign] for number, request in asked.items()}
        outcomes: dict[int, Outcome] = {number: each for number, each in found.items() if isinstance(each, Failed)}
        ids = {number: each for number, each in found.items() if isinstance(each, str)}
        statuses = await self._directory.member_statuses(
            {ids[number] for number, request in asked.items() if request.status and number in ids}
        )
        rows: dict[int, dict[str, str]] = {}
        for each in ready:
            number, request = each.errand.id, asked[each.errand.id]
            if number in outcomes:
                continue
            status = status_of(request.status, statuses[ids[number]], request.campaign) if request.status else ""
            if isinstance(status, Failed):
                outcomes[number] = status
                continue
            named = "LeadId" if each.object == LEAD else "ContactId"
            rows[number] = {"CampaignId": ids[number], named: each.record, **({"Status": status} if status else {})}
        there = await self._there(list(rows.values()))
        for number, row in rows.items():
            if member := there.get(_key(row)):
                outcomes[number] = Done(reason=f"is a member already, with the status {member[1]!r}, which stays", id=member[0])
        new = [each for each in ready if each.errand.id in rows and each.errand.id not in outcomes]
        if new:
            made = await self._calling.make(
                new, lambda rest: rest.create("CampaignMember", [rows[each.errand.id] for each in new], Lane.LIVE), _made
            )
            outcomes |= {number: _or_already(outcome) for number, outcome in made.items()}
        return outcomes

    async def _there(self, rows: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
        """Id and status of those who are members, by campaign and record."""
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for column in ("LeadId", "ContactId"):
            people = sorted({row[column] for row in rows if column in row})
            campaigns = sorted({row["CampaignId"] for row in rows if column in row})
            if not people:
                continue
            soql = select(
                "CampaignMember", ("Id", "CampaignId", column, "Status"), [any_of("CampaignId", campaigns), any_of(column, people)]
            )
            async for page in self._calling.rest.query(soql, Lane.LIVE):
                for row in page:
                    key = salesforce_id(str(row["CampaignId"])), salesforce_id(str(row[column]))
                    found[key] = salesforce_id(str(row["Id"])), str(row.get("Status") or "")
        return found


def _key(row: Mapping[str, str]) -> tuple[str, str]:
    return row["CampaignId"], row.get("LeadId") or row["ContactId"]


def _made(ready: Ready, result: ItemResult) -> Done:
    del ready
    return Done(reason="is a member now", id=result.id or "")


def _or_already(outcome: Outcome) -> Outcome:
    """Somebody else was quicker."""
    if isinstance(outcome, Failed) and any(sign in f"{outcome.code} {outcome.reason}" for sign in _ALREADY):
        return Done(reason="is a member already; the status stays")
    return outcome
