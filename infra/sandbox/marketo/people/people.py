"""Changes of people: sync, delete, merge, and edits by hand. Every function works on a section and answers record by record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.objects import objects
from infra.sandbox.marketo.people import links
from infra.sandbox.marketo.state.activity_log import CHANGE_PARTITION, CHANGE_SCORE
from infra.sandbox.marketo.state.fields import Value, is_score, stored
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.kinds import COMPANY
from infra.sandbox.marketo.state.store import LEAD, Person, Store, current

MERGE_MAX = 25


class Action(StrEnum):
    CREATE_ONLY = "createOnly"
    UPDATE_ONLY = "updateOnly"
    CREATE_OR_UPDATE = "createOrUpdate"
    CREATE_DUPLICATE = "createDuplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    action: Action
    lookup: str
    origin: Origin
    hidden: Callable[[int], bool]
    """People that this call can't see, see in_flight."""
    created: Callable[[int], None]
    partition: int | None = None
    """Where the people of this call are and go; None: anywhere, and new ones into the default."""
    extra: Mapping[str, Any]
    """Goes into the entries: how late their activities are."""


def sync(section: Section, request: SyncRequest, record: Any) -> dict[str, Any]:
    """Writes one record of a sync; returns its result. RecordError when it is skipped."""
    store = section.store
    if not isinstance(record, Mapping):
        raise RecordError("1001", "Invalid value: a record must be an object")
    key = _lookup_value(request, record)
    values = checked(store, {name: value for name, value in record.items() if name != "id"})
    found = _matches(store, request, key)
    if len(found) > 1:
        raise RecordError("1007", "Multiple lead match lookup criteria")
    if found and request.action is Action.CREATE_ONLY:
        raise RecordError("1005", "Lead already exists")
    if not found and request.action is Action.UPDATE_ONLY:
        raise RecordError("1004", "Lead not found")
    if found and request.partition is not None and request.partition != partition_of(store, found[0]):
        raise RecordError("1010", "Lead already exists in another partition")
    _refuse_unknown_company(store, values)
    if found:
        if store.settings.company_fields_by_lead == "applied":
            _apply_to_company(section, found[0], values, request.origin)
        refuse_company_fields(store, found[0], values)
        _keep_link(values)
        change(section, found[0], values, request.origin, request.extra)
        return {"id": found[0], "status": "updated"}
    refuse_company_fields(store, None, values)
    if request.partition is not None and request.partition != 1:
        values["leadPartitionId"] = str(request.partition)
    lead_id = create(section, values, request.origin, request.extra)
    request.created(lead_id)
    return {"id": lead_id, "status": "created"}


def checked(store: Store, values: Mapping[str, Any]) -> dict[str, Value]:
    """The values as they will be stored. RecordError 1006 for an unknown field, 1003 for one that can't be written, 1001/1003 for a bad
    value.
    """
    result: dict[str, Value] = {}
    for name, value in values.items():
        field = store.fields.get(name)
        if field is None:
            raise RecordError("1006", f"Field '{name}' not found")
        if field.read_only:
            raise RecordError("1003", f"Field '{name}' is read-only")
        result[name] = stored(field, value, store.zone)
    return result


def refuse_company_fields(store: Store, lead_id: int | None, values: Mapping[str, Value]) -> None:
    """Once a person is linked to a company, fields of the company are written there only (sync architecture white paper; error 1021)."""
    name = next((name for name in values if store.fields[name].company), None)
    if name is None:
        return
    person = (store.person(lead_id) if lead_id is not None else None) or {}
    if values.get("externalCompanyId", person.get("externalCompanyId")) is not None:
        raise RecordError("1021", f"Company field '{name}' can not be updated during syncLead for a lead with externalCompanyId")


def _apply_to_company(section: Section, lead_id: int, values: dict[str, Value], origin: Origin) -> None:
    """Takes the company's fields out of the values and gives them to the company that the person is linked to, if it is."""
    store = section.store
    key = values.get("externalCompanyId") or (store.person(lead_id) or {}).get("externalCompanyId")
    found = store.table(COMPANY).find(("externalCompanyId",), (key,)) if key is not None else []
    if found:
        company = {name: values.pop(name) for name in list(values) if store.fields[name].company}
        objects.change(section, store.kind(COMPANY), found[0], company, origin)


def _refuse_unknown_company(store: Store, values: Mapping[str, Value]) -> None:
    key = values.get("externalCompanyId")
    unknown = store.settings.unknown_companies == "refused" and key is not None
    if unknown and not store.table(COMPANY).find(("externalCompanyId",), (key,)):
        raise RecordError("1013", f"Company '{key}' not found")


def _keep_link(values: dict[str, Value]) -> None:
    """A person can be linked to another company, never to none (REST API, companies)."""
    if "externalCompanyId" in values and values["externalCompanyId"] is None:
        del values["externalCompanyId"]


def create(section: Section, values: Mapping[str, Value], origin: Origin, extra: Mapping[str, Any] | None = None) -> int:
    """Creates a person and returns the id."""
    store = section.store
    lead_id = store.next_id
    after = {name: value for name, value in _normalised(store, values).items() if value is not None}
    section.add("create", LEAD, str(lead_id), origin, before=None, after=after, extra=extra or {})
    _run_campaigns(section, lead_id, after)
    return lead_id


def change(section: Section, lead_id: int, values: Mapping[str, Value], origin: Origin, extra: Mapping[str, Any] | None = None) -> bool:
    """Changes a person; what is equal already changes nothing and leaves no activity. Returns whether anything changed.

    A blocked field keeps the value it has against the API; only a blank one is filled (field management, block updates to a field).
    """
    store = section.store
    person = store.person(lead_id) or {}
    blocked = set(store.settings.blocked) if origin.method is not None else set()
    before: dict[str, Value] = {}
    after: dict[str, Value] = {}
    for name, value in _normalised(store, values).items():
        old = current(person, name)
        if old == value or (name in blocked and old is not None):
            continue
        before[name], after[name] = old, value
    if not after:
        return False
    twins = _score_changes(store, lead_id, before, after, origin)
    section.add("update", LEAD, str(lead_id), origin, before=before, after=after, activities=twins, extra=extra or {})
    _run_campaigns(section, lead_id, after)
    return True


def _score_changes(store: Store, lead_id: int, before: Mapping[str, Value], after: Mapping[str, Value], origin: Origin) -> list[list[Any]]:
    """Change Score beside Change Data Value, as flow steps leave it (observed); which others do is a setting."""
    wanted = store.settings.score_changes
    if wanted == "never" or (wanted == "flow" and origin.campaign is None):
        return []
    rows: list[list[Any]] = []
    for name, value in after.items():
        if not is_score(store.fields[name]):
            continue
        old = before[name]
        by = int(value or 0) - int(old or 0)
        shown = [["Change Value", f"{by:+d}"], ["Old Value", old], ["New Value", value], ["Reason", origin.reason]]
        rows.append([lead_id, CHANGE_SCORE, store.fields[name].id, store.fields[name].display, shown])
    return rows


def partition_of(store: Store, lead_id: int) -> int:
    return int((store.person(lead_id) or {}).get("leadPartitionId", 1))


def move(section: Section, lead_id: Any, partition: int, origin: Origin) -> str:
    """Moves a person to another partition; returns the status for the answer. RecordError 1004 when there is none."""
    found = section.store.find("id", lead_id)
    if not found:
        raise RecordError("1004", "Lead not found")
    old = partition_of(section.store, found[0])
    if old != partition:
        names = {number: name for name, number in section.store.settings.partitions.items()}
        shown = [["New Partition ID", partition], ["Old Partition ID", old], ["Reason", origin.reason]]
        row = [found[0], CHANGE_PARTITION, partition, names[partition], shown]
        before, after = {"leadPartitionId": str(old)}, {"leadPartitionId": str(partition)}
        section.add("update", LEAD, str(found[0]), origin, before=before, after=after, activities=[row])
    return "updated"


def delete(section: Section, lead_id: int, origin: Origin, extra: Mapping[str, Any] | None = None) -> None:
    """Deletes a person. RecordError 1004 when there is none."""
    person = section.store.person(lead_id)
    if person is None:
        raise RecordError("1004", "Lead not found")
    links.drop_person(section, lead_id, origin)
    section.add("delete", LEAD, str(lead_id), origin, before=person, after=None, extra=extra or {})


def merge(section: Section, winner_id: int, loser_ids: Sequence[int], origin: Origin, extra: Mapping[str, Any] | None = None) -> None:
    """Merges the losers into the winner: the winner's value stays unless it is blank, activities move over."""
    store = section.store
    if len(loser_ids) > MERGE_MAX:
        raise ApiError("1080", f"Maximum number of leads to merge is {MERGE_MAX}")
    if not loser_ids or winner_id in loser_ids:
        raise ApiError("1003", "leadIds must name other leads than the winning one")
    people = {lead_id: store.person(lead_id) for lead_id in (winner_id, *loser_ids)}
    for lead_id, person in people.items():
        if person is None:
            raise ApiError("1004", f"Lead '{lead_id}' not found")
    losers = [people[lead_id] or {} for lead_id in dict.fromkeys(loser_ids)]
    winner = people[winner_id] or {}
    after = _merged_values(store, winner, losers)
    before = {name: current(winner, name) for name in after}
    more = {**(extra or {}), "losers": list(dict.fromkeys(loser_ids))}
    for lead_id, person in zip(dict.fromkeys(loser_ids), losers, strict=True):
        section.add("merged", LEAD, str(lead_id), origin, before=person, after=None, extra={"into": winner_id})
        links.follow_merge(section, lead_id, winner_id, origin)
    section.add("merge", LEAD, str(winner_id), origin, before=before, after=after, extra=more)


def _merged_values(store: Store, winner: Person, losers: Sequence[Person]) -> dict[str, Value]:
    after: dict[str, Value] = {}
    for loser in losers:
        for name, value in loser.items():
            field = store.fields[name]
            if field.read_only:
                continue
            mine = after.get(name, current(winner, name))
            if mine is None:
                after[name] = value
            elif is_score(field) and store.settings.merged_scores == "summed":
                after[name] = int(mine) + int(value)
    return after


def _lookup_value(request: SyncRequest, record: Mapping[str, Any]) -> Any:
    """The key under which to look, None for createDuplicate or a createOnly without one."""
    by_id = request.lookup == "id"
    if "id" in record and not (by_id and request.action is Action.UPDATE_ONLY):
        raise RecordError("1003", "Invalid value: 'id' is allowed only with action updateOnly and lookupField id")
    key = record.get(request.lookup)
    if request.action is Action.CREATE_DUPLICATE:
        return None
    if key is None or key == "":
        if request.action is Action.CREATE_ONLY:
            return None
        raise RecordError("1002", f"Missing value for required parameter '{request.lookup}'")
    return key


def _matches(store: Store, request: SyncRequest, key: Any) -> list[int]:
    if key is None:
        return []
    return [lead_id for lead_id in store.find(request.lookup, key) if not request.hidden(lead_id)]


def _normalised(store: Store, values: Mapping[str, Value]) -> dict[str, Value]:
    result = dict(values)
    for rule in store.settings.normalisers:
        if rule.when == "write" and rule.field in result:
            result[rule.field] = stored(store.fields[rule.field], rule.rewrite(result[rule.field]), store.zone)
    return result


def _run_campaigns(section: Section, lead_id: int, changed: Mapping[str, Value]) -> None:
    """Trigger campaigns that change a value after it was written."""
    store = section.store
    for rule in store.settings.normalisers:
        if rule.when != "after" or rule.field not in changed:
            continue
        person = store.person(lead_id) or {}
        old = current(person, rule.field)
        new = stored(store.fields[rule.field], rule.rewrite(old), store.zone)
        if new == old:
            continue
        reason = "Changed by Smart Campaign Normalise action Change Data Value"
        origin = Origin(actor=f"smart-campaign-{rule.campaign}", source="Marketo Flow Action", reason=reason, campaign=rule.campaign)
        section.add("update", LEAD, str(lead_id), origin, before={rule.field: old}, after={rule.field: new})
