"""What others have made of a record that we created in Salesforce: another owner or hand, tasks, events, campaigns, and other children."""

from collections.abc import Mapping, Sequence

from consumers.settle.writers.port import unasked
from streams.budget.port import Lane
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import any_of, select
from streams.wire.errors import Fatal, Reject

ASKED = "owner, last change, tasks, events, campaigns, notes, files, and custom objects that refer to it"
FIELDS = ("OwnerId", "CreatedById", "LastModifiedById")
_NEEDED = {"Lead": (("Task", "WhoId"), ("Event", "WhoId"), ("CampaignMember", "LeadId"))}
_NEEDED["Contact"] = (("Task", "WhoId"), ("Event", "WhoId"), ("CampaignMember", "ContactId"))
"""What is asked whether describe names it or not: where our user may not see it, it can't be ruled out."""
_MORE = frozenset({"OpportunityContactRole", "Case", "Note", "Attachment", "ContentDocumentLink", "EmailMessageRelation"})
"""Standard children that people or processes make; histories, shares and the like come with the record itself."""
_CUSTOM = "__c"


class SalesforceUses:
    """Asks one org."""

    def __init__(self, rest: SalesforceRest) -> None:
        self._rest = rest
        self._children: dict[str, list[tuple[str, str]]] = {}

    async def of(self, obj: str, ids: Sequence[str], rows: Mapping[str, Mapping[str, object]], lane: Lane) -> dict[str, list[str]]:
        """For each record (`rows`: its `FIELDS`): what hangs on it."""
        found: dict[str, list[str]] = {record: _hands(rows[record]) for record in ids}
        for child, field in await self._asked(obj, lane):
            try:
                page = await self._rest.page(select(child, [field], [any_of(field, list(ids))]), lane)
            except (Reject, Fatal) as error:
                for record in ids:
                    found[record].append(unasked(child, error))
                continue
            for row in page.rows:
                if row.get(field) in found and child not in found[str(row[field])]:
                    found[str(row[field])].append(child)
        return found

    async def _asked(self, obj: str, lane: Lane) -> list[tuple[str, str]]:
        if obj not in self._children:
            told = (await self._rest.describe(obj, lane)).get("childRelationships") or []
            listed = [(str(each["childSObject"]), str(each["field"])) for each in told if not each.get("deprecatedAndHidden")]
            more = [(child, field) for child, field in listed if child in _MORE or child.endswith(_CUSTOM)]
            self._children[obj] = list(dict.fromkeys([*_NEEDED[obj], *more]))
        return self._children[obj]


def _hands(row: Mapping[str, object]) -> list[str]:
    """Who else has had the record in hand."""
    creator = row.get("CreatedById")
    owner, last = row.get("OwnerId"), row.get("LastModifiedById")
    found = [f"owner {owner}"] if owner != creator else []
    return found + ([f"changed by {last}"] if last != creator else [])
