"""Whether each task and each meeting with somebody stands in that person's history in Marketo, exactly once. Pure; works on histories.

An activity is written once and stays, so it has to show what its record said at some moment: later edits change nothing of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from infra.demo.checker.comparison import Compared, Difference, Pair
from infra.demo.checker.history import Line, Mirror
from infra.demo.checker.sameness import normal
from infra.demo.checker.table import ACTIVITY_ID, ACTIVITY_OF, LINKS, MARKETO, NOT_TOLD, PERSON, PRIMARY, SALESFORCE

Versions = Sequence[Mapping[str, Any]]
"""What a record said, from first to last."""


def add_told(mirror: Mirror, found: Compared) -> None:
    """What there is to say of them, beside the rest."""
    records = {key: versions for key, versions in _records(mirror.diary) if any(_to_be_told(each) for each in versions)}
    told: dict[str, list[Line]] = defaultdict(list)
    for item in mirror.diary:
        if item.system == MARKETO and item.after is not None:
            told[str(item.after["attributes"].get(ACTIVITY_ID))].append(item)
    for (name, record_id), versions in records.items():
        mine = told.pop(record_id, [])
        if not mine:
            found.differences.append(Difference(what="not in anybody's history", object=name, salesforce_id=record_id))
        for item in mine[1:]:
            found.duplicates.append(Difference(what="told twice", object=name, salesforce_id=record_id, marketo_id=item.id))
        for item in mine[:1]:
            found.activities.append(Pair(object=name, salesforce=record_id, marketo=item.id))
            found.fields_compared[name] += len(ACTIVITY_OF[name]) + 1
            found.differences += _wrong(name, record_id, versions, item, mirror)
    for record_id, items in told.items():
        found.differences += [
            Difference(what="told of nobody's record", object="Task", salesforce_id=record_id, marketo_id=each.id) for each in items
        ]


def _records(lines: Iterable[Line]) -> Iterator[tuple[tuple[str, str], Versions]]:
    versions: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for item in lines:
        if item.system == SALESFORCE and item.after is not None:
            before = versions[item.key][-1] if versions[item.key] else {}
            versions[item.key].append({**before, **item.after})
    yield from versions.items()


def _to_be_told(version: Mapping[str, Any]) -> bool:
    return bool(version.get("WhoId")) and not any(version.get(name) for name in NOT_TOLD)


def _wrong(name: str, record_id: str, versions: Versions, item: Line, mirror: Mirror) -> Iterator[Difference]:
    assert item.after is not None  # noqa: S101 - for the type checker: only such lines are told
    where = {"object": name, "salesforce_id": record_id, "marketo_id": item.id}
    lead = str(item.after["leadId"])
    named = {str((each.after or {}).get(link)) for each in mirror.lines_of(MARKETO, (PERSON, lead)) for link in LINKS.values()}
    if not named & {str(each.get("WhoId")) for each in versions}:
        yield Difference(what="told of somebody else", **where, field="leadId", salesforce=versions[-1].get("WhoId"), marketo=lead)
    shown = {**item.after["attributes"], PRIMARY: item.after["primaryAttributeValue"]}
    for each in ACTIVITY_OF[name]:
        value = shown.get(each.marketo)
        if not any(normal(each.kind, version.get(each.salesforce)) == normal(each.kind, value) for version in versions):
            said = versions[-1].get(each.salesforce)
            yield Difference(what="says what its record never said", **where, field=each.marketo, salesforce=said, marketo=value)
