"""A writer that leaves alone what its user can't see: a refusal that is about a field costs that field, not its neighbours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from consumers.fitting.sight import CLOSED_CODES, LOOK_SECONDS, UNSEEN_CODES, VALUE_CODES, Sight
from consumers.merge.pair.state import PairState
from consumers.settle.writers.port import Fate, Item, Outcome, Use, Writer
from streams.budget.port import Lane
from streams.wire.errors import Reject, Retry
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object

_Answer = TypeVar("_Answer")
_OF_ROWS = (*sorted(UNSEEN_CODES), "INVALID_TYPE")
"""How the refusal of a row begins that may be about a field, or about the whole object."""


class SightedWriter:
    """`Writer` around another one, whose readings ask for what `sight` shows."""

    def __init__(self, writer: Writer, sight: Sight) -> None:
        self._writer, self._sight = writer, sight
        self.system, self.batch_max, self.merges_max = writer.system, writer.batch_max, writer.merges_max

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """As the port says; `Retry` while a field by which people are looked up can't be seen: nobody is created unseen."""
        try:
            return await self._twice(lambda: self._writer.candidates(wanted, lane))
        except Reject as error:
            if error.code not in UNSEEN_CODES | CLOSED_CODES:
                raise
            raise Retry(f"nobody can be looked up in {self.system}: {error}", after_seconds=LOOK_SECONDS) from error

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """As the port says; nothing of a sort of records that can't be seen at all: none of them is gone for that."""
        try:
            return await self._twice(lambda: self._writer.read(obj, ids, lane))
        except Reject as error:
            if error.code in CLOSED_CODES and not self._sight.is_open(self.system, obj):
                return {}
            raise

    async def masters(self, obj: Object, ids: Sequence[str], lane: Lane) -> Mapping[str, str | None]:
        """As the port says."""
        return await self._writer.masters(obj, ids, lane)

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        """As the port says."""
        return await self._writer.surely_deleted(obj, ids, lane)

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        """As the port says."""
        return await self._twice(lambda: self._writer.uses(obj, ids, lane))

    def together(self, item: Item) -> str:
        """As the port says."""
        return self._writer.together(item)

    def alike(self, state: PairState) -> str:
        """As the port says."""
        return self._writer.alike(state)

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """As the port says. Where a field, or a whole object, is found to be hidden nothing was written: it is planned again without it."""
        try:
            outcomes = await self._writer.write(items, lane)
        except Reject as error:
            if await self._sight.doubts(error):
                raise Retry(f"a field can't be written to {self.system} any more, the others are sent again: {error}") from error
            raise
        if any(_for_a_field(outcome) for outcome in outcomes):
            await self._sight.noticed()
            outcomes = [self._again(item, outcome) for item, outcome in zip(items, outcomes, strict=True)]
        elif any(outcome.fate is Fate.REJECTED and outcome.reason.startswith(tuple(VALUE_CODES)) for outcome in outcomes):
            await self._sight.noticed()
        return outcomes

    def _again(self, item: Item, outcome: Outcome) -> Outcome:
        """A record that was refused for a field which is left out from now on, unnamed, or for an object that can't be seen any more, is
        planned again without it."""
        if not _for_a_field(outcome) or outcome.fields or self._sight.fitting(self.system, item.order) is item.order:
            return outcome
        return Outcome(fate=Fate.BUSY, reason=outcome.reason)

    async def _twice(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            return await ask()
        except Reject as error:
            if not await self._sight.doubts(error):
                raise
        return await ask()


def _for_a_field(outcome: Outcome) -> bool:
    return outcome.fate is Fate.REJECTED and outcome.reason.startswith(_OF_ROWS)
