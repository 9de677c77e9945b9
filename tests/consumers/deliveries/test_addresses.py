"""Where webhooks may go."""

import ipaddress
import socket
from typing import Any

import pytest

from consumers.deliveries.addresses import CheckedResolver, Forbidden, checked_url, hosts_of, is_public, shown_url
from consumers.deliveries.delivery import Secret, Unusable
from consumers.deliveries.sending import Result, open_sender

SECRETS = [Secret(text="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", created_at=0)]


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "::7f00:1", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_outside_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("ftp://example.com/x", "no URL"),
        ("example.com", "no URL"),
        ("https://", "no URL"),
        ("https://ann:secret@example.com/", "no user"),
        ("https://example.com/#x", "fragment"),
        ("http://example.com/", "use https"),
        ("https://127.0.0.1/", "no public address"),
        ("https://[::1]:8443/", "no public address"),
        ("https://[fe80::1%25eth0]/", "no public address"),
        ("https://169.254.169.254/latest/meta-data", "no public address"),
    ],
)
def test_what_may_not_be_called_is_refused_when_it_is_asked_for(url: str, hint: str) -> None:
    with pytest.raises(Unusable, match=hint) as refused:
        checked_url(url, ())
    assert "secret" not in str(refused.value)


def test_a_host_that_the_configuration_names_may_be_called() -> None:
    hosts = hosts_of("hooks.internal, .corp.example,127.0.0.1")
    for url in ("http://hooks.internal/x", "https://a.b.corp.example/x", "http://127.0.0.1:8080/x", "https://HOOKS.internal./"):
        assert checked_url(f" {url} ", hosts) == url
    for url in ("http://xhooks.internal/x", "http://corp.example.evil.com/", "https://127.0.0.2/"):
        with pytest.raises(Unusable):
            checked_url(url, hosts)


def test_what_stands_after_the_question_mark_is_not_shown() -> None:
    assert shown_url("https://a.example/x?token=abc") == "https://a.example/x?•••"
    assert shown_url("https://a.example/x") == "https://a.example/x"


class Names:
    """A resolver whose owner changes his mind with each question."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.asked, self._answers = 0, answers
        monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", self._getaddrinfo)

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        told = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in told]


async def test_one_address_inside_among_others_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(Forbidden, match="not public"):
        await CheckedResolver(()).resolve("hooks.example", 443)


async def test_a_named_host_may_lead_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, ["10.0.0.1"])
    assert [each["host"] for each in await CheckedResolver(["hooks.example"]).resolve("hooks.example", 443)] == ["10.0.0.1"]


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    called: list[Any] = []

    async def connected(*_: Any, addr_infos: Any, **__: Any) -> Any:
        called.extend(each[4][0] for each in addr_infos)
        raise OSError("nobody is there")

    monkeypatch.setattr("aiohappyeyeballs.start_connection", connected)
    async with open_sender((), timeout_seconds=5, agent="test") as sender:
        answer = await sender.post("https://hooks.example/", SECRETS, identity="msg_1", body=b"{}", at_ms=0)
    assert answer.result is Result.UNREACHABLE
    assert called == ["93.184.216.34"]
    assert names.asked == 1


@pytest.mark.parametrize("url", ["https://localhost:1/", "https://127.0.0.1:1/", "https://2130706433:1/", "https://0x7f.1:1/"])
async def test_nothing_on_this_machine_is_called(url: str) -> None:
    async with open_sender((), timeout_seconds=5, agent="test") as sender:
        answer = await sender.post(url, SECRETS, identity="msg_1", body=b"{}", at_ms=0)
    assert answer.result in (Result.FORBIDDEN, Result.UNREACHABLE)
    assert "refused" not in answer.words.lower(), "somebody was asked for a connection"
