"""What is served: a worker's web page, flow steps, the console."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

from consumers.configuration.reading.sections import Section
from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Flag, Names, Secret, SecretText, Text, Url, Whole


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
class OidcSettings:
    """An identity provider (OpenID Connect) by which people sign in to the console, and programs to its HTTP API."""

    issuer: Annotated[
        str | None, Url("Its issuer, as `/.well-known/openid-configuration` there has it; without one nobody signs in by it")
    ] = None
    client_id: Annotated[
        str | None, Text("What the console is called there; its redirect URI there is the console's address with `/sign-in/back`")
    ] = None
    client_secret: Annotated[Secret | None, SecretText("Its secret there; without one it is a public client (PKCE is used anyway)")] = None
    scope: Annotated[str, Text("What is asked for, with blanks between")] = "openid profile email"
    audience: Annotated[
        str | None, Text("Audience (`aud`) of the access tokens that programs send to the HTTP API; without one they are not taken")
    ] = None
    claim: Annotated[str, Text("The claim that gives roles; a dot leads into an object, as in realm_access.roles")] = "groups"
    viewers: Annotated[tuple[str, ...], Names("Values of that claim that make a viewer; `*`: whoever signs in")] = ()
    operators: Annotated[tuple[str, ...], Names("Values of that claim that make an operator; `*`: whoever signs in")] = ()
    admins: Annotated[tuple[str, ...], Names("Values of that claim that make an administrator; `*`: whoever signs in")] = ()
    name_claim: Annotated[str, Text("The claim by which the audit log names people; without it, or an unverified address: `sub`")] = "email"

    def problems(self) -> Iterator[tuple[str, str]]:
        """What contradicts itself: key, and what to do."""
        if self.issuer is None:
            given = self.client_id or self.client_secret or self.audience or self.viewers or self.operators or self.admins
            if given:
                yield "console.oidc", "issuer is missing; add it, or remove the section"
            return
        if self.client_id is None:
            yield "console.oidc", "client_id is missing; add what the console is called at the identity provider"
        if not (self.viewers or self.operators or self.admins):
            yield "console.oidc", "nobody would have a role; add viewers, operators or admins"
        if "openid" not in self.scope.split():
            yield "console.oidc.scope", "openid is missing; add it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """Topics for those without Kafka (`tandem deliveries`): webhooks that are called, and how patiently."""

    private_hosts: Annotated[
        str | None,
        Text(
            "Hosts that webhooks may go to though their addresses are private, loopback or link-local (and by plain http), with commas "
            "between them; one with a dot before it stands for all below it. Without: none",
            r"\.?[A-Za-z0-9:._-]+(\s*,\s*\.?[A-Za-z0-9:._-]+)*",
            "hosts with commas between them, such as hooks.internal, .corp.example",
        ),
    ] = None
    timeout_seconds: Annotated[float, Duration("How long the receiver of a webhook has to answer", "1s", "60s")] = 15.0
    retry_seconds_max: Annotated[
        float, Duration("The longest wait between two attempts at a message; the first is a second, and doubles", "1s", "24h")
    ] = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """The console in the browser and its HTTP API (`tandem console`)."""

    host: Annotated[str, Text("Address to listen on; anything but loopback shows the console to the network, and needs users")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Whole("Port to listen on", 1, 65_535)] = 6068
    url: Annotated[
        str | None, Url("Where people reach it (behind your proxy, which has the certificate); without it: localhost and the port")
    ] = None
    users: Annotated[
        str | None,
        Text("File of its users, a line each: name, role (viewer, operator, admin), hash (`tandem console password` makes the line)"),
    ] = None
    tokens: Annotated[
        str | None, Text("File of the programs that may use its HTTP API, a line each: name, role, SHA-256 of the token in hexadecimal")
    ] = None
    links: Annotated[
        bool,
        Flag(
            "Whether one-time links sign in though it doesn't listen on loopback: only where nobody but this machine reaches the port, "
            "as in a container"
        ),
    ] = False
    oidc: Annotated[OidcSettings, Section("Signing in to the console by an identity provider", OidcSettings)] = field(
        default_factory=OidcSettings
    )

    @property
    def address(self) -> str:
        """Where people reach it, without a slash at its end."""
        return self.url or f"http://localhost:{self.port}"
