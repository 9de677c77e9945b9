"""Parents by one name: Marketo names a person by a number of its own where the ledger has the id in Salesforce. Pure.

What Marketo shows is what was agreed wherever both name the same record: one that was converted or merged has had other ids.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from consumers.mapping.fields import FieldMapping, SyncRules
from consumers.merge.edits.values import NOBODY
from consumers.merge.pair.state import PairState
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import Object

Named = tuple[Object, str]
"""A record of Marketo's: what it is called there, and its id."""


class Parents(Protocol):
    """Who knows both names of a record."""

    async def in_marketo(self, ids: list[str]) -> Mapping[str, str]:
        """Of these records of Salesforce (by any id they have had), the ids in Marketo of those that are there."""
        ...

    async def in_salesforce(self, records: list[Named]) -> Mapping[Named, str]:
        """Of these records of Marketo, the ids in Salesforce of those that are there."""
        ...


def doubtful(state: PairState, reading: ChangeEvent, rules: SyncRules) -> Iterator[tuple[FieldMapping, str, Named]]:
    """References that a reading of Marketo's shows by another name than the ledger: what was agreed (empty: nobody), what is shown."""
    mapping = rules.objects[state.object]
    for item in mapping.references:
        shown = reading.fields.get(item.marketo)
        if item.fixed or shown is None:
            continue
        field = state.fields.get(item.key)
        agreed = str(field.value) if field is not None and field.value is not None else ""
        if str(shown) != agreed:
            yield item, agreed, (_called(item.parent, rules), str(shown))


def in_our_names(
    state: PairState, reading: ChangeEvent, rules: SyncRules, there: Mapping[str, str], back: Mapping[Named, str]
) -> ChangeEvent:
    """The reading with parents as the ledger has them. `there`, `back`: as `Parents` tells them.

    One that is the agreed one is shown as the ledger has last seen it; another one by its id in Salesforce, or else as `person:123`.
    """
    told: dict[str, Value] = {}
    for item, agreed, shown in doubtful(state, reading, rules):
        seen = state.fields[item.key].marketo.seen if item.key in state.fields else None
        if agreed and there.get(agreed) == shown[1]:
            told[item.marketo] = str(seen) if isinstance(seen, int) else agreed
        elif not agreed and shown[1] == NOBODY:
            continue
        else:
            told[item.marketo] = back.get(shown, f"{shown[0]}:{shown[1]}")
    return msgspec.structs.replace(reading, fields={**reading.fields, **told}) if told else reading


def _called(kind: str, rules: SyncRules) -> Object:
    return next((mapping.marketo for mapping in rules.objects.values() if mapping.kind == kind), Object(kind))
