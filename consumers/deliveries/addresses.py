"""Where webhooks may go: nowhere inside of the network that Tandem stands in, unless the configuration names the host.

The name is resolved once for each connection, every address that it has is looked at, and the connection goes to one of those: whoever
owns the name can't have it resolve to something else between the look and the call. A redirect is never followed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from consumers.deliveries.delivery import Unusable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_INTO_IPV4 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""NAT64, and the old form: the last four bytes are an IPv4 address."""
_URL_MAX = 2_000
_SETTING = "deliveries.private_hosts"


class Forbidden(OSError):  # noqa: N818 - as the network's own refusals
    """The host has an address that may not be called."""


def checked_url(text: str, private_hosts: Iterable[str]) -> str:
    """The address of a webhook. Raises `Unusable`: no https, a user in it, a host that may not be called as it is written."""
    told = text.strip()
    try:
        url = URL(told)
    except ValueError:
        raise Unusable("that is no URL; write it like https://example.com/hooks/tandem") from None
    if url.scheme not in ("https", "http") or not url.host or len(told) > _URL_MAX:
        raise Unusable("that is no URL; write it like https://example.com/hooks/tandem")
    if url.user or url.password or url.fragment:
        raise Unusable("the URL of a webhook has no user, password or fragment; the signature tells who calls")
    named = is_named(url.host, private_hosts)
    if url.scheme == "http" and not named:
        raise Unusable(f"plain http is only for hosts that {_SETTING} names; use https")
    literal = literal_of(url.host)
    if literal is not None and not named and not is_public(literal):
        raise Unusable(f"{url.host} is no public address; name it in {_SETTING} if it may be called all the same")
    return told


def shown_url(text: str) -> str:
    """The URL for people and logs: what stands after the question mark may be a secret."""
    return f"{text.partition('?')[0]}?•••" if "?" in text else text


def is_named(host: str, private_hosts: Iterable[str]) -> bool:
    """Whether the configuration names the host: itself, or with a dot before it all below it."""
    told = host.casefold().rstrip(".").strip("[]")
    return any(told == each or (each.startswith(".") and told.endswith(each)) for each in private_hosts)


def hosts_of(setting: str | None) -> frozenset[str]:
    """The hosts in the setting, with commas between them."""
    return frozenset(each.strip().casefold() for each in (setting or "").split(",") if each.strip())


def literal_of(host: str) -> Address | None:
    """The address that a host is written as; None: it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether it lies outside: not private, loopback, link-local, shared, reserved, multicast, nor a way of writing one that does."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if any(address in network for network in _INTO_IPV4):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


class CheckedResolver(AbstractResolver):
    """Resolves names for a connector, and gives no address that may not be called. `private_hosts`: those that may resolve to anything."""

    def __init__(self, private_hosts: Iterable[str]) -> None:
        self._private_hosts = frozenset(private_hosts)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """The addresses of a name. Raises `Forbidden` where any of them may not be called, and what the system's resolver raises."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        told = [_result(host, port, each) for each in found]
        if not is_named(host, self._private_hosts):
            for each in told:
                literal = literal_of(each["host"])
                if literal is None or not is_public(literal):
                    raise Forbidden(
                        f"{host} leads to an address that is not public; name it in {_SETTING} if it may be called all the same"
                    )
        return told

    async def close(self) -> None:
        """Nothing is held."""


def _result(host: str, port: int, found: tuple[Any, ...]) -> ResolveResult:
    family, _, proto, _, where = found
    return ResolveResult(
        hostname=host,
        host=str(where[0]),
        port=port,
        family=int(family),
        proto=int(proto),
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
