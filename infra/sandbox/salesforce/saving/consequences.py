"""What the org does to other records when one is saved, in the same transaction (Object Reference, usage of each object)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from infra.sandbox.salesforce.saving.activities import SHARED_WITH_CHILDREN
from infra.sandbox.salesforce.saving.memberships import FIRST_STATUSES, other_defaults
from infra.sandbox.salesforce.schema.standard.activities import CHILD
from infra.sandbox.salesforce.schema.types import Row, Value
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError


class Made(msgspec.Struct, frozen=True):
    """A record that is created as well."""

    object: str
    values: Row


class Changed(msgspec.Struct, frozen=True):
    """A record that is changed as well."""

    id: str
    values: Row


Consequence = Made | Changed


def of_create(org: State, name: str, row: Row) -> Iterable[Consequence]:
    """What follows from a new record, each to be carried out before the next is asked for."""
    step = _AFTER_CREATE.get(name)
    return () if step is None else step(org, row)


def of_update(org: State, name: str, row: Row, changed: set[str]) -> Iterable[Consequence]:
    """What follows from a change of these fields, each to be carried out before the next is asked for."""
    step = _AFTER_UPDATE.get(name)
    return () if step is None or not changed else step(org, row, changed)


def child_event(org: State, values: Row) -> Row | None:
    """The event of an invitee that has to be there before the invitation (CDC guide, event invitees: its event comes before the
    relation's); None where only the invitation is made."""
    event = org.store.row(str(values.get("EventId")))
    if event is None or "IsDeleted" in event:
        return None
    if "IsChild" in event:
        message = "an invitation is to the event itself, not to the child event of an invitee"
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", message, ["EventId"])
    invited = org.schema.of_id(str(values.get("RelationId")))
    if invited is None or invited.name != "User":
        return None
    shared: Row = {name: event[name] for name in SHARED_WITH_CHILDREN if name in event}
    return {**shared, "OwnerId": values["RelationId"], "IsChild": True, "IsGroupEvent": True, "GroupEventType": "1"}


def _campaign(_: State, row: Row) -> Iterator[Consequence]:
    for status in FIRST_STATUSES:
        yield Made("CampaignMemberStatus", {**status, "CampaignId": row["Id"]})


def _opportunity(_: State, row: Row) -> Iterator[Consequence]:
    """A contact named at creation becomes the primary role (Object Reference, Opportunity.ContactId)."""
    if "ContactId" in row:
        yield Made("OpportunityContactRole", {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True})


def _primary_role(org: State, row: Row) -> Iterator[Consequence]:
    """One primary contact an opportunity: another one that was loses it (Object Reference, OpportunityContactRole)."""
    if "IsPrimary" not in row:
        return
    for other in org.store.tables["OpportunityContactRole"].find("OpportunityId", row["OpportunityId"]):
        if other["Id"] != row["Id"] and "IsPrimary" in other and "IsDeleted" not in other:
            yield Changed(str(other["Id"]), {"IsPrimary": False})


def _role_changed(org: State, row: Row, changed: set[str]) -> Iterable[Consequence]:
    return _primary_role(org, row) if "IsPrimary" in changed else ()


def _default_status(org: State, row: Row) -> Iterator[Consequence]:
    if "IsDefault" in row:
        for other in other_defaults(org, row):
            yield Changed(other, {"IsDefault": False})


def _status_changed(org: State, row: Row, changed: set[str]) -> Iterable[Consequence]:
    return _default_status(org, row) if "IsDefault" in changed else ()


def _group_event(org: State, row: Row) -> Iterator[Consequence]:
    event = org.store.row(str(row["EventId"]))
    if event is not None and "IsGroupEvent" not in event:
        yield Changed(str(event["Id"]), {"IsGroupEvent": True, "GroupEventType": "1"})


def _children_follow(org: State, row: Row, changed: set[str]) -> Iterator[Consequence]:
    names = [name for name in SHARED_WITH_CHILDREN if name in changed]
    if "IsChild" in row or not names:
        return
    for relation in org.store.tables["EventRelation"].find("EventId", row["Id"]):
        child = org.store.row(str(relation.get(CHILD)))
        if child is not None and "IsDeleted" not in relation:
            values: dict[str, Value] = {name: row.get(name, False if name.startswith("Is") else None) for name in names}
            yield Changed(str(child["Id"]), values)


_AFTER_CREATE: dict[str, Callable[[State, Row], Iterator[Consequence]]] = {
    "Campaign": _campaign,
    "OpportunityContactRole": _primary_role,
    "Opportunity": _opportunity,
    "CampaignMemberStatus": _default_status,
    "EventRelation": _group_event,
}
_AFTER_UPDATE: dict[str, Callable[[State, Row, set[str]], Iterable[Consequence]]] = {
    "OpportunityContactRole": _role_changed,
    "CampaignMemberStatus": _status_changed,
    "Event": _children_follow,
}
