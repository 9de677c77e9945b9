"""Ports stay ours over a restart: waited for, and not picked by a neighbour meanwhile."""

import random
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from infra import ports
from infra.ports import LOOPBACK, free_port, is_free, kept_port, wait_until_free


@pytest.fixture(autouse=True)
def own_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def freed_after(times: int) -> Callable[[int], bool]:
    """What `is_free` says while a former server still ends."""
    asked = iter([False] * times)
    return lambda port: next(asked, True)


def test_a_port_is_waited_for_while_its_former_server_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setattr(ports, "is_free", freed_after(3))
    assert kept_port(port) == port


def test_the_end_of_all_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", freed_after(3))
    assert wait_until_free([free_port(), free_port()])


def test_a_port_that_stays_taken_is_changed_loudly(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((LOOPBACK, free_port())) as other:
        port = other.getsockname()[1]
        assert not wait_until_free([port], wait_seconds=0.0)
        found = kept_port(port, wait_seconds=0.0)
    assert found != port
    assert is_free(found)
    assert f"port {port} is taken" in capsys.readouterr().err


def test_what_is_taken_by_ourselves_is_not_waited_for() -> None:
    port = free_port()
    assert kept_port(port, taken=frozenset({port})) != port


def test_a_neighbour_leaves_a_port_alone_that_is_down_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    other = free_port()
    offered = iter([port, other, port])
    monkeypatch.setattr(random, "randint", lambda low, high: next(offered, high - 1))
    assert free_port() not in {port, other}


async def test_no_two_servers_of_grpc_share_a_port() -> None:
    from infra.sandbox.salesforce.pubsub.server import OPTIONS  # noqa: PLC0415 - loads what only this test needs

    first, second = grpc.aio.server(options=OPTIONS), grpc.aio.server(options=OPTIONS)
    port = first.add_insecure_port(f"{LOOPBACK}:0")
    with pytest.raises(RuntimeError):
        second.add_insecure_port(f"{LOOPBACK}:{port}")
    await first.stop(None)
    await second.stop(None)
