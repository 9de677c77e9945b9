"""The faults of this org: those of any HTTP call, refusals of records, and what can happen to the event stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.sandbox.kernel.faults import CALL_TYPES, Fault, FaultBoard
from infra.sandbox.salesforce.saving.checks import UNLOCKABLE

STREAM_TYPES = frozenset({
    "mute", "drop", "duplicate", "delay", "reorder", "malformed", "gap", "session_drop", "server_disconnect", "replay_refused",
    "streaming_error", "pubsub_error",
})  # fmt: skip


def _call(status: int, code: str, message: str) -> dict[str, Any]:
    return {"type": "salesforce_error", "status": status, "code": code, "message": message}


def _stream(on: str, error: str, reason: str | None = None, advice: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "streaming_error", "on": on, "error": error, "failure_reason": reason, "advice": advice}


NAMED: dict[str, dict[str, Any]] = {
    "daily_limit": _call(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "concurrent_limit": _call(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
    "server_unavailable": _call(503, "SERVER_UNAVAILABLE", "Server is too busy. Please try again later."),
    "session_expired": _call(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "query_timeout": _call(400, "QUERY_TIMEOUT", "Your query request was running for too long."),
    "query_locator_lost": _call(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
    "request_too_long": _call(400, "REQUEST_RUNNING_TOO_LONG", "Your request was running for too long, and has been stopped."),
    "storage_full": _call(400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"),
    "login_rate": _call(400, "rate_limit_exceeded", "rate limit exceeded"),
    "row_locked": {"type": "record_errors", "statusCode": "UNABLE_TO_LOCK_ROW", "message": UNLOCKABLE},
    "trigger_refused": {
        "type": "record_errors", "statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": "BeforeUpdate: caused by an error",
    },
    "unknown_exception": _call(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    "api_disabled": _call(403, "API_CURRENTLY_DISABLED", "API is disabled for this User"),
    "too_many_apex_requests": _call(403, "TOO_MANY_APEX_REQUESTS", "Too many Apex requests are running"),
    "security_metering": _call(403, "TXN_SECURITY_METERING_ERROR", "Transaction security policies took too long"),
    "truncated": {"type": "malformed", "how": "truncated"},
    "events_limit": _stream("connect", "403::Organization total events daily limit exceeded", advice={"reconnect": "none"}),
    "streaming_busy": _stream("handshake", "401::Authentication invalid", "503::Server is too busy.  Please try your request again later."),
    "streaming_excessive": _stream("handshake", "403::Handshake denied", "403::To protect all customers from excessive use and abuse"),
    "streaming_clients_limit": _stream("handshake", "403::Organization concurrent user limit exceeded"),
    "streaming_unauthorised": _stream("connect", "401::Authentication invalid", advice={"reconnect": "none", "interval": 0}),
    "pubsub_limit": {
        "type": "pubsub_error", "on": "stream", "status": "RESOURCE_EXHAUSTED", "error_code": "subscription.limit.exceeded",
        "details": "You have exceeded the event delivery limit for your org.",
    },
    "pubsub_unavailable": {"type": "pubsub_error", "on": "stream", "status": "UNAVAILABLE", "error_code": "service.unavailable"},
}  # fmt: skip
"""Faults that have a name of their own; each is one of the other types with its details filled in."""


class CdcFaults(FaultBoard):
    """A fault board that ends faults by the clock on the wall, and tells the streams when one comes or goes.

    `mute` {mode: lost|held, seconds}: events of the muted channels are lost for good, or come when the fault is over. It uses up no
    `times`; it stands until it is deleted or its seconds (real time) have passed. `drop`: the next event is lost. `delay` {ms}: the next
    event (and all behind it) comes that much later. `gap`: the next event becomes a gap event. The `path` of these is the entity's own
    channel, such as `/data/LeadChangeEvent`. The others are taken when a stream is served: `duplicate`, `reorder`, `malformed` {how},
    `session_drop`, `server_disconnect`, `replay_refused`, `streaming_error` {on, error, failure_reason, advice}.
    """

    def __init__(self) -> None:
        super().__init__(
            prefix="salesforce",
            call_types=CALL_TYPES | {"record_errors", "salesforce_error"} | NAMED.keys(),
            other_types=STREAM_TYPES | {"token_expiry", "bulk_failed", "bulk_slow"},
        )
        self.changed: Callable[[], None] = lambda: None

    def post(self, body: Mapping[str, Any]) -> Fault:
        fault = super().post(_spelled_out(body))
        seconds = fault.action.get("seconds")
        if fault.type == "mute" and seconds is not None:
            _later(float(seconds), lambda: self._over(fault.id))
        if fault.type in ("streaming_error", "pubsub_error") and "on" in fault.action:
            fault.method = str(fault.action["on"])
        self.changed()
        return fault

    def remove(self, fault_id: str) -> bool:
        removed = super().remove(fault_id)
        self.changed()
        return removed

    def clear(self) -> None:
        super().clear()
        self.changed()

    def loses_event(self, channel: str) -> bool:
        """Whether the event about to be published on that channel is lost; uses up a `drop`."""
        mute = self.peek(("mute",), path=channel)
        if mute is not None and mute.action.get("mode", "lost") == "lost":
            mute.hits += 1
            return True
        return self.take(("drop",), path=channel) is not None

    def visibility(self, channel: str) -> Callable[[], bool] | None:
        """None for an event that may go out at once, else the question to ask before it may."""
        mute = self.peek(("mute",), path=channel)
        if mute is not None:
            mute.hits += 1
            standing = self._faults
            return lambda: mute.id not in standing
        delay = self.take(("delay",), path=channel)
        if delay is None:
            return None
        seconds = float(delay.action.get("ms", 1000)) / 1000
        due = time.monotonic() + seconds
        _later(seconds, self.changed)
        return lambda: time.monotonic() >= due

    def _over(self, fault_id: str) -> None:
        self.remove(fault_id)


def _spelled_out(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fault with the details of its name; what the body says itself goes before them."""
    action = body.get("action")
    said = {"type": action} if isinstance(action, str) else action
    if not isinstance(said, Mapping) or said.get("type") not in NAMED:
        return body
    known = NAMED[said["type"]]
    return {**body, "action": {**known, **said, "type": known["type"], "name": said["type"]}}


def _later(seconds: float, call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds + 0.001, call)
