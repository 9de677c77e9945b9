"""What others have made of a person that we created in Marketo: lists, programs and campaigns it is in, activities that are not ours."""

from collections.abc import Mapping, Sequence

from consumers.settle.writers.port import unasked
from streams.budget.port import Lane
from streams.marketo.api.rest import ACTIVITY_TYPES_MAX, MarketoRest
from streams.wire.errors import Fatal, Reject

ASKED = "lists, programs, smart campaigns and all activities"
_OF = {"list": "list", "program": "program", "smartCampaign": "smart campaign"}
_LEADS_MAX = 30
"""Leads that one call for activities takes (Marketo, Get Lead Activities)."""
_NEW_LEAD, _DELETED = 12, 37
_AUTHOR = "modifying user"


class MarketoUses:
    """Asks one instance. `own_user`: whose activities are ours, where the instance names who made them."""

    def __init__(self, rest: MarketoRest, own_user: str) -> None:
        self._rest = rest
        self._own_user = own_user.casefold()
        self._names: dict[int, str] = {}

    async def of(self, made: Mapping[str, int], lane: Lane) -> dict[str, list[str]]:
        """For each person (id, and from when on, ms): what hangs on it."""
        found: dict[str, list[str]] = {lead: [] for lead in made}
        for lead in made:
            for kind, word in _OF.items():
                try:
                    members = await self._rest.memberships(lead, kind, lane)
                except (Reject, Fatal) as error:
                    found[lead].append(unasked(f"{word}s", error))
                    continue
                found[lead] += [f"{word} {each}" for each in members]
        leads = list(made)
        for start in range(0, len(leads), _LEADS_MAX):
            part = leads[start : start + _LEADS_MAX]
            try:
                told = await self._activities(part, min(made[lead] for lead in part), lane)
            except (Reject, Fatal) as error:
                told = [(lead, unasked("activities", error)) for lead in part]
            for lead, name in told:
                if name not in found[lead]:
                    found[lead].append(name)
        return found

    async def _activities(self, leads: Sequence[str], since: int, lane: Lane) -> list[tuple[str, str]]:
        """Whatever has happened to these people but their creation and what we changed ourselves."""
        if not self._names:
            self._names = {each.id: each.name for each in await self._rest.activity_types(lane)}
        types = sorted(self._names.keys() - {_NEW_LEAD, _DELETED})
        begin = (await self._rest.paging_token(since, lane)).token
        found: list[tuple[str, str]] = []
        for start in range(0, len(types), ACTIVITY_TYPES_MAX):
            token, more = begin, True
            while more:
                page = await self._rest.activities(token, types[start : start + ACTIVITY_TYPES_MAX], lane, leads)
                token, more = page.token, page.more
                found += [told for row in page.rows if (told := self._told(row)) is not None and told[0] in leads]
        return found

    def _told(self, row: object) -> tuple[str, str] | None:
        """Whose activity this is, and which; None for one of ours."""
        if not isinstance(row, dict):
            return None
        told = (each for each in row.get("attributes") or [] if isinstance(each, dict))
        author = next((each.get("value") for each in told if str(each.get("name", "")).casefold() == _AUTHOR), None)
        if self._own_user and str(author or "").casefold() == self._own_user:
            return None
        kind = row.get("activityTypeId")
        name = self._names.get(kind) if isinstance(kind, int) else None
        return str(row.get("leadId")), f"activity {name or kind}"
