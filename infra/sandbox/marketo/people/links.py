"""What hangs on a person: list and program memberships, roles, custom objects. They follow a merge and go with a deletion."""

from collections.abc import Iterator

from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.objects.custom_types import TYPE, made_kind
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.kinds import OPPORTUNITY, ROLE
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import COOKIE, LEAD, LIST_MEMBER, PROGRAM_MEMBER, Store

_KEYED = {
    LIST_MEMBER: ("listId", "leadId"),
    PROGRAM_MEMBER: ("programId", "leadId"),
    ROLE: ("externalOpportunityId", "leadId", "role"),
    COOKIE: ("cookie", "leadId"),
}
"""Rows of which a person has at most one per key."""


def follow_merge(section: Section, loser_id: int, winner_id: int, origin: Origin) -> None:
    """The winner takes over what the loser had and it has not (REST API, merge leads)."""
    for name, names in _KEYED.items():
        table = section.store.table(name)
        for key in table.find(("leadId",), (loser_id,)):
            row = table.get(key) or {}
            moved = {**row, "leadId": winner_id}
            if table.find(names, [moved[one] for one in names]):
                section.add("delete", name, key, origin, before=row, after=None)
            else:
                section.add("update", name, key, origin, before={"leadId": loser_id}, after={"leadId": winner_id})
    for name, field, key in _custom_links(section.store, loser_id):
        section.add("update", name, key, origin, before={field: loser_id}, after={field: winner_id})


def drop_person(section: Section, lead_id: int, origin: Origin) -> None:
    """Memberships and roles end with the person; records of custom objects stay."""
    for name in _KEYED:
        table = section.store.table(name)
        for key in table.find(("leadId",), (lead_id,)):
            section.add("delete", name, key, origin, before=table.get(key), after=None)


def opportunities_of(store: Store, lead_id: int) -> Iterator[Row]:
    """For people who look at a person."""
    roles, opportunities = store.table(ROLE), store.table(OPPORTUNITY)
    for key in roles.find(("leadId",), (lead_id,)):
        role = roles.get(key) or {}
        for found in opportunities.find(("externalOpportunityId",), (role["externalOpportunityId"],)):
            yield {**(opportunities.get(found) or {}), "role": role.get("role")}


def _custom_links(store: Store, lead_id: int) -> Iterator[tuple[str, str, str]]:
    for name, row in store.table(TYPE).items():
        if row.get("approved") is None:
            continue
        for field, (target, its_field) in made_kind(row, row["approved"]).links.items():
            if target == LEAD and its_field == "id":
                for key in store.table(name).find((field,), (lead_id,)):
                    yield name, field, key
