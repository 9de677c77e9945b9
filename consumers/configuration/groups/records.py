"""Which records are kept in step, and how: people, leads, contacts, every other kind, the fields that Tandem keeps itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from consumers.configuration.groups.qualify import QualifyType
from consumers.configuration.groups.rules import NAME, FieldEntries, FieldEntry
from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Choice, Flag, Names, Text
from consumers.kinds.registry import KINDS
from consumers.mapping.fields import LinkFields, Qualification
from consumers.mapping.kind import Form, Kind
from streams.wire.systems import LEAD, Object, System

_NAME_FORM = "an API name (a letter, then letters, digits or _)"


class MatchBy(StrEnum):
    """The field by which people of the two systems meet."""

    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitiesSettings:
    """Which activities of Marketo become tasks in Salesforce: of people who are there, from the first start with it on, each once."""

    types: Annotated[tuple[str, ...], Names("Types of activities by their names in Marketo; none: nothing is retold")] = ()
    subject: Annotated[str, Text("Subject of the task; `{type}` and `{primary}` stand for the type and for what it was about")] = (
        "{type}: {primary}"
    )
    status: Annotated[str, Text("Status of the task")] = "Completed"
    every_seconds: Annotated[float, Duration("Between two looks at the log", "1s", "1h")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleSettings:
    """Who is matched with whom, and who is created or deleted where."""

    qualify: Annotated[Qualification, QualifyType("Which Marketo people may be created in Salesforce")] = field(
        default_factory=Qualification
    )
    new: Annotated[Object, Choice("What they become there", Object, ("lead", "contact"))] = LEAD
    match_by: Annotated[MatchBy, Choice("How people meet who are not linked yet", MatchBy)] = MatchBy.EMAIL
    delete_in_salesforce: Annotated[bool, Flag("Whether a person deleted in Marketo is deleted in Salesforce too")] = False
    delete_in_marketo: Annotated[
        bool, Flag("Whether a lead or contact deleted in Salesforce is deleted in Marketo too; otherwise the person there is flagged")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadSettings:
    """How leads are kept in step."""

    winner: Annotated[System, Choice("Who wins a conflict where no rule of the field says so", System)] = System.MARKETO
    fields: Annotated[Mapping[str, FieldEntry | None], FieldEntries("Additions to the default mapping, and changes of it")] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSettings:
    """How contacts are kept in step."""

    winner: Annotated[System, Choice("Who wins a conflict where no rule of the field says so", System)] = System.SALESFORCE
    fields: Annotated[Mapping[str, FieldEntry | None], FieldEntries("Additions to the default mapping, and changes of it")] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSettings:
    """How one more kind of record is kept in step."""

    sync: Annotated[bool, Flag("Whether they are kept in step at all")] = True
    fields: Annotated[Mapping[str, FieldEntry | None], FieldEntries("Additions to the default mapping, and changes of it")] = field(
        default_factory=dict
    )

    @property
    def form(self) -> Form:
        """Marketo knows such records itself."""
        return Form.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSettings:
    """How a kind of record is kept in step for which Marketo has no name of its own."""

    as_: Annotated[
        Form,
        Choice(
            "As what they are written to Marketo (`tandem setup` makes it): an activity is written once into the person's history and "
            "stays as it is, a custom object follows its record",
            Form,
        ),
    ] = Form.NONE
    fields: Annotated[Mapping[str, FieldEntry | None], FieldEntries("Additions to the default mapping, and changes of it")] = field(
        default_factory=dict
    )

    @property
    def sync(self) -> bool:
        """Whether they are kept in step at all."""
        return self.as_ is not Form.NONE

    @property
    def form(self) -> Form:
        """As what."""
        return self.as_


def section_of(kind: Kind) -> type[KindSettings | FormSettings]:
    """What its section of the file looks like."""
    return FormSettings if kind.forms else KindSettings


def kinds_by_default() -> Mapping[str, KindSettings | FormSettings]:
    """Of each kind, people apart, what holds where the file says nothing."""
    return {kind.name: section_of(kind)() for kind in KINDS if not kind.is_person}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """The fields that Tandem keeps itself (`tandem setup` makes them)."""

    lead_id: Annotated[str, Text("Marketo: id of the Salesforce lead", NAME, _NAME_FORM)] = "sfLeadId"
    contact_id: Annotated[str, Text("Marketo: id of the Salesforce contact", NAME, _NAME_FORM)] = "sfContactId"
    type: Annotated[str, Text("Marketo: Lead, Contact or blank (not in Salesforce)", NAME, _NAME_FORM)] = "sfType"
    is_deleted: Annotated[str, Text("Marketo: whether the Salesforce record was deleted", NAME, _NAME_FORM)] = "sfIsDeleted"
    stamp: Annotated[str, Text("Marketo: id of Tandem's last write, where `echo` needs one", NAME, _NAME_FORM)] = "tandemStamp"
    salesforce_key: Annotated[str, Text("Salesforce, lead and contact: unique external id with the Marketo id", NAME, _NAME_FORM)] = (
        LinkFields().salesforce_key
    )
