"""What it takes to reach one Salesforce org. Built at the entry point; nothing here reads the environment."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

_VERSION = re.compile(r"[0-9]{2}\.0")
_OLDEST_VERSION = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """OAuth client credentials: runs as the integration user of the app; only the My Domain host serves it."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtBearer:
    """OAuth JWT bearer: a signed assertion, no secret travels. `audience`: login or test host, or the site's own URL."""

    client_id: str
    username: str
    private_key_pem: str = field(repr=False)
    audience: str = "https://login.salesforce.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """OAuth refresh token obtained once by a person."""

    client_id: str
    refresh_token: str = field(repr=False)
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Password:
    """OAuth username-password: blocked by default in orgs created since Summer '23. `password` includes the security token."""

    client_id: str
    username: str
    client_secret: str = field(repr=False)
    password: str = field(repr=False)


Credentials = ClientCredentials | JwtBearer | RefreshToken | Password


class Protocol(StrEnum):
    """By which of its APIs Salesforce tells of changes."""

    COMETD = "cometd"
    PUBSUB = "pubsub"


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesforceSettings:
    """One org, one user. `base_url` is the My Domain login host (`https://acme.my.salesforce.com`).

    Raises ValueError with the reason when something is wrong.
    """

    base_url: str
    credentials: Credentials
    api_version: str = "66.0"
    channel: str = "/data/ChangeEvents"
    stream: Protocol = Protocol.COMETD
    """How the stream of changes is read; position and events are the same."""
    pubsub_url: str = "https://api.pubsub.salesforce.com:7443"
    client_tag: str = "tandem"
    """Sent as `Sforce-Call-Options: client=…`; comes back in `changeOrigin` of the changes that our calls make."""
    duplicates_allowed: bool = True
    """Save a record although a duplicate rule alerts (`Sforce-Duplicate-Rule-Header: allowSave`); blocking rules still block."""
    request_timeout_seconds: float = 120.0
    connect_timeout_seconds: float = 10.0
    read_attempts_max: int = 5
    login_spacing_seconds: float = 5.0
    login_failures_max: int = 5
    """So many log-ins failing in a row open the circuit breaker."""
    login_pause_seconds: float = 60.0
    """How long the breaker stays open, and how long a refusal of the credentials is taken at its word."""
    connections_max: int = 20
    """Salesforce allows 25 long-running requests for the whole org (SOAP API guide, implementation considerations)."""
    stream_silence_seconds: float = 150.0
    """Without a successful connect for so long the stream is dead: the server answers every 110 s at the latest."""
    stream_check_seconds: float = 5.0
    stream_open_seconds: float = 30.0
    stream_backoff_seconds: float = 0.5
    stream_backoff_max_seconds: float = 30.0
    stream_busy_pause_seconds: float = 180.0
    stream_limit_pause_seconds: float = 900.0
    stream_pending_max: int = 10_000
    """So many events may wait for the consumer (Kafka is away); then the stream is left alone, and opened again once they are through."""
    stream_from_retained: bool = False
    """With no position saved: begin with everything retained (72 hours, counted against the day's deliveries) or with what is new."""

    def __post_init__(self) -> None:
        """Refuse what can't work."""
        if not self.base_url.startswith(("http://", "https://")) or self.base_url.endswith("/"):
            raise ValueError(f"base_url must look like https://acme.my.salesforce.com without a final slash, not {self.base_url!r}")
        if not _VERSION.fullmatch(self.api_version) or int(self.api_version[:2]) < _OLDEST_VERSION:
            raise ValueError(f"api_version must look like 66.0 and be at least {_OLDEST_VERSION}.0, not {self.api_version!r}")
        if not self.channel.startswith("/data/"):
            raise ValueError(f"channel must be a change event channel such as /data/ChangeEvents, not {self.channel!r}")
        if not self.pubsub_url.startswith(("http://", "https://")):
            raise ValueError(f"pubsub_url must look like https://api.pubsub.salesforce.com:7443, not {self.pubsub_url!r}")
        for name in ("request_timeout_seconds", "connect_timeout_seconds", "stream_silence_seconds", "stream_check_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")
        if self.read_attempts_max < 1 or self.connections_max < 1 or self.login_failures_max < 1:
            raise ValueError("read_attempts_max, connections_max and login_failures_max must be at least 1")

    @property
    def data_path(self) -> str:
        """The REST root of this version: `/services/data/v66.0`."""
        return f"/services/data/v{self.api_version}"
