"""Free loopback ports that stay ours over a restart."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_240


def free_port(*, taken: frozenset[int] = frozenset(), tries_max: int = 200) -> int:
    """A port nobody listens on, outside the range from which the kernel takes outgoing ports.

    A server that is down for a moment would otherwise lose its port to some client's connection. Raises OSError when none is found.
    """
    highest = _ephemeral_start() - 1
    for _ in range(tries_max):
        port = random.randint(_LOWEST, highest)
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port found on {LOOPBACK} between {_LOWEST} and {highest}")


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _ephemeral_start() -> int:
    try:
        start = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        start = 32_768
    return start if start > _LOWEST + 1_000 else 65_536
