"""What Salesforce's refusals mean, as values: HTTP answers, items of a collection, token errors. Pure.

The codes and their classes follow the SOAP API guide ("core data types", ExceptionCode and StatusCode) and the REST API
guide ("status codes and error responses").
"""

import re
from dataclasses import dataclass

import orjson

from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError, Unknown

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,80}")

_SOON = {
    "SERVER_UNAVAILABLE": 5.0,
    "UNABLE_TO_LOCK_ROW": 0.5,
    "QUERY_TIMEOUT": 5.0,
    "REQUEST_RUNNING_TOO_LONG": 5.0,
    "TXN_SECURITY_METERING_ERROR": 5.0,
    "TOO_MANY_APEX_REQUESTS": 5.0,
    "INVALID_QUERY_LOCATOR": 0.0,
}
"""Passing trouble of one call -> seconds to wait."""

_EVERYONE = {
    "API_CURRENTLY_DISABLED": 60.0,
    "API_DISABLED_FOR_ORG": 300.0,
    "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE": 60.0,
    "STORAGE_LIMIT_EXCEEDED": 300.0,
    "LIMIT_EXCEEDED": 60.0,
    "ORG_LOCKED": 300.0,
}
"""Trouble of the whole org -> seconds to wait."""

_REMEDY = {
    "INVALID_SESSION_ID": "Check that the connected app may use the REST API for this user.",
    "API_DISABLED_FOR_ORG": "Enable the API permission for the integration user.",
    "INSUFFICIENT_ACCESS": "Give the integration user access to this object.",
    "INVALID_LOGIN_RATE": "Wait, then check who else logs in as this user.",
    "UNSUPPORTED_API_VERSION": "Set api_version to a version that the org supports.",
    "GONE": "Set api_version to a version that is not retired.",
}

_DAILY_LIMIT_SECONDS, _CONCURRENT_LIMIT_SECONDS = 300.0, 5.0

_ITEM_AGAIN = {
    **_SOON,
    **_EVERYONE,
    "REQUEST_LIMIT_EXCEEDED": 60.0,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": 0.0,
    "PROCESSING_HALTED": 0.0,
    "ENTITY_IS_LOCKED": 300.0,
}
"""Passing trouble of one row -> seconds to wait. What concerns the whole org waits as long: only rows are known to be refused by it, and
others may pass (a full storage refuses new rows alone)."""


_WRAPPED = ("UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One error as Salesforce words it. `message` may quote values: mask it before logging."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


def refusals_in(body: bytes) -> list[Refusal]:
    """The errors in an answer's body: an array, a bare object (token endpoint, some 404s), or none (HTML)."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    found = parsed if isinstance(parsed, list) else [parsed]
    return [_refusal(item) for item in found if isinstance(item, dict) and ("errorCode" in item or "statusCode" in item or "error" in item)]


def judge_answer(status: int, body: bytes, *, write: bool, what: str) -> SyncError | None:
    """What an HTTP answer of the data API means; None when it is a success. 401 is the session's business before this.

    A write whose answer says neither yes nor no (an error page, a gateway's 5xx, UNKNOWN_EXCEPTION) is `Unknown`.
    """
    if status < 300:
        return None
    found = refusals_in(body)
    code, message = (found[0].code, found[0].message) if found else ("", "")
    told = f"{what}: HTTP {status} {code} {brief(message)}".rstrip()
    if code == "REQUEST_LIMIT_EXCEEDED":
        daily = "concurrent" not in message.lower()
        return Retry(told, after_seconds=_DAILY_LIMIT_SECONDS if daily else _CONCURRENT_LIMIT_SECONDS, everyone=True)
    if code in _EVERYONE:
        return Retry(told, after_seconds=_EVERYONE[code], everyone=True)
    if code in _SOON:
        return Retry(told, after_seconds=_SOON[code])
    if status >= 500 or status in (408, 420, 429):
        if write and status not in (420, 429):
            return Unknown(told, after_seconds=2.0)
        return Retry(told, after_seconds=2.0, everyone=status in (429, 503))
    if code in ("INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"):
        return Gap(told)
    if status in (401, 410) or code in _REMEDY:
        return Fatal(told, remedy=_REMEDY.get(code or "GONE", _REMEDY["INVALID_SESSION_ID"]))
    return Reject(told, code=code or str(status))


def judge_item(refusal: Refusal) -> SyncError:
    """What the error of one item of a collection means: `Retry` when the same write may pass later, `Unknown` when it may have been
    made all the same, else `Reject`. This is the one classification of row refusals; each writer asks it.

    A trigger may wrap a passing error in its own: the text tells.
    """
    told = f"{refusal.code}: {brief(refusal.message)}"
    if refusal.code in _ITEM_AGAIN:
        return Retry(told, after_seconds=_ITEM_AGAIN[refusal.code])
    if refusal.code == "UNKNOWN_EXCEPTION":
        return Unknown(told, after_seconds=2.0)
    wrapped = next((code for code in _WRAPPED if code in refusal.message), None)
    if wrapped is not None:
        return Retry(told, after_seconds=_ITEM_AGAIN[wrapped])
    return Reject(told, code=refusal.code)


def judge_login(status: int, body: bytes) -> SyncError:
    """What a refusal of the token endpoint means. All but overload is for a person: wrong credentials don't heal."""
    found = refusals_in(body)
    code, message = (found[0].code, found[0].message) if found else ("", "")
    told = f"log-in to Salesforce: HTTP {status} {code} {brief(message)}".rstrip()
    if status >= 500 or status == 429 or code in ("rate_limit_exceeded", "server_error", "temporarily_unavailable") or not code:
        return Retry(told, after_seconds=30.0 if code == "rate_limit_exceeded" else 5.0, everyone=True)
    return Fatal(told, remedy=_login_remedy(code, message))


def brief(message: str) -> str:
    """A message cut to a length fit for a log, values in quotes, e-mail addresses and long digits masked."""
    masked = re.sub(r"[\w.+-]+@[\w.-]+", "•@•", message)
    masked = re.sub(r"(['\"])[^'\"]{3,}\1", r"\1…\1", masked)
    return re.sub(r"\d{7,}", "…", masked)[:300]


def _refusal(item: dict[str, object]) -> Refusal:
    code = str(item.get("errorCode") or item.get("statusCode") or item.get("error") or "")
    message = str(item.get("message") or item.get("error_description") or "")
    fields = item.get("fields")
    named = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return Refusal(code=code if _CODE.fullmatch(code) else "UNREADABLE", message=message, fields=named)


def _login_remedy(code: str, message: str) -> str:
    text = message.lower()
    if code in ("invalid_client_id", "invalid_client"):
        return "Check client_id and client_secret of the connected app."
    if "approved" in text:
        return "Pre-authorise the app for the integration user's profile."
    if "audience" in text:
        return "Set the audience to the login host of this org (login, test or the site's URL)."
    if "expired" in text:
        return "Get a new refresh token."
    if code in ("unsupported_grant_type", "invalid_request"):
        return "Enable this OAuth flow for the connected app, and use the My Domain host as base_url."
    return "Check the credentials, that the user is active, and that the org allows this OAuth flow."


__all__ = ["Refusal", "brief", "judge_answer", "judge_item", "judge_login", "refusals_in"]
