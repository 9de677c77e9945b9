"""What was refused under another mapping or other rules is tried again, and what was left out is taken up: looked through once, when a
worker starts to write.
"""

from collections.abc import Callable

from consumers.ledger.port import Ledger
from consumers.merge.lives.aside import left_out, taken_up
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import row_mark
from consumers.merge.writing.writes import reconsidered
from streams.wire.systems import System

_PAGE = 300


async def reconsider(ledger: Ledger, terms: Terms, clock: Callable[[], int]) -> int:
    """Of all pairs with a refusal, those whose mapping is another one now are due again; and those of records that were not kept in step
    for a while. How many; raises `Retry`.

    A page a transaction; nothing is written where nothing has changed. Any number of workers may do so at once.
    """
    changed, last = await _taken_up(ledger, terms, clock), 0
    while page := await ledger.refused(last, _PAGE):
        last, now = page[-1], clock()
        async with ledger.transaction() as tx:
            pairs = [pair for pair in (await tx.by_id(page)).values() if not terms.mapping(pair.state).left_out]
            for pair in pairs:
                state, mark = pair.state, row_mark(pair.state, terms.rules)
                for system in System:
                    state = reconsidered(state, system, mark)
                state = terms.with_due(state, now)  # a creation has its mark with the record, and is due by it
                if state is not pair.state:
                    pair.state = state
                    changed += 1
            await tx.save(pairs, now)
    return changed


async def _taken_up(ledger: Ledger, terms: Terms, clock: Callable[[], int]) -> int:
    changed, waiting = 0, [left_out(obj) for obj in terms.rules.objects]
    while True:
        async with ledger.transaction() as tx:
            pairs, now = await tx.gather(waiting=waiting, most=_PAGE), clock()
            for pair in pairs:
                pair.state = terms.with_due(taken_up(pair.state), now)
            await tx.save(pairs, now)
        if not pairs:
            return changed
        changed += len(pairs)
