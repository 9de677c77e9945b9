"""Reunions: what is held because of somebody is looked at again once that person has changed.

What somebody leaves behind (an e-mail, a record) is noted with the change itself; here it is taken off the list, and the pairs that wait
for it are read again where that can end their wait. Two of two thousand namesakes are read, not all of them each time that one goes.
"""

from collections.abc import Sequence

from consumers.judging.meeting.candidates import ALIKE_MAX, AMBIGUOUS, alike, can_take
from consumers.judging.meeting.holds import asked
from consumers.ledger.port import Duty, Ledger, Pair
from consumers.merge.terms import Terms
from streams.wire.systems import System

_BATCH = 100


async def reunite(ledger: Ledger, terms: Terms, now: int) -> set[Duty]:
    """One batch of what was left behind; what has become due by it."""
    if not await ledger.anything_left():
        return set()
    due: set[Duty] = set()
    async with ledger.transaction() as tx:
        left = await tx.take_left(_BATCH)
        pairs = await tx.gather(keys=left, waiting=left, most=ALIKE_MAX)
        again = [pair for pair in pairs if pair.state.waits in left and _may_end(pair, pairs)]
        for pair in again:
            for system in System:
                if pair.state.record(system).id and not pair.state.record(system).deleted:
                    pair.state = asked(pair.state, system)
            pair.state = terms.with_due(pair.state, now)
            due.update(duty for duty in Duty if pair.state.due[duty])
        await tx.save(again, now)
    return due


def _may_end(pair: Pair, pairs: Sequence[Pair]) -> bool:
    """Whether the pair's wait may be over: nobody else has its e-mail any more, or one who can take its record."""
    if not pair.state.hold.startswith(AMBIGUOUS):
        return False
    if pair.state.waits != pair.match_key:
        return True
    namesakes = [other for other in pairs if other.match_key == pair.match_key]
    for system in System:
        record = pair.state.record(system)
        if record.id and not record.deleted:
            others = alike(namesakes, system, pair)
            if not others or (len(others) == 1 and can_take(others[0].state, system)):
                return True
    return False
