"""Conversions: a lead becomes a contact once; one that has become one already is done."""

from collections.abc import Mapping, Sequence

from consumers.errands.actions.calling import Calling
from consumers.errands.directory import Directory
from consumers.errands.errand import Convert, Done, Failed, Outcome, Ready
from streams.budget.port import Lane
from streams.salesforce.api.records import ItemResult
from streams.salesforce.api.soap.converting import CONVERSIONS_MAX, Converting
from streams.wire.systems import LEAD, salesforce_id

_GONE = "DELETED_IN_SALESFORCE"


class Conversions:
    """Converts leads."""

    most = CONVERSIONS_MAX

    def __init__(self, calling: Calling, directory: Directory) -> None:
        self._calling, self._directory = calling, directory

    async def carry_out(self, ready: Sequence[Ready]) -> Mapping[int, Outcome]:
        """As the port says. A lead is read first: a call without an answer shows there."""
        outcomes: dict[int, Outcome] = {
            each.errand.id: Done(reason=f"is a contact already: {each.record}", id=each.record) for each in ready if each.object != LEAD
        }
        leads = [each for each in ready if each.object == LEAD]
        if leads:
            rows = await self._calling.rest.read(
                "Lead", [each.record for each in leads], ["Id", "IsConverted", "ConvertedContactId"], Lane.LIVE
            )
            for each, row in zip(leads, rows, strict=True):
                if row is None:
                    outcomes[each.errand.id] = Failed(
                        code=_GONE, reason=f"lead {each.record} was deleted, or is out of sight of Tandem's user"
                    )
                elif row.get("IsConverted"):
                    contact = salesforce_id(str(row["ConvertedContactId"]))
                    outcomes[each.errand.id] = Done(reason=f"is converted: contact {contact}", id=contact)
        return {**outcomes, **await self._convert([each for each in leads if each.errand.id not in outcomes])}

    async def _convert(self, leads: Sequence[Ready]) -> dict[int, Outcome]:
        asked = {each.errand.id: each.errand.request for each in leads}
        wanted = {number: request for number, request in asked.items() if isinstance(request, Convert)}
        owners = await self._directory.owners([request.owner for request in wanted.values()], queues=False)
        default = await self._directory.converted_status() if any(not request.status for request in wanted.values()) else ""
        outcomes: dict[int, Outcome] = {}
        orders: list[tuple[Ready, Converting]] = []
        for each in leads:
            request = wanted[each.errand.id]
            owner, status = owners.get(request.owner, ""), request.status or default
            if isinstance(owner, Failed):
                outcomes[each.errand.id] = owner
            elif isinstance(status, Failed):
                outcomes[each.errand.id] = status
            else:
                order = Converting(
                    lead=each.record, status=status, account=request.account, contact=request.contact,
                    opportunity=request.opportunity, owner=owner,
                )  # fmt: skip
                orders.append((each, order))
        if orders:
            outcomes |= await self._calling.make(
                [each for each, _ in orders], lambda rest: rest.convert([order for _, order in orders], Lane.LIVE), _made
            )
        return outcomes


def _made(ready: Ready, result: ItemResult) -> Done:
    contact = salesforce_id(result.id) if result.id else ""
    return Done(reason=f"was converted: lead {ready.record} is contact {contact}", id=contact)
