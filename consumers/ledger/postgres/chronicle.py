"""What one transaction decides: written as blocks, each pair's chain lengthened by them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from consumers.ledger.faults import step
from consumers.ledger.port import Pair
from consumers.ledger.postgres.blocks import DECISIONS_MAX, INSERT, NO_BLOCK, POINT, POINTED, Days, draw, packed
from consumers.ledger.postgres.border import border
from consumers.merge.pair.decision import Decision, Told


class Chronicle:
    """Of an open transaction on `connection`."""

    def __init__(self, connection: Any, days: Days) -> None:
        self._connection, self._days = connection, days
        self._promised = NO_BLOCK

    async def promised(self) -> int:
        """The block that the next decisions will be in: a new pair's row names it from the start, and isn't written twice for it."""
        if self._promised == NO_BLOCK:
            self._promised = await draw(self._connection, self._days)
        return self._promised

    async def record(self, decisions: Sequence[Decision | Told], held: Mapping[int, Pair], unsaved: Collection[int]) -> None:
        """Write them, and have the pairs' rows name where. `held`: pairs of this transaction; of the `unsaved` the row is written later."""
        behind: dict[int, int] = {}
        before = await self._before(decisions, held)
        for begin in range(0, len(decisions), DECISIONS_MAX):
            some = decisions[begin : begin + DECISIONS_MAX]
            block, self._promised = await self.promised(), NO_BLOCK
            with step("encoding decisions"):
                body = packed(some, before, block)
            with border("record decisions"):
                await self._connection.execute(INSERT, block, max([decision.at for decision in some]), len(some), body)
            for pair in {decision.pair for decision in some}:
                if (last := before.get(pair)) is None:
                    continue
                one = held.get(pair)
                if last != block and pair not in unsaved:
                    behind[pair] = block
                    if one is not None:
                        one.place = ""
                before[pair] = block
                if one is not None:
                    one.decided = block
        await self._point(behind)

    async def _before(self, decisions: Sequence[Decision | Told], held: Mapping[int, Pair]) -> dict[int, int]:
        """The last block of each pair concerned, as far as there are such pairs."""
        concerned = {decision.pair for decision in decisions}
        before = {number: one.decided for number in concerned if (one := held.get(number)) is not None}
        others = sorted(concerned - before.keys() - {0}) if len(before) < len(concerned) else []
        if others:
            with border("record decisions"):
                before.update(await self._connection.fetch(POINTED, others))
        return before

    async def _point(self, behind: Mapping[int, int]) -> None:
        with border("record decisions"):
            for block in sorted(set(behind.values())):
                await self._connection.execute(POINT, sorted(pair for pair, last in behind.items() if last == block), block)
