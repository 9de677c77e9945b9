"""The bereaved: who is gone in Salesforce and stays in Marketo, where a parent of theirs is to go, too.

Marketo deletes no record that others name (1022). Whoever is alive is given another parent, or none, by Salesforce; of those who are
deleted there it tells nothing any more. So they belong to whom Salesforce would give them: to nobody where the parent was deleted, to
the winner where it was merged away. Whoever comes back has their parent again, since Salesforce tells it anew.
"""

from collections.abc import Collection, Mapping

from consumers.ledger.port import Duty, Ledger, Pair
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.merge.terms import Terms
from consumers.merge.writing.parents import belongs_anew, belongs_to_nobody
from consumers.merge.writing.plan import follows_deletion
from streams.wire.systems import MARKETO, SALESFORCE

_PAGE = 300
"""Children in a transaction."""


async def let_go(ledger: Ledger, terms: Terms, parents: Collection[int], now: int) -> set[Duty]:
    """Whoever is gone of the children of these pairs, whose own records are to go in Marketo; what has become due by it."""
    due: set[Duty] = set()
    after, last = 0, -1
    while after != last:
        last = after
        async with ledger.transaction() as tx:
            children = await tx.children_of(list(parents), after, _PAGE)
            pairs = await tx.by_id(sorted({*children, *parents}))
            owners = {pairs[number].state.salesforce.id: pairs[number] for number in parents if number in pairs}
            changed: list[Pair] = []
            decisions: list[Decision] = []
            for number, named in children.items():
                decision = _freed(pairs[number], named, owners, terms, now) if number in pairs else None
                if decision is not None:
                    changed.append(pairs[number])
                    decisions.append(decision)
            await tx.save(changed, now)
            await tx.record(decisions)
        due.update(duty for pair in changed for duty in Duty if pair.state.due[duty])
        after = max(children, default=after)
    return due


def _freed(pair: Pair, named: Mapping[str, str], owners: Mapping[str, Pair], terms: Terms, now: int) -> Decision | None:
    """One child, which names these parents by its roles; None: nothing is to be changed of it."""
    state = pair.state
    if not state.salesforce.deleted or not state.marketo.id or state.marketo.deleted or follows_deletion(state, MARKETO, terms.rules):
        return None
    rulings: list[Ruling] = []
    for role, parent in named.items():
        owner = owners.get(parent) or _heir_of(parent, owners)
        if owner is None or (parent not in owners and not owner.state.salesforce.deleted):
            state, why = belongs_anew(state, role), f"{parent} was merged into another one in Salesforce"
        elif owner.state.salesforce.deleted:
            state, why = belongs_to_nobody(state, role, now), f"{parent} was deleted in Salesforce, as this {state.object} was"
        else:
            continue
        if state is not pair.state:
            field = state.fields[role]
            rulings.append(
                Ruling(field=role, verdict=Verdict.ACCEPTED, value=field.value, agreed=field.value, version=field.version, reason=why)
            )
    if not rulings:
        return None
    pair.state = terms.with_due(state, now)
    return Decision(kind="judged", at=now, pair=pair.id, system=SALESFORCE, record=state.salesforce.id, fields=tuple(rulings))


def _heir_of(parent: str, owners: Mapping[str, Pair]) -> Pair | None:
    """Whom this parent was merged into, where its own record in Marketo is still to go."""
    return next((owner for owner in owners.values() if (MARKETO, parent) in owner.state.merges), None)
