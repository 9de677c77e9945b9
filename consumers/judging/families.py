"""Families: who waits for a parent is written once that is in Marketo; a parent that nobody knows yet is read.

A write notes what it names of its parents (`Transaction.relate`); here those who wait are looked for by the parents that have come, page
by page, however many wait for one.
"""

from consumers.ledger.port import Duty, Ledger, Pair, Taken
from consumers.merge.record import asked_again
from consumers.merge.state import PairState, Record
from consumers.merge.terms import Terms
from consumers.merge.witness import released
from streams.wire.systems import MARKETO, SALESFORCE

_PAGE, _UNKNOWN = 300, 100


async def release(ledger: Ledger, terms: Terms, now: int) -> set[Duty]:
    """One page of those whose parents have come, and of the parents that are named and not known; what has become due by it."""
    awaited = await ledger.awaited(_UNKNOWN)
    if not awaited.anybody:
        return set()
    due = await _released(ledger, terms, now)
    for parent, role in awaited.unknown:
        due |= await _introduced(ledger, terms, parent, role, now)
    return due


async def _released(ledger: Ledger, terms: Terms, now: int) -> set[Duty]:
    async with ledger.transaction() as tx:
        roles = await tx.take_released(_PAGE)
        pairs = await tx.by_id(sorted(roles))
        for number, pair in pairs.items():
            pair.state = terms.with_due(released(pair.state, MARKETO, frozenset(roles[number])), now)
        await tx.save(list(pairs.values()), now)
    return {duty for pair in pairs.values() for duty in Duty if pair.state.due[duty]}


async def _introduced(ledger: Ledger, terms: Terms, parent: str, role: str, now: int) -> set[Duty]:
    """A pair for a parent of which only the id is known: its record is read. Nothing if somebody else was quicker."""
    state = _stub(terms, parent, role)
    if state is None:
        return set()
    pair = Pair(id=0, state=terms.with_due(state, now), loaded=None)
    try:
        async with ledger.transaction() as tx:
            await tx.save([pair], now)
    except Taken:
        return set()
    return {duty for duty in Duty if pair.state.due[duty]}


def _stub(terms: Terms, parent: str, role: str) -> PairState | None:
    """What is known of a parent that a field names: nothing but its id and its kind."""
    sorts = terms.rules.objects.values()
    kind = next((item.parent for mapping in sorts for item in mapping.references if item.key == role), "")
    sort = next((mapping for mapping in sorts if mapping.kind == kind and parent.startswith(mapping.prefix)), None)
    if sort is None:
        return None
    state = PairState(object=sort.object, counterpart=sort.marketo).with_record(SALESFORCE, Record(id=parent))
    return asked_again(state, SALESFORCE)
