"""Errors as Marketo answers them: HTTP 200 with a code, for the whole response or for one record (REST API, error codes)."""

from typing import Any


class ApiError(Exception):
    """The whole call is refused: `success: false` with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


class RecordError(Exception):
    """One record of a batch is skipped for this reason; the others go on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message

    def skipped(self) -> dict[str, Any]:
        return {"status": "skipped", "reasons": [{"code": self.code, "message": self.message}]}


MESSAGES = {
    "500": "Internal server error",
    "502": "Bad Gateway",
    "600": "Access token empty",
    "601": "Access token invalid",
    "602": "Access token expired",
    "603": "Access denied",
    "604": "Request timed out",
    "605": "Request method not supported",
    "606": "Max rate limit '%s' exceeded with in '20' secs",
    "607": "Daily API quota '%s' reached",
    "608": "API Temporarily Unavailable",
    "609": "Invalid JSON",
    "610": "Requested resource not found",
    "611": "System error",
    "612": "Invalid Content Type",
    "613": "Invalid Multipart",
    "614": "Invalid Subscription",
    "615": "Concurrent access limit '%s' reached",
    "616": "Invalid subscription type",
    "701": "Field cannot be blank",
    "702": "No data found for the given search scenario",
    "703": "The feature is not enabled for the subscription",
    "704": "Invalid date format",
    "709": "Business rule violation",
    "710": "Parent folder not found",
    "711": "Incompatible folder type",
    "712": "Merge to person account operation is invalid",
    "713": "Transient Error",
    "714": "Unable to find the default record type",
    "718": "ExternalSalesPersonID not found",
    "719": "Lock wait timeout exception",
}
"""Texts by code, for refusals and for scripted `marketo_error` faults."""

UNCOUNTED = frozenset({"601", "602", "604", "608"})
"""Errors that cost neither quota nor rate (REST API, error codes)."""
