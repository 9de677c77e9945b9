"""Until when a call may begin. Whoever waited too long for leave, a token or a connection must not make it any more: its records may
have been given to somebody else, or been edited."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from streams.wire.errors import Retry

_allowed: ContextVar[Callable[[], bool] | None] = ContextVar("tandem_lease", default=None)


@contextmanager
def leased(allowed: Callable[[], bool]) -> Iterator[None]:
    """Writing calls made inside begin only while `allowed()` says so: it is asked right before each of them is sent."""
    token = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(token)


def must_hold(what: str) -> None:
    """To be called right before a write is sent. Raises `Retry` where its lease has ended: it is certain not to have been made."""
    allowed = _allowed.get()
    if allowed is not None and not allowed():
        raise Retry(f"{what}: not sent, its lease ended while it waited; it is planned again", after_seconds=0.0)
