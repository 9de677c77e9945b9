"""Who and what people mean in Salesforce: users and queues by any of their names, campaigns by name, statuses. A few queries a batch."""

from collections.abc import Collection, Sequence

from consumers.errands.errand import Failed
from streams.budget.port import Lane
from streams.salesforce.api.answers import Record
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import any_of, select, text
from streams.wire.systems import salesforce_id

NO_SUCH_OWNER, NO_SUCH_CAMPAIGN, NO_SUCH_STATUS = "NO_SUCH_OWNER", "NO_SUCH_CAMPAIGN", "NO_SUCH_STATUS"
_USER, _QUEUE, _CAMPAIGN = "005", "00G", "701"
_NAMES_A_QUERY = 50
_NAMED_MAX = 12


class Directory:
    """Looks things up."""

    def __init__(self, rest: SalesforceRest) -> None:
        self._rest = rest

    async def owners(self, names: Collection[str], *, queues: bool) -> dict[str, str | Failed]:
        """By what people wrote: the id, or why there is none. `queues`: whether a queue may be meant."""
        wanted = sorted({each for each in names if each})
        users: list[Record] = []
        groups: list[Record] = []
        for part in _parts(wanted):
            users += await self._users(part)
            if queues:
                groups += await self._queues(part)
        return {each: owner_of(each, users, groups) for each in wanted}

    async def campaigns(self, names: Collection[str]) -> dict[str, str | Failed]:
        """By what people wrote: the id of the campaign, or why there is none."""
        wanted = sorted(set(names))
        rows: list[Record] = []
        for part in _parts(wanted):
            for column, values in (("Id", _ids(part, _CAMPAIGN)), ("Name", part)):
                if values:
                    rows += await self._rows(select("Campaign", ("Id", "Name"), [any_of(column, values)]))
        return {each: campaign_of(each, rows) for each in wanted}

    async def member_statuses(self, campaigns: Collection[str]) -> dict[str, list[str]]:
        """By campaign: its statuses in their order."""
        found: dict[str, list[str]] = {each: [] for each in campaigns}
        for part in _parts(sorted(found)):
            soql = select("CampaignMemberStatus", ("CampaignId", "Label"), [any_of("CampaignId", part)], order=("SortOrder",))
            for row in await self._rows(soql):
                found[salesforce_id(str(row["CampaignId"]))].append(str(row["Label"]))
        return found

    async def converted_status(self) -> str | Failed:
        """The org's first status of converted leads."""
        soql = select("LeadStatus", ("MasterLabel",), ["IsConverted = true"], order=("SortOrder",), limit=1)
        rows = await self._rows(soql)
        return str(rows[0]["MasterLabel"]) if rows else Failed(code=NO_SUCH_STATUS, reason="the org has no status of converted leads")

    async def _users(self, names: Sequence[str]) -> list[Record]:
        fields = ("Id", "Username", "Email", "Name", "IsActive")
        meant = [any_of(column, names) for column in ("Username", "Email", "Name")]
        ids = _ids(names, _USER)
        where = " OR ".join([*meant, *([any_of("Id", ids)] if ids else [])])
        return await self._rows(select("User", fields, [f"({where})"]))

    async def _queues(self, names: Sequence[str]) -> list[Record]:
        meant = [any_of(column, names) for column in ("Name", "DeveloperName")]
        ids = _ids(names, _QUEUE)
        where = " OR ".join([*meant, *([any_of("Id", ids)] if ids else [])])
        return await self._rows(select("Group", ("Id", "Name", "DeveloperName"), [f"Type = {text('Queue')}", f"({where})"]))

    async def _rows(self, soql: str) -> list[Record]:
        rows: list[Record] = []
        async for page in self._rest.query(soql, Lane.LIVE):
            rows += page
        return rows


def owner_of(name: str, users: Sequence[Record], queues: Sequence[Record]) -> str | Failed:
    """Whom a name means: an id before a user name, that before an e-mail address, that before a full name, a user before a queue. Pure."""
    for column in ("Id", "Username", "Email", "Name"):
        found = [row for row in users if _same(row.get(column), name)]
        active = [row for row in found if row.get("IsActive") is not False]
        if len(active) == 1:
            return salesforce_id(str(active[0]["Id"]))
        if active:
            told = ", ".join(str(row.get("Username")) for row in active[:_NAMED_MAX])
            return Failed(code=NO_SUCH_OWNER, reason=f"{name!r} is the {column} of several users ({told}); write the user name of one")
        if found:
            return Failed(code=NO_SUCH_OWNER, reason=f"user {found[0].get('Username')} is not active in Salesforce and can own nothing new")
    matching = {str(row["Id"]) for row in queues if any(_same(row.get(column), name) for column in ("Id", "Name", "DeveloperName"))}
    if len(matching) == 1:
        return salesforce_id(matching.pop())
    if matching:
        return Failed(code=NO_SUCH_OWNER, reason=f"{name!r} is the name of several queues; write the id of one")
    return Failed(
        code=NO_SUCH_OWNER, reason=f"nobody in Salesforce is called {name!r} (a user name, e-mail address, full name or id is needed)"
    )


def campaign_of(name: str, rows: Sequence[Record]) -> str | Failed:
    """Which campaign a name means. Pure."""
    by_id = {str(row["Id"]) for row in rows if _same(row["Id"], name)}
    named = by_id or {str(row["Id"]) for row in rows if _same(row.get("Name"), name)}
    if len(named) == 1:
        return salesforce_id(named.pop())
    if named:
        return Failed(
            code=NO_SUCH_CAMPAIGN, reason=f"several campaigns are called {name!r}; write the id of one ({', '.join(sorted(named))})"
        )
    return Failed(code=NO_SUCH_CAMPAIGN, reason=f"no campaign {name!r} in Salesforce that Tandem's user can see")


def status_of(wanted: str, statuses: Sequence[str], campaign: str) -> str | Failed:
    """The campaign's own spelling of a status. Pure."""
    found = next((each for each in statuses if _same(each, wanted)), None)
    if found is not None:
        return found
    told = ", ".join(statuses) or "none"
    return Failed(code=NO_SUCH_STATUS, reason=f"campaign {campaign!r} has no status {wanted!r}; it has {told}")


def _same(one: object, other: str) -> bool:
    text = str(one or "")
    if len(other) == 15 and len(text) == 18 and text.isalnum():
        return text[:15] == other
    return text.strip().casefold() == other.casefold()


def _ids(names: Sequence[str], prefix: str) -> list[str]:
    """Those of these that are ids of a sort."""
    return [
        salesforce_id(each) for each in names if each.startswith(prefix) and len(each) in (15, 18) and each.isascii() and each.isalnum()
    ]


def _parts(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + _NAMES_A_QUERY] for start in range(0, len(values), _NAMES_A_QUERY)]
