"""Free loopback ports that stay ours over a restart."""

import os
import random
import socket
import sys
import tempfile
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_240
_PICKED_SECONDS = 3_600.0
_WAIT_SECONDS, _POLL_SECONDS = 30.0, 0.05


def free_port(*, taken: frozenset[int] = frozenset(), tries_max: int = 200) -> int:
    """A port nobody listens on, outside the range from which the kernel takes outgoing ports.

    A server that is down for a moment would otherwise lose its port to some client's connection; what was picked here lately is not
    picked again by anybody, so that stacks and test runs beside each other leave each other's alone. Raises OSError when none is found.
    """
    highest = _ephemeral_start() - 1
    for _ in range(tries_max):
        port = random.randint(_LOWEST, highest)
        if port not in taken and is_free(port) and _pick(port):
            return port
    raise OSError(f"no free port found on {LOOPBACK} between {_LOWEST} and {highest}")


def kept_port(port: int, *, taken: frozenset[int] = frozenset(), wait_seconds: float = _WAIT_SECONDS) -> int:
    """The same port again, as soon as whoever served there before has gone; another one, loudly, when somebody stays on it."""
    deadline = time.monotonic() + wait_seconds
    while port not in taken:
        if is_free(port):
            _mark(port).touch(mode=0o600)
            return port
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    other = free_port(taken=taken | {port})
    sys.stderr.write(f"port {port} is taken by another program; {other} is used instead\n")
    return other


def wait_until_free(ports: list[int], *, wait_seconds: float = _WAIT_SECONDS) -> bool:
    """Whether nobody listens on any of them any more, within that time."""
    deadline = time.monotonic() + wait_seconds
    while not all(is_free(port) for port in ports):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _pick(port: int) -> bool:
    """Whether the port is ours from now on: nobody picked or kept it within the hour."""
    mark = _mark(port)
    try:
        mark.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        if time.time() - mark.stat().st_mtime < _PICKED_SECONDS:
            return False
        mark.touch()
    return True


def _mark(port: int) -> Path:
    """The file by which processes agree whose a port is."""
    folder = Path(tempfile.gettempdir()) / f"tandem-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / str(port)


def _ephemeral_start() -> int:
    try:
        start = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        start = 32_768
    return start if start > _LOWEST + 1_000 else 65_536
