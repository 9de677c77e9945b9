"""The orphaned: what named a person whom somebody deleted in Marketo.

Marketo takes along whatever has its name from that person there (a part in an opportunity, a membership), and tells of none of it; what
only refers to the person stays, and refers to nobody. Where the person is made again it has another id, so the first are made anew for
it, and the others name it once more; until then they wait for it like whatever was never written. A merge in Marketo is no such end: they
follow the winner there. What is written once is the history of the one who is gone.
"""

from collections.abc import Mapping, Sequence

from consumers.ledger.port import Duty, Pair, Transaction
from consumers.merge.lives.naming import named_anew
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.parents import belongs_anew
from streams.wire.events import ChangeEvent
from streams.wire.systems import MARKETO

_PAGE = 300
"""Children looked at in one step."""


def is_bereaving(before: PairState, after: PairState, event: ChangeEvent, terms: Terms) -> bool:
    """Whether the pair's person in Marketo is there no more, and not by a merge there, which passes on what is theirs."""
    had, has = before.marketo, after.marketo
    if not had.id or had.deleted or (has.id == had.id and not has.deleted) or not terms.mapping(before).is_person:
        return False
    return not (event.system is MARKETO and event.into)


async def orphan(tx: Transaction, parents: Sequence[int], terms: Terms, now: int) -> set[Duty]:
    """Whatever names these pairs, whose people in Marketo are gone; what has become due by it."""
    due: set[Duty] = set()
    after, last = 0, -1
    while after != last:
        last = after
        children = await tx.children_of(list(parents), after, _PAGE)
        pairs = await tx.by_id(sorted(children))
        changed = [pair for number, pair in pairs.items() if _is_orphaned(pair, children[number], terms, now)]
        await tx.save(changed, now)
        due.update(duty for pair in changed for duty in Duty if pair.state.due[duty])
        after = max(children, default=after)
    return due


def _is_orphaned(pair: Pair, named: Mapping[str, str], terms: Terms, now: int) -> bool:
    """One child, which names these parents by its roles: whether anything had to be changed of it."""
    state, mapping = pair.state, terms.mapping(pair.state)
    if mapping.written_once or not state.marketo.id or state.marketo.deleted:
        return False
    items = [item for role in named if (item := mapping.by_key.get(role)) is not None]
    if any(item.is_key or item.fixed for item in items):
        state = named_anew(state, terms)
    else:
        for item in items:
            state = belongs_anew(state, item.key)
    if state is pair.state:
        return False
    pair.state = terms.with_due(state, now)
    return True
