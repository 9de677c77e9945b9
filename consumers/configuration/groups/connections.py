"""What Tandem connects to: Salesforce, Marketo, Kafka, PostgreSQL, a schema registry."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from consumers.configuration.reading.files import Dsn, FilePath
from consumers.configuration.reading.times import TimeZone
from consumers.configuration.reading.types import Choice, Flag, Secret, SecretText, Servers, Text, Url, Whole
from streams.ground.access import Sasl
from streams.salesforce.api.access.settings import Protocol

_OTHERS = "The part of the day's calls that is left to other applications on the account; what they have used of it counts"


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
    quiet_channel: Annotated[
        str | None,
        Text(
            "CDC channel whose filter leaves out what Tandem's own user commits; followed while the day's delivered events run short",
            r"/data/\w+__chn",
            "a custom channel such as /data/Others__chn",
        ),
    ] = None
    stream: Annotated[
        Protocol,
        Choice("How changes are followed: by the Streaming API (cometd) or the Pub/Sub API; events and position are the same", Protocol),
    ] = Protocol.COMETD
    pubsub_url: Annotated[str, Url("Where the Pub/Sub API is")] = "https://api.pubsub.salesforce.com:7443"
    calls_per_day: Annotated[int, Whole("The org's daily API calls, until the org itself tells", 100, 100_000_000)] = 100_000
    others_percent: Annotated[int, Whole(_OTHERS, 0, 90)] = 10
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
    others_percent: Annotated[int, Whole(_OTHERS, 0, 90)] = 10
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


class Compatibility(StrEnum):
    """Which schemas a registry lets follow another, by its own words."""

    REGISTRY = "registry"
    BACKWARD = "backward"
    BACKWARD_TRANSITIVE = "backward_transitive"
    FORWARD = "forward"
    FORWARD_TRANSITIVE = "forward_transitive"
    FULL = "full"
    FULL_TRANSITIVE = "full_transitive"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRegistrySettings:
    """A Confluent-compatible schema registry in which `tandem schemas --register` puts the JSON Schemas of the topics' values."""

    url: Annotated[
        str | None,
        Text("Its address; without one there is none", r"https?://[^\s@?#/]+(/[^\s@?#]*)?", "a URL such as https://registry.example:8081"),
    ] = None
    username: Annotated[str | None, Text("Who asks, where it wants to know (HTTP Basic)")] = None
    password: Annotated[Secret | None, SecretText("Their password")] = None
    compatibility: Annotated[
        Compatibility,
        Choice("What is set for each of our subjects before its first schema; registry: what it has for all", Compatibility),
    ] = Compatibility.FORWARD

    def problems(self) -> Iterator[tuple[str, str]]:
        """What contradicts itself: key, and what to do."""
        if self.url is None and (self.username or self.password):
            yield "schema_registry", "url is missing; add it, or remove the section"
        if bool(self.username) != bool(self.password):
            yield "schema_registry", "username and password belong together; add the other one"
        if self.url and self.password and self.url.startswith("http:"):
            yield "schema_registry.url", "a password would go over the network as it is; use https"
