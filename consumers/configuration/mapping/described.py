"""The mapping of kinds whose fields Salesforce describes: what is taken, under which name, and what is left out and why. Pure."""

from collections.abc import Mapping

from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.mapping.describes import FieldFacts
from consumers.mapping.fields import Overlong
from consumers.mapping.kind import Default

_OF_THE_SYSTEM = frozenset({
    "Id", "IsDeleted", "SystemModstamp", "CreatedById", "LastModifiedById", "LastModifiedDate", "LastViewedDate", "LastReferencedDate",
    "LastActivityDate", "UserRecordAccessId",
})  # fmt: skip
"""Fields that Salesforce keeps for itself of every record: when it was touched, read or looked at. They move with each edit of another
field, and more often; whoever wants one names it under `fields`."""


def described_lines(facts: Mapping[str, FieldFacts], told: CustomObjectSettings) -> Mapping[str, Default]:
    """By Marketo's name: the lines of the mapping beside the links. Text that is longer than Marketo takes is cut."""
    named = names_there(told)
    lines: dict[str, Default] = {}
    for name, each in facts.items():
        kind = each.type
        if kind is not None and not why_not(each, told):
            lines[named.get(name, name)] = Default(name, named.get(name, name), kind, overlong=Overlong.CUT)
    return lines


def names_there(told: CustomObjectSettings) -> Mapping[str, str]:
    """By Salesforce's name: what the configuration calls fields in Marketo."""
    return {entry.salesforce or name: name for name, entry in told.fields.items() if entry is not None}


def why_not(facts: FieldFacts, told: CustomObjectSettings) -> str:
    """Why a field of Salesforce is not kept in step; empty: it is, or it is a link and kept as such."""
    name = facts.name
    if name in told.links:
        return "a link"
    if name in told.fields and told.fields[name] is None:
        return "left out by the configuration"
    if facts.type is None:
        return f"its type ({facts.wire_type}) can't be kept in step"
    if name in names_there(told):
        return ""
    if not told.all_fields:
        return "not named under fields (all_fields: false)"
    return "Salesforce's own" if name in _OF_THE_SYSTEM else ""
