"""What belongs to a pair that somebody has linked, and what names it: asked once for all events of a batch.

A campaign that is linked with no program is nobody's, nor are its members: of those the ledger keeps nothing. A member's name in Marketo
is made of its program and its person; where both are there already, it is known before the member is, and whoever has it is met by it.
"""

from collections.abc import Sequence

from consumers.judging.meeting.names import name_of
from consumers.ledger.port import Named, Transaction
from consumers.mapping.fields import ObjectMapping
from consumers.merge.lives.naming import fixed, named_parents
from consumers.merge.terms import Terms, name_key
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import SALESFORCE

NOT_LINKED = "it belongs to nothing that is linked (`tandem link`)"
NOT_KNOWN = "a change of a record that nobody knows; if what it belongs to is linked, its reading follows"
_TELLING = frozenset({Happened.READ, Happened.CREATED})


class Belonging:
    """Of the events of a batch."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._names: dict[Named, str] = {}
        self._linked: set[Named] = set()

    async def load(self, tx: Transaction, events: Sequence[ChangeEvent]) -> list[str]:
        """Ask for the parents that these events name. Returns the match keys of their records."""
        told = [
            (event, mapping, parents) for event in events if (parents := self._parents(event, mapping := self._terms.mapping_of(event)))
        ]
        if not told:
            return []
        wanted = sorted({parent for _, _, parents in told for parent in parents.values()})
        there = await tx.in_marketo(wanted, list(self._terms.rules.objects))
        for event, mapping, parents in told:
            self._take(event, mapping, parents, there)
        return sorted({key for event, mapping, _ in told if (key := name_key(mapping, self.name(event)))})

    def name(self, event: ChangeEvent) -> str:
        """What the event's record is called in Marketo, whether it is there or not; empty where that isn't known (yet)."""
        return self._names.get(name_of(event), "")

    def key(self, event: ChangeEvent) -> str | None:
        """By what its pair is matched."""
        return name_key(self._terms.mapping_of(event), self.name(event))

    def stranger(self, event: ChangeEvent) -> str:
        """Why nothing is kept of a record that no pair has; empty: it may be somebody's."""
        mapping = self._terms.mapping_of(event)
        if mapping.linked:
            return NOT_LINKED
        if not mapping.is_derived or name_of(event) in self._linked:
            return ""
        return NOT_LINKED if event.kind in _TELLING else NOT_KNOWN

    def _parents(self, event: ChangeEvent, mapping: ObjectMapping) -> dict[str, str]:
        if not mapping.is_derived or event.kind not in _TELLING:
            return {}
        if event.system is not SALESFORCE:
            return named_parents(mapping, event.id, self._terms.rules)
        told = {item.key: str(event.fields.get(item.salesforce) or "") for item in fixed(mapping)}
        return {key: parent for key, parent in told.items() if parent}

    def _take(self, event: ChangeEvent, mapping: ObjectMapping, parents: dict[str, str], there: dict[str, str]) -> None:
        """It is linked once the linked one of its parents is there."""
        linked = {sort.kind for sort in self._terms.rules.objects.values() if sort.linked}
        if any(item.parent in linked and parents.get(item.key) in there for item in fixed(mapping)):
            self._linked.add(name_of(event))
        if event.system is not SALESFORCE:
            self._names[name_of(event)] = event.id
        elif mapping.derived is not None and all(parents.get(name) in there for name in mapping.derived.key):
            self._names[name_of(event)] = mapping.derived.joined({name: there[parents[name]] for name in mapping.derived.key})
