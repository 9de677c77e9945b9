"""What an error answer of Marketo means for us: the table of its codes, as a pure function.

Marketo answers errors with HTTP 200 and `success:false`; the code is a quoted string. 6xx means that nothing was executed,
7xx that the request's data was bad, 1xxx is the code of a record (Marketo developer guide, "Error Codes").
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from streams.wire.errors import Fatal, Reject, Retry, SyncError, Unknown

EXPIRED = frozenset({"601", "602"})
"""Access token invalid, access token expired: fetch one and call again."""

QUOTA_ZONE = ZoneInfo("America/Chicago")
"""The day's calls are counted from midnight here (Marketo, API limits: "12:00 AM CST")."""

_RATE_SECONDS = 5.0
_QUOTA_SECONDS = 60.0
"""Whoever was refused for the day's quota asks for leave again then: others may have freed some of it, or got more, or their midnight is
not ours. The budget lets one of all who ask try, ever more rarely."""
_BUSY = {"608": 10.0, "614": 60.0, "615": 1.0}
_LATER = {"713": 10.0, "719": 10.0, "1016": 60.0, "1019": 60.0, "1022": 60.0, "1029": 60.0}
_ROW_AGAIN = {**_LATER, **_BUSY, "606": _RATE_SECONDS, "607": 300.0, "601": 1.0, "602": 1.0}
_IN_DOUBT = {"500": 5.0, "502": 5.0, "604": 2.0, "611": 5.0}
_DENIED = {
    "600": "Send the access token in the Authorization header.",
    "603": "Give the API-only user's role the permission this call needs, and check the list of allowed IP addresses.",
    "616": "This subscription has no custom object metadata API: create the object by hand.",
}
_HTTP_TOO_LARGE = frozenset({413, 414})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error answer, translated. `hold_seconds`: how long nobody should call at all, but for a trial now and then; 0 when only this
    call is concerned."""

    error: SyncError
    hold_seconds: float = 0.0


def refusal(code: str, message: str, *, what: str, write: bool, now_ms: int) -> Refusal:
    """The meaning of a response-level error. `what` names the call, `now_ms` is the server's clock.

    606, 607, 608, 614 and 615 concern everyone on the instance; 500, 502, 604 and 611 leave a write in doubt.
    """
    text = f"Marketo {what}: {code} {message}".rstrip()
    if code == "606":
        return _everyone(text, _RATE_SECONDS)
    if code == "607":
        return Refusal(error=Retry(text, after_seconds=_QUOTA_SECONDS, everyone=True), hold_seconds=seconds_to_reset(now_ms))
    if code in _BUSY:
        return _everyone(text, _BUSY[code])
    if code in _IN_DOUBT:
        return Refusal(error=in_doubt(text, write=write, after_seconds=_IN_DOUBT[code]))
    if code in _LATER:
        return Refusal(error=Retry(text, after_seconds=_LATER[code]))
    if code in _DENIED:
        return Refusal(error=Fatal(f"{text}.", remedy=_DENIED[code]))
    return Refusal(error=Reject(text, code=code))


def judge_item(code: str, message: str) -> SyncError:
    """What the refusal of one record means: `Retry` when the same write may pass later, `Unknown` when it may have been made all the
    same, else `Reject`. This is the one classification of row refusals; each writer asks it.

    A part of a batch may be refused as a whole, so that the codes of a response stand in its rows as well.
    """
    text = f"{code} {message}".strip()
    if code in _IN_DOUBT:
        return Unknown(text, after_seconds=_IN_DOUBT[code])
    if code in _ROW_AGAIN:
        return Retry(text, after_seconds=_ROW_AGAIN[code])
    return Reject(text, code=code)


def http_refusal(status: int, *, what: str, write: bool) -> SyncError:
    """The meaning of an HTTP status other than 200, whatever stands in the body (a gateway answers in HTML)."""
    text = f"Marketo {what}: HTTP {status}"
    if status in _HTTP_TOO_LARGE:
        return Reject(f"{text}, the request is larger than Marketo takes (URI 8 KB, body 1 MB)", code=str(status))
    if status in {401, 403}:
        return Fatal(f"{text}.", remedy=_DENIED["603"])
    if status == 429:
        return Retry(text, after_seconds=_RATE_SECONDS, everyone=True)
    if status >= 500:
        return in_doubt(text, write=write, after_seconds=5.0)
    return Reject(text, code=str(status))


def in_doubt(text: str, *, write: bool, after_seconds: float = 2.0) -> Retry:
    """No answer that says whether it was done: a write may have been, a read can simply be repeated."""
    if write:
        return Unknown(f"{text}; it may or may not have been applied", after_seconds=after_seconds)
    return Retry(text, after_seconds=after_seconds)


def seconds_to_reset(now_ms: int) -> float:
    """Seconds until the day's calls are counted anew."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(QUOTA_ZONE)
    midnight = datetime(now.year, now.month, now.day, tzinfo=QUOTA_ZONE) + timedelta(days=1)
    return max(1.0, midnight.timestamp() - now_ms / 1000)


def _everyone(text: str, seconds: float) -> Refusal:
    return Refusal(error=Retry(text, after_seconds=seconds, everyone=True), hold_seconds=seconds)
