"""Every setting of Tandem: its default, its kind and what it is for.

The one definition behind the file, its JSON Schema and its reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from consumers.configuration.groups.currencies import ISO_CODE, Rates
from consumers.configuration.groups.custom import CustomObjects, CustomObjectSettings
from consumers.configuration.groups.pushes import PushSettings
from consumers.configuration.groups.qualify import QualifyType
from consumers.configuration.groups.rules import NAME, FieldEntries, FieldEntry
from consumers.configuration.reading.files import Dsn, FilePath
from consumers.configuration.reading.sections import Section, Sections
from consumers.configuration.reading.times import Duration, TimeZone
from consumers.configuration.reading.types import Choice, Flag, Names, Secret, SecretText, Servers, Text, Url, Whole
from consumers.kinds.registry import KINDS
from consumers.mapping.fields import LinkFields, Qualification
from consumers.mapping.kind import Form, Kind
from streams.ground.access import Sasl
from streams.salesforce.api.access.settings import Protocol
from streams.wire.systems import LEAD, Object, System

_ISO_FORM = "a currency's ISO code, such as EUR"
_NAME_FORM = "an API name (a letter, then letters, digits or _)"


class Echo(StrEnum):
    """How our own writes are told from others' in Marketo's activities."""

    AUTO = "auto"
    USER = "user"
    STAMP = "stamp"


class FirstCopy(StrEnum):
    """Who begins to copy what was there before."""

    ASKED = "asked"
    AUTOMATIC = "automatic"


class Reads(StrEnum):
    """Whether a target is read before it is written."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class LogLevel(StrEnum):
    """The least important messages that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How messages are written."""

    JSON = "json"
    TEXT = "text"
    AUTO = "auto"


class MatchBy(StrEnum):
    """The field by which people of the two systems meet."""

    EMAIL = "email"


class Flow(StrEnum):
    """How Tandem signs in to Salesforce; follows from the credentials that are given."""

    CLIENT_CREDENTIALS = "client_credentials"
    JWT = "jwt"
    REFRESH = "refresh"
    PASSWORD = "password"  # noqa: S105 - the name of a flow


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesforceSettings:
    """The Salesforce org and the user that is Tandem's alone."""

    url: Annotated[str, Url("The org's My Domain, or a sandbox's")]
    client_id: Annotated[str, Text("Consumer key of the connected app")]
    client_secret: Annotated[Secret | None, SecretText("Consumer secret (flows: client credentials, refresh, password)")] = None
    username: Annotated[str | None, Text("User to sign in as (flows: JWT, password)")] = None
    password: Annotated[Secret | None, SecretText("The user's password, with its security token (flow: password)")] = None
    private_key: Annotated[Secret | None, SecretText("PEM of the key whose certificate the connected app has (flow: JWT)")] = None
    refresh_token: Annotated[Secret | None, SecretText("Refresh token (flow: refresh)")] = None
    login_url: Annotated[str | None, Url("Audience of the JWT; https://test.salesforce.com for a sandbox")] = None
    api_version: Annotated[str, Text("REST and CometD version", r"\d{2}\.0", "an API version such as 66.0")] = "66.0"
    channel: Annotated[str, Text("CDC channel to follow", r"/data/\w+", "a CDC channel such as /data/ChangeEvents")] = "/data/ChangeEvents"
    stream: Annotated[
        Protocol,
        Choice("How changes are followed: by the Streaming API (cometd) or the Pub/Sub API; events and position are the same", Protocol),
    ] = Protocol.COMETD
    pubsub_url: Annotated[str, Url("Where the Pub/Sub API is")] = "https://api.pubsub.salesforce.com:7443"
    calls_per_day: Annotated[int, Whole("The org's daily API calls, until the org itself tells", 100, 100_000_000)] = 100_000
    duplicates_allowed: Annotated[
        bool, Flag("Whether a record is saved although a duplicate rule alerts; a rule that blocks still blocks")
    ] = True
    calls_at_once: Annotated[int, Whole("Calls under way at once, all workers together", 1, 25)] = 8

    @property
    def flow(self) -> Flow:
        """How to sign in, from the credentials (exactly one set is complete, checked at load)."""
        if self.private_key:
            return Flow.JWT
        if self.refresh_token:
            return Flow.REFRESH
        return Flow.PASSWORD if self.password else Flow.CLIENT_CREDENTIALS


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketoSettings:
    """The Marketo instance, the API user that is Tandem's alone, and the instance's limits."""

    url: Annotated[str, Url("The instance's REST endpoint without /rest, https://123-ABC-456.mktorest.com")]
    client_id: Annotated[str, Text("Client id of the custom service")]
    client_secret: Annotated[Secret, SecretText("Client secret of the custom service")]
    time_zone: Annotated[str, TimeZone("The instance's time zone; its activities tell times without one")] = "America/Chicago"
    calls_per_20_seconds: Annotated[
        int, Whole("Calls in any 20 seconds, all workers together; the instance allows 100 to everyone", 1, 100)
    ] = 100
    calls_at_once: Annotated[int, Whole("Calls under way at once, all workers together; the instance allows 10 to everyone", 1, 10)] = 10
    calls_per_day: Annotated[
        int, Whole("Calls a day, all workers together; the instance allows 50,000 unless more were bought", 100, 10_000_000)
    ] = 50_000
    polling_calls_per_day: Annotated[int, Whole("The part of them that following the activities may cost", 24, 10_000_000)] = 20_000
    program_calls_per_day: Annotated[
        int, Whole("The part of them that the polls of linked programs may cost: the more programs, the longer between two", 24, 10_000_000)
    ] = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Kafka, which carries the changes."""

    bootstrap_servers: Annotated[str, Servers("Addresses of brokers")]
    group: Annotated[str, Text("Name of the consumer group", r"[A-Za-z0-9._-]{1,200}", "a consumer group's name")] = "tandem"
    tls: Annotated[bool, Flag("Whether the connection is encrypted, and the brokers' certificates are checked")] = False
    ca_file: Annotated[Path | None, FilePath("PEM of the authority that signed them; without it, those that this machine trusts")] = None
    certificate_file: Annotated[Path | None, FilePath("PEM of our own certificate, where the brokers ask for one")] = None
    key_file: Annotated[Path | None, FilePath("PEM of its private key, where it is not in the same file")] = None
    key_password: Annotated[Secret | None, SecretText("What opens the private key")] = None
    sasl: Annotated[Sasl, Choice("How Tandem signs in to the brokers", Sasl)] = Sasl.NONE
    username: Annotated[str | None, Text("User to sign in as (plain, scram-sha-256, scram-sha-512)")] = None
    password: Annotated[Secret | None, SecretText("The user's password")] = None
    token_file: Annotated[Path | None, FilePath("Holds the token (oauthbearer); read anew for each connection")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings:
    """PostgreSQL, which holds the ledger."""

    dsn: Annotated[
        Secret,
        Dsn(
            "postgresql://user:password@host:port/database; for TLS and client certificates with "
            "?sslmode=verify-full&sslrootcert=…&sslcert=…&sslkey=…"
        ),
    ]
    connections_max: Annotated[int, Whole("Connections of one worker", 2, 100)] = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long is kept what nobody waits for any more. Days; 0 keeps it for ever."""

    decisions_days: Annotated[
        int, Whole("Decisions (`tandem explain`), since they were made; those that Kafka has not taken yet stay", 0, 3_650)
    ] = 90
    dead_letters_days: Annotated[int, Whole("Dead letters, since they were buried; those that Kafka has not taken yet stay", 0, 3_650)] = 90
    cycles_days: Annotated[int, Whole("Reports of reconciliation cycles; the last of each poll stays", 0, 3_650)] = 30
    differences_days: Annotated[int, Whole("What the drift audit has found, since it ended; what still differs stays", 0, 3_650)] = 90
    gaps_days: Annotated[int, Whole("Gaps, since they were closed; open ones stay", 0, 3_650)] = 90
    audit_log_days: Annotated[int, Whole("The audit log (`tandem audit-log`)", 0, 3_650)] = 400
    calls_days: Annotated[int, Whole("What the calls of a day were for", 0, 3_650)] = 400
    errands_days: Annotated[
        int,
        Whole("What flow steps and `tandem person` have asked for, since then; what has not ended, or Marketo waits for, stays", 0, 3_650),
    ] = 30
    deleted_people_days: Annotated[
        int,
        Whole(
            "People without a record on either side, since anything happened to them; 30 at the least, as recycle bins and topics "
            "can bring them back for weeks; those who are held, or owed anything, stay",
            0,
            3_650,
        ),
    ] = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The worker's web page: health and metrics."""

    host: Annotated[str, Text("Address to listen on; anything but loopback shows it to the network")] = "127.0.0.1"
    port: Annotated[int, Whole("Port to listen on; 0 takes a free one", 0, 65_535)] = 6066
    token: Annotated[
        Secret | None, SecretText("Who sends it (`Authorization: Bearer …`) sees the systems' own words in `/status.json`, too")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStepSettings:
    """What is asked for by Marketo's smart campaigns and by `tandem person`: the service that Marketo calls, and how long is tried."""

    key: Annotated[Secret | None, SecretText("API key that Marketo sends with each call (`x-api-key`); without one nothing is served")] = (
        None
    )
    host: Annotated[str, Text("Address to listen on; anything but loopback shows the service to the network")] = "127.0.0.1"
    port: Annotated[int, Whole("Port to listen on", 1, 65_535)] = 6067
    url: Annotated[
        str | None, Url("Where Marketo reaches the service (behind your proxy, which has the certificate); stands in its documents")
    ] = None
    callback_hosts: Annotated[
        str,
        Text(
            "Hosts that may be called back, with commas between them; one with a dot before it stands for all below it",
            r"\.?[A-Za-z0-9.-]+(\s*,\s*\.?[A-Za-z0-9.-]+)*",
            "hosts with commas between them, such as .marketo.com, .mktorest.com",
        ),
    ] = ".marketo.com, .mktorest.com, .adobe.io"
    munchkin_id: Annotated[
        str | None, Text("Only this Marketo subscription may ask, 123-ABC-456", r"[0-9A-Za-z-]{3,30}", "a Munchkin id")
    ] = None
    request_kilobytes_max: Annotated[int, Whole("The largest request that is read", 16, 102_400)] = 10_240
    give_up_seconds: Annotated[float, Duration("How long something that can't be done at the moment is tried", "1m", "14d")] = 86_400.0


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


def _section(kind: Kind) -> type[KindSettings | FormSettings]:
    return FormSettings if kind.forms else KindSettings


def _kinds() -> Mapping[str, KindSettings | FormSettings]:
    return {kind.name: _section(kind)() for kind in KINDS if not kind.is_person}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalSettings:
    """How often the systems are asked, and how long is waited."""

    poll_seconds: Annotated[float, Duration("Between two cycles of the reconciliation poll", "1s", "1d")] = 300.0
    overlap_seconds: Annotated[float, Duration("How far a cycle reads back behind its watermark", "0s", "1d")] = 600.0
    activities_min_seconds: Annotated[float, Duration("Between two looks at Marketo's activities while there is news", "200ms", "1h")] = 1.0
    activities_max_seconds: Annotated[float, Duration("The same while there is none, or calls run short", "200ms", "1h")] = 15.0
    describe_seconds: Annotated[float, Duration("Between two looks at which fields both systems have and show", "1s", "1d")] = 900.0
    lateness_seconds: Annotated[float, Duration("How long a change waits for one before it that is missing in the feed", "1s", "1d")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleSettings:
    """How owed writes are made."""

    salesforce_records_max: Annotated[int, Whole("Records a call to Salesforce", 1, 200)] = 200
    marketo_records_max: Annotated[int, Whole("Records a call to Marketo", 1, 300)] = 300
    salesforce_calls_at_once: Annotated[int, Whole("Writing calls of one worker under way at once", 1, 25)] = 4
    marketo_calls_at_once: Annotated[int, Whole("Writing calls of one worker under way at once", 1, 10)] = 6
    read_salesforce: Annotated[
        Reads, Choice("Whether Salesforce is read before it is written; `auto`: unless its feed is proven fresh and calls are short", Reads)
    ] = Reads.AUTO
    read_marketo: Annotated[
        Reads, Choice("Whether Marketo is read before it is written; `auto`: what was just edited, while calls are plenty", Reads)
    ] = Reads.AUTO
    lease_seconds: Annotated[float, Duration("How long an unanswered call is waited for before it is taken for lost", "5s", "1h")] = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """How both sides are compared, record by record, in the background (`tandem drift`)."""

    calls_percent: Annotated[int, Whole("The part of each system's daily calls that it may take; 0: nothing is compared", 0, 100)] = 5
    every_seconds: Annotated[float, Duration("From one proof of all records to the next, where the calls suffice", "1s", "365d")] = 86_400.0
    confirm_seconds: Annotated[
        float,
        Duration(
            "How far apart two readings must say the same before a difference counts; longer than a change takes by the poll", "1s", "1d"
        ),
    ] = 420.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencySettings:
    """Amounts of an org with several currencies, which Marketo keeps in one."""

    corporate: Annotated[str | None, Text("The currency of Marketo's amounts (ISO code)", ISO_CODE, _ISO_FORM)] = None
    rates: Annotated[Mapping[str, Decimal], Rates("What one unit of another currency is worth in the corporate one")] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """What is logged."""

    level: Annotated[LogLevel, Choice("Least important messages", LogLevel)] = LogLevel.INFO
    format: Annotated[LogFormat, Choice("auto: text on a terminal, JSON elsewhere", LogFormat)] = LogFormat.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set, read once at the start; nobody else reads the file or the environment."""

    salesforce: Annotated[SalesforceSettings, Section("The Salesforce org", SalesforceSettings)]
    marketo: Annotated[MarketoSettings, Section("The Marketo instance", MarketoSettings)]
    kafka: Annotated[KafkaSettings, Section("Kafka", KafkaSettings)]
    postgres: Annotated[PostgresSettings, Section("PostgreSQL", PostgresSettings)]
    people: Annotated[PeopleSettings, Section("Matching, creation, deletion", PeopleSettings)] = PeopleSettings()
    lead: Annotated[LeadSettings, Section("Leads", LeadSettings)] = LeadSettings()
    contact: Annotated[ContactSettings, Section("Contacts", ContactSettings)] = ContactSettings()
    kinds: Annotated[
        Mapping[str, KindSettings | FormSettings],
        Sections({kind.name: Section(kind.doc, _section(kind)) for kind in KINDS if not kind.is_person}),
    ] = field(default_factory=_kinds)
    custom_objects: Annotated[
        Mapping[str, CustomObjectSettings], CustomObjects("Custom objects of Salesforce, kept in step as custom objects in Marketo")
    ] = field(default_factory=dict)
    currencies: Annotated[CurrencySettings, Section("Several currencies", CurrencySettings)] = CurrencySettings()
    links: Annotated[LinkSettings, Section("Fields of Tandem's own", LinkSettings)] = LinkSettings()
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
    intervals: Annotated[IntervalSettings, Section("Intervals", IntervalSettings)] = IntervalSettings()
    settle: Annotated[SettleSettings, Section("Writing", SettleSettings)] = SettleSettings()
    audit: Annotated[AuditSettings, Section("The drift audit", AuditSettings)] = AuditSettings()
    retention: Annotated[RetentionSettings, Section("How long things are kept, in days; 0 keeps them for ever", RetentionSettings)] = (
        RetentionSettings()
    )
    web: Annotated[WebSettings, Section("Health and metrics page", WebSettings)] = WebSettings()
    activities_to_tasks: Annotated[ActivitiesSettings, Section("Activities of Marketo as tasks in Salesforce", ActivitiesSettings)] = (
        ActivitiesSettings()
    )
    flow_steps: Annotated[FlowStepSettings, Section("Marketo's flow steps and `tandem person`", FlowStepSettings)] = FlowStepSettings()
    pushes: Annotated[PushSettings, Section("Webhooks and the data stream: told of changes in Marketo at once", PushSettings)] = field(
        default_factory=PushSettings
    )
    log: Annotated[LogSettings, Section("Logging", LogSettings)] = LogSettings()
