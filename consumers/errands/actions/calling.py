"""Calls to Salesforce that make something: noted before they go out, and their answers as outcomes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumers.errands.errand import Done, Failed, Later, Outcome, Ready
from streams.budget.port import Budget, Lane, Ticket
from streams.salesforce.api.access.refusals import judge_item
from streams.salesforce.api.records import ItemResult
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal, Reject, Retry, Unknown

DOUBT_MS = 15_000
"""A call whose answer was lost has done its work by then, or never will."""
_UNREADABLE = "REFUSED"


class Action(Protocol):
    """Carries out requests of one sort."""

    most: int
    """In one go."""

    async def carry_out(self, ready: Sequence[Ready]) -> Mapping[int, Outcome]:
        """An outcome for each errand. Raises `Retry` where nothing could be asked; what may have been done is told as `Later`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """What the actions call with. `rest`: reads; `writing`: calls that have their leave already, by `leave` and `pay`."""

    rest: SalesforceRest
    writing: SalesforceRest
    leave: Budget
    pay: Callable[[Ticket | None], None]
    trying: Callable[[Sequence[int], int], Awaitable[None]]
    untried: Callable[[Sequence[int]], Awaitable[None]]
    clock: Callable[[], int]

    async def make(
        self,
        some: Sequence[Ready],
        call: Callable[[SalesforceRest], Awaitable[Sequence[ItemResult]]],
        told: Callable[[Ready, ItemResult], Done],
    ) -> dict[int, Outcome]:
        """One call for some errands; one result each, in their order. That it is made is committed before it goes out.

        A call without an answer leaves them in doubt. Raises what says that nothing was done.
        """
        ids = [each.errand.id for each in some]
        async with self.leave.call(Lane.LIVE) as ticket:
            await self.trying(ids, self.clock())
            self.pay(ticket)
            try:
                results = await call(self.writing)
            except Unknown as error:
                return {each: Later(reason=str(error), after_seconds=DOUBT_MS / 1000, sure=False) for each in ids}
            except (Retry, Reject, Fatal):
                await self.untried(ids)
                raise
        outcomes = {each.errand.id: outcome_of(result, told(each, result)) for each, result in zip(some, results, strict=True)}
        if sure := [each for each, outcome in outcomes.items() if isinstance(outcome, Later) and outcome.sure]:
            await self.untried(sure)
        return outcomes


def outcome_of(result: ItemResult, done: Done) -> Outcome:
    """What an item's answer comes to. Pure."""
    if result.success:
        return done
    reason = "; ".join(f"{error.code}: {error.message}" for error in result.errors) or "refused without a reason"
    meant = [judge_item(error) for error in result.errors]
    if any(isinstance(error, Unknown) for error in meant):
        return Later(reason=reason, after_seconds=DOUBT_MS / 1000, sure=False)
    if meant and all(isinstance(error, Retry) for error in meant):
        return Later(reason=reason, after_seconds=max(error.after_seconds for error in meant if isinstance(error, Retry)))
    return Failed(code=result.errors[0].code if result.errors else _UNREADABLE, reason=reason)


def in_doubt(ready: Ready, now: int) -> Later | None:
    """Whether a call for this one may still be under way somewhere."""
    left = ready.errand.tried_at + DOUBT_MS - now if ready.errand.tried_at else 0
    return (
        Later(reason="its call was not answered; what became of it is looked for", after_seconds=left / 1000, sure=False)
        if left > 0
        else None
    )
