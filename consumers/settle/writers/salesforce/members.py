"""Records of Salesforce that their parents name (campaign members): found by them, where they are there already."""

from collections.abc import Callable, Mapping, Sequence

from consumers.kinds.registry import SORTS
from consumers.mapping.fields import ObjectMapping
from consumers.merge.lives.naming import fixed
from consumers.merge.pair.state import PairState
from streams.budget.port import Lane
from streams.salesforce.api.answers import Page, Record
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import any_of
from streams.wire.events import ChangeEvent

_VALUES_A_QUERY = 100
Reading = Callable[[Record, Page], ChangeEvent]


async def named_by_parents(
    rest: SalesforceRest, mapping: ObjectMapping, columns: Sequence[str], wanted: Mapping[int, PairState], lane: Lane, *, reading: Reading
) -> dict[int, list[ChangeEvent]]:
    """By pair: the record that has its parents, if there is one. A query for each hundred of one campaign."""
    entity, names = SORTS[mapping.object].entity, [item.salesforce for item in fixed(mapping)]
    scope = entity.scope
    pairs: dict[tuple[str, ...], int] = {}
    by_scope: dict[str, list[str]] = {}
    for pair, state in wanted.items():
        told = {item.salesforce: str(field.value) for item in fixed(mapping) if (field := state.fields.get(item.key)) and field.value}
        if len(told) == len(names):
            pairs[tuple(told[name] for name in names)] = pair
            by_scope.setdefault(told[scope], []).append(next(told[name] for name in names if name != scope))
    found: dict[int, list[ChangeEvent]] = {}
    for campaign, people in by_scope.items():
        for start in range(0, len(people), _VALUES_A_QUERY):
            part = people[start : start + _VALUES_A_QUERY]
            behind = [each for column in names if column != scope for each in entity.either.get(column, {column: column}).values()]
            where = [any_of(scope, [campaign]), f"({' OR '.join(any_of(each, part) for each in behind)})"]
            page = await rest.page(entity.select(columns, where), lane)
            for row in page.rows:
                meant = pairs.get(tuple(str(row.get(name)) for name in names))
                if meant is not None:
                    found.setdefault(meant, []).append(reading(row, page))
    return found
