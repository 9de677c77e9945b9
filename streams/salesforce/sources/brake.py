"""The brake: deletions that are absurdly many wait for a person."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from streams.budget.port import Lane
from streams.salesforce.api.entity import Entity
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal
from streams.wire.events import ChangeEvent

_EXAMPLES = 10


class Braked(msgspec.Struct, frozen=True, kw_only=True):
    """Deletes that wait for a person: `gone` of `of_all` records. `until_ms`: the newest of them (server's clock); `examples`: some ids."""

    gone: int
    of_all: int
    until_ms: int
    examples: tuple[str, ...]


class Brake:
    """More than `percent_max` of an object (and more than `ignored_max` records) deleted in one cycle are not passed on until confirmed.

    `on_brake` is told of them before, and None once nothing waits any more.
    """

    def __init__(
        self, rest: SalesforceRest, entity: Entity, lane: Lane, *, percent_max: float, ignored_max: int,
        on_brake: Callable[[Braked | None], Awaitable[None]] | None,
    ) -> None:  # fmt: skip
        self._rest, self._entity, self._lane = rest, entity, lane
        self._percent_max, self._ignored_max, self._on_brake = percent_max, ignored_max, on_brake
        self._braked: Braked | str | None = "not known"
        self._confirmed_until_ms = 0

    def confirm(self, until_ms: int) -> None:
        """Those up to this moment (server's clock) are meant."""
        self._confirmed_until_ms = max(self._confirmed_until_ms, until_ms)

    async def check(self, gone: Sequence[ChangeEvent]) -> None:
        """Raises `Fatal` where these, the oldest first, are too many to be passed on unasked."""
        doubtful = [event for event in gone if event.at > self._confirmed_until_ms]
        if len(doubtful) <= self._ignored_max:
            await self._tell(None)
            return
        living = (await self._rest.page(self._entity.count(), self._lane)).total
        of_all = living + len(doubtful)
        percent = 100.0 * len(doubtful) / of_all
        if percent <= self._percent_max:
            await self._tell(None)
            return
        examples = tuple(event.id for event in doubtful[:_EXAMPLES])
        await self._tell(Braked(gone=len(doubtful), of_all=of_all, until_ms=doubtful[-1].at, examples=examples))
        words = f"{len(doubtful)} of {of_all} {self._entity.name} records ({percent:.0f} %) were deleted in one cycle."
        remedy = f"Nothing was passed on. If they are meant: `tandem confirm-deletes {self._entity.object}`; else restore them."
        raise Fatal(words, remedy=remedy)

    async def _tell(self, braked: Braked | None) -> None:
        if self._on_brake is not None and braked != self._braked:
            await self._on_brake(braked)
            self._braked = braked
