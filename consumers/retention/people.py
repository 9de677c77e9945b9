"""Deleted people: a pair with no living record is forgotten once nothing is left to do for it, and nobody has touched it for long.

Whatever is told of its records after that is told of records that the ledger has never heard of: a deletion is noted and changes
nothing; anything else is read from its system, which says whether there is such a record.
"""

from collections.abc import Callable

from consumers.ledger.port import Ledger, Pair, is_gone
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState
from consumers.merge.writing.due import contested
from consumers.retention.shelf import LetGo, Step
from streams.wire.systems import System

PEOPLE_MAX = 200
"""Of a step."""
_WHY = "deleted long ago, and nothing left to do"


def people(ledger: Ledger, now_ms: Callable[[], int]) -> LetGo:
    """Lets go deleted people. The order of effects: look who might be, lock those that nobody else has, forget them and say so, commit."""

    async def let_go(before: int, after: int) -> Step:
        gone = await ledger.gone(after, PEOPLE_MAX)
        idle = [number for number, touched in gone.items() if touched < before]
        count = await _forget(ledger, idle, before, now_ms()) if idle else 0
        return Step(gone=count, after=max(gone) if len(gone) == PEOPLE_MAX else None)

    return let_go


def is_over(state: PairState) -> bool:
    """Whether nothing is left of a pair: no living record, nothing due or under way, nothing that waits for a person. Pure."""
    return (
        is_gone(state)
        and not any(state.due)
        and not state.hold
        and not state.waits
        and not state.waiting
        and not state.retract
        and not any(record for _, record in state.merges)
        and not any((record := state.record(system)).calling or record.creating for system in System)
        and not contested(state)
    )


async def _forget(ledger: Ledger, ids: list[int], before: int, now: int) -> int:
    async with ledger.transaction() as tx:
        over = [pair for pair in await tx.idle(ids, before) if is_over(pair.state)]
        if over:
            await tx.remove([pair.id for pair in over], for_good=True)
            await tx.record([told for pair in over for told in _told(pair, now)])
    return len(over)


def _told(pair: Pair, now: int) -> list[Decision]:
    """That each of its records is forgotten: whoever follows the decisions keeps it no longer than we do."""
    records = [(system, pair.state.record(system).id) for system in System]
    return [Decision(kind="forgotten", at=now, pair=pair.id, system=system, record=own, detail=_WHY) for system, own in records if own]
