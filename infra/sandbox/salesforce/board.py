"""The faults of this org: those of any HTTP call, refusals of records, and what can happen to the event stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.sandbox.kernel.faults import CALL_TYPES, Fault, FaultBoard

STREAM_TYPES = frozenset({
    "mute", "drop", "duplicate", "delay", "reorder", "malformed", "gap", "session_drop", "server_disconnect", "replay_refused",
    "streaming_error", "pubsub_error",
})  # fmt: skip


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
            call_types=CALL_TYPES | {"record_errors", "salesforce_error"},
            other_types=STREAM_TYPES | {"token_expiry", "bulk_failed", "bulk_slow"},
        )
        self.changed: Callable[[], None] = lambda: None

    def post(self, body: Mapping[str, Any]) -> Fault:
        fault = super().post(body)
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


def _later(seconds: float, call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds + 0.001, call)
