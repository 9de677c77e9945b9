"""Every setting of Tandem: its default, its kind and what it is for.

The one definition behind the file, its JSON Schema and its reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from consumers.configuration.groups.connections import (
    KafkaSettings,
    MarketoSettings,
    PostgresSettings,
    SalesforceSettings,
    SchemaRegistrySettings,
)
from consumers.configuration.groups.currencies import CurrencySettings
from consumers.configuration.groups.custom import CustomObjects, CustomObjectSettings
from consumers.configuration.groups.pace import IntervalSettings, SettleSettings
from consumers.configuration.groups.pushes import PushSettings
from consumers.configuration.groups.records import (
    ActivitiesSettings,
    ContactSettings,
    FormSettings,
    KindSettings,
    LeadSettings,
    LinkSettings,
    PeopleSettings,
    kinds_by_default,
    section_of,
)
from consumers.configuration.groups.services import ConsoleSettings, DeliverySettings, FlowStepSettings, WebSettings
from consumers.configuration.groups.upkeep import AuditSettings, LogSettings, RetentionSettings
from consumers.configuration.reading.sections import Section, Sections
from consumers.configuration.reading.types import Choice
from consumers.kinds.registry import KINDS


class Echo(StrEnum):
    """How our own writes are told from others' in Marketo's activities."""

    AUTO = "auto"
    USER = "user"
    STAMP = "stamp"


class FirstCopy(StrEnum):
    """Who begins to copy what was there before."""

    ASKED = "asked"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, read once at the start; nobody else reads the file or the environment."""

    salesforce: Annotated[SalesforceSettings, Section("The Salesforce org", SalesforceSettings)]
    marketo: Annotated[MarketoSettings, Section("The Marketo instance", MarketoSettings)]
    kafka: Annotated[KafkaSettings, Section("Kafka", KafkaSettings)]
    postgres: Annotated[PostgresSettings, Section("PostgreSQL", PostgresSettings)]
    people: Annotated[PeopleSettings, Section("Matching, creation, deletion", PeopleSettings)] = field(default_factory=PeopleSettings)
    lead: Annotated[LeadSettings, Section("Leads", LeadSettings)] = field(default_factory=LeadSettings)
    contact: Annotated[ContactSettings, Section("Contacts", ContactSettings)] = field(default_factory=ContactSettings)
    kinds: Annotated[
        Mapping[str, KindSettings | FormSettings],
        Sections({kind.name: Section(kind.doc, section_of(kind)) for kind in KINDS if not kind.is_person}),
    ] = field(default_factory=kinds_by_default)
    custom_objects: Annotated[
        Mapping[str, CustomObjectSettings], CustomObjects("Custom objects of Salesforce, kept in step as custom objects in Marketo")
    ] = field(default_factory=dict)
    currencies: Annotated[CurrencySettings, Section("Several currencies", CurrencySettings)] = field(default_factory=CurrencySettings)
    links: Annotated[LinkSettings, Section("Fields of Tandem's own", LinkSettings)] = field(default_factory=LinkSettings)
    echo: Annotated[
        Echo, Choice("How Tandem knows its own writes in Marketo: by its API user, by a stamp field, or as the canary found", Echo)
    ] = Echo.AUTO
    first_copy: Annotated[
        FirstCopy,
        Choice(
            "What becomes of records that were there before Tandem: asked waits for `tandem copy start`, "
            "automatic has the polls read all of them at the first start",
            FirstCopy,
        ),
    ] = FirstCopy.ASKED
    intervals: Annotated[IntervalSettings, Section("Intervals", IntervalSettings)] = field(default_factory=IntervalSettings)
    settle: Annotated[SettleSettings, Section("Writing", SettleSettings)] = field(default_factory=SettleSettings)
    audit: Annotated[AuditSettings, Section("The drift audit", AuditSettings)] = field(default_factory=AuditSettings)
    retention: Annotated[RetentionSettings, Section("How long things are kept, in days; 0 keeps them for ever", RetentionSettings)] = field(
        default_factory=RetentionSettings
    )
    web: Annotated[WebSettings, Section("Health and metrics page", WebSettings)] = field(default_factory=WebSettings)
    console: Annotated[ConsoleSettings, Section("The console", ConsoleSettings)] = field(default_factory=ConsoleSettings)
    schema_registry: Annotated[SchemaRegistrySettings, Section("A schema registry", SchemaRegistrySettings)] = field(
        default_factory=SchemaRegistrySettings
    )
    deliveries: Annotated[DeliverySettings, Section("Webhooks to others", DeliverySettings)] = field(default_factory=DeliverySettings)
    activities_to_tasks: Annotated[ActivitiesSettings, Section("Activities of Marketo as tasks in Salesforce", ActivitiesSettings)] = field(
        default_factory=ActivitiesSettings
    )
    flow_steps: Annotated[FlowStepSettings, Section("Marketo's flow steps and `tandem person`", FlowStepSettings)] = field(
        default_factory=FlowStepSettings
    )
    pushes: Annotated[PushSettings, Section("Webhooks and the data stream: told of changes in Marketo at once", PushSettings)] = field(
        default_factory=PushSettings
    )
    log: Annotated[LogSettings, Section("Logging", LogSettings)] = field(default_factory=LogSettings)
