"""Logs: one JSON object a line to stderr (or for people, on a terminal), without secrets and without people's data."""

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

MASK = "***"

_SECRET_WORDS = (
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "apikey",
    "privatekey",
    "assertion",
    "cookie",
    "sessionid",
    "dsn",
)
_PERSONAL_WORDS = ("email", "phone", "mobile", "fax", "firstname", "lastname", "fullname", "street", "birthdate", "dateofbirth")
_HARMLESS_KEYS = frozenset({"tokenage", "tokenexpiresin"})
_EMAIL = re.compile(r"[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_SECRETS = re.compile(
    r"""(?ix)
      (?P<keep> \b(?:bearer|basic)\s+ ) [\w.~+/=!-]{8,}
    | (?P<keep2> \b(?:access_token|refresh_token|client_secret|password|assertion|identity_token)["']?\s*[=:]\s*["']? ) [^\s"'&,}]+
    | (?P<keep3> \w+://[^\s:/@]+: ) [^\s@]+ (?=@)
    | \b00D[A-Za-z0-9]{12,15}![\w.]+
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
    """
)
_PHONE = re.compile(r"(?<![\w.:+-])(?:\+\d[\d ().\-/]{6,}\d|\(\d{2,5}\)[ \d.\-/]{5,}\d|\d{3}[-. ]\d{3}[-. ]\d{4})(?![\w:-])")


def configure(*, level: str = "INFO", json: bool | None = None, stream: TextIO | None = None) -> None:
    """Send every log, ours and the libraries', to `stream` (stderr). `json`: None means JSON unless the stream is a terminal."""
    out = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = not out.isatty() if json is None else json
    last: list[Any] = [structlog.processors.format_exc_info, mask, structlog.processors.JSONRenderer(default=str)]
    if not as_json:
        last = [structlog.processors.format_exc_info, mask, structlog.dev.ConsoleRenderer()]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    handler.addFilter(Calm())
    for noisy in ("aiokafka", "faust", "mode", "aiohttp.access", "aiosfstream_ng", "aiocometd_ng"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class Calm(logging.Filter):
    """What libraries say over and over while a broker is away is said once in a while, with how often it was left out.

    A part of aiokafka is heard once in a minute, whatever it says: for each broker, attempt and partition it has other words. That Kafka is
    away, and why, our own watch says once. Others are heard once in ten seconds with the same words.
    """

    def __init__(self, seconds: float = 10.0, kafka_seconds: float = 60.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds, self._kafka_seconds, self._monotonic = seconds, kafka_seconds, monotonic
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is written."""
        kafka = record.name.startswith("aiokafka")
        if not kafka and not record.name.startswith("asyncio"):
            return True
        key, seconds = ((record.name, ""), self._kafka_seconds) if kafka else ((record.name, str(record.msg)), self._seconds)
        now = self._monotonic()
        said, left_out = self._said.get(key, (-seconds, 0))
        if now - said < seconds:
            self._said[key] = (said, left_out + 1)
            return False
        self._said[key] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like this)", None
        return True


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: what a key or a pattern shows to be a secret or a person's data is replaced."""
    for key, value in event.items():
        event[key] = masked(value, key)
    return event


def masked(value: Any, key: str = "") -> Any:
    """The value, with secrets and personal data replaced, also deep inside."""
    if _is_private(key) and value is not None and not isinstance(value, bool):
        return MASK
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, bytes):
        return masked_text(value.decode(errors="replace"))
    if isinstance(value, Mapping):
        return {name: masked(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(inner) for inner in value]
    if isinstance(value, BaseException):
        return masked_text(f"{type(value).__name__}: {value}")
    if isinstance(value, int | float | None):
        return value
    return masked_text(str(value))


def masked_text(text: str) -> str:
    """The text without tokens, passwords, e-mail addresses and phone numbers."""
    text = _SECRETS.sub(lambda found: (found["keep"] or found["keep2"] or found["keep3"] or "") + MASK, text)
    return _PHONE.sub("<phone>", _EMAIL.sub("<email>", text))


def _is_private(key: str) -> bool:
    plain = re.sub(r"[^a-z]", "", key.lower())
    return plain not in _HARMLESS_KEYS and any(word in plain for word in (*_SECRET_WORDS, *_PERSONAL_WORDS))
