"""Asking a broker whether it is ready, in Kafka's own protocol and without a client library, so that it can be asked from anywhere."""

import socket
import struct

_FIND_COORDINATOR = 10
_CLIENT_ID = b"tandem-ready"
_ANSWER_BYTES_MAX = 1 << 20


def coordinator_ready(host: str, port: int, *, timeout_seconds: float = 2.0) -> bool:
    """Whether the broker serves requests and has a group coordinator (Kafka protocol guide, FindCoordinator version 0).

    A broker that has just started accepts connections for a while before either is so. Asking creates the offsets topic.
    """
    group = b"tandem-ready"
    header = struct.pack(">hhih", _FIND_COORDINATOR, 0, 1, len(_CLIENT_ID)) + _CLIENT_ID
    body = struct.pack(">h", len(group)) + group
    try:
        answer = _ask(host, port, header + body, timeout_seconds)
    except (OSError, EOFError):
        return False
    if len(answer) < 6:
        return False
    (error,) = struct.unpack_from(">h", answer, 4)
    return bool(error == 0)


def _ask(host: str, port: int, request: bytes, timeout_seconds: float) -> bytes:
    with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", _exactly(connection, 4))
        if not 0 < length <= _ANSWER_BYTES_MAX:
            raise EOFError
        return _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        more = connection.recv(length - len(received))
        if not more:
            raise EOFError
        received += more
    return received
