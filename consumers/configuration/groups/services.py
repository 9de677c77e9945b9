"""What is served: a worker's web page, flow steps, the console."""

from dataclasses import dataclass
from typing import Annotated

from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Flag, Secret, SecretText, Text, Url, Whole


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
