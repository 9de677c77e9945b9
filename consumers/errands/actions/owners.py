"""Owners: the record's owner is set where it is another one; from Salesforce it comes back to Marketo as everybody's edit does."""

from collections.abc import Mapping, Sequence

from consumers.errands.actions.calling import Calling
from consumers.errands.directory import Directory
from consumers.errands.errand import ChangeOwner, Done, Failed, Outcome, Ready
from streams.budget.port import Lane
from streams.salesforce.api.records import RECORDS_MAX, ItemResult
from streams.wire.systems import Object

_QUEUES_OWN = "lead"
_GONE = "DELETED_IN_SALESFORCE"


class Owners:
    """Gives records to owners. `names`: what the objects are called in Salesforce."""

    most = RECORDS_MAX

    def __init__(self, calling: Calling, directory: Directory, names: Mapping[Object, str]) -> None:
        self._calling, self._directory, self._names = calling, directory, names

    async def carry_out(self, ready: Sequence[Ready]) -> Mapping[int, Outcome]:
        """As the port says: setting what is set already changes nothing."""
        outcomes: dict[int, Outcome] = {}
        for obj in dict.fromkeys(each.object for each in ready):
            outcomes |= await self._of(obj, [each for each in ready if each.object == obj])
        return outcomes

    async def _of(self, obj: Object, ready: Sequence[Ready]) -> dict[int, Outcome]:
        asked = {each.errand.id: each.errand.request for each in ready}
        names = {number: request.owner for number, request in asked.items() if isinstance(request, ChangeOwner)}
        owners = await self._directory.owners(names.values(), queues=obj == _QUEUES_OWN)
        rows = await self._calling.rest.read(self._names[obj], [each.record for each in ready], ["Id", "OwnerId"], Lane.LIVE)
        outcomes: dict[int, Outcome] = {}
        new: list[tuple[Ready, str]] = []
        for each, row in zip(ready, rows, strict=True):
            owner = owners[names[each.errand.id]]
            if isinstance(owner, Failed):
                outcomes[each.errand.id] = owner
            elif row is None:
                outcomes[each.errand.id] = Failed(
                    code=_GONE, reason=f"{obj} {each.record} was deleted, or is out of sight of Tandem's user"
                )
            elif row.get("OwnerId") == owner:
                outcomes[each.errand.id] = Done(reason=f"is owned by {names[each.errand.id]}", id=owner)
            else:
                new.append((each, owner))
        if new:
            wanted = {each.errand.id: owner for each, owner in new}
            records = [{"Id": each.record, "OwnerId": owner} for each, owner in new]

            def told(each: Ready, _: ItemResult) -> Done:
                return Done(reason=f"is owned by {names[each.errand.id]} now", id=wanted[each.errand.id])

            outcomes |= await self._calling.make(
                [each for each, _ in new], lambda rest: rest.update(self._names[obj], records, Lane.LIVE), told
            )
        return outcomes
