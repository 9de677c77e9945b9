"""One API call as the endpoints see it: checked parameters in, an envelope out."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from infra.sandbox.kernel.faults import Fault
from infra.sandbox.marketo.activities import PAGE_MAX, Origin
from infra.sandbox.marketo.errors import MESSAGES, ApiError
from infra.sandbox.marketo.in_flight import Flight

BATCH_MAX = 300
Answer = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Call:
    user: str
    method: str
    """After `_method=GET` was heeded."""
    path: str
    params: Mapping[str, str]
    body: bytes
    content_type: str
    now_ms: int
    flight: Flight
    fault: Fault | None = None
    path_args: tuple[str, ...] = ()
    request_id: str = field(default="")
    records: int = 0
    """For the meters: how many records the call carried."""

    def __post_init__(self) -> None:
        self.request_id = new_request_id(self.now_ms)

    def origin(self, method: str) -> Origin:
        reason = source = "Web service API"
        return Origin(actor=self.user, source=source, reason=reason, request_id=self.request_id, method=method)

    def entry_extra(self) -> dict[str, Any]:
        """What a `late_activity` fault adds to the changes of this call."""
        if self.fault is None or self.fault.type != "late_activity":
            return {}
        action = self.fault.action
        return {"late_s": float(action.get("seconds", 60)), "chained": bool(action.get("chained", True))}

    def required(self, name: str) -> str:
        value = self.params.get(name)
        if not value:
            raise ApiError("1002", f"Missing value for required parameter '{name}'")
        return value

    def listed(self, name: str) -> list[str]:
        return [part.strip() for part in self.params.get(name, "").split(",") if part.strip()]

    def numbers(self, name: str) -> list[int]:
        try:
            return [int(part) for part in self.listed(name)]
        except ValueError as error:
            raise ApiError("1001", f"Invalid value '{self.params.get(name)}'. Required of type 'Integer'") from error

    def batch_size(self) -> int:
        sizes = self.numbers("batchSize")
        return min(max(sizes[0], 1), PAGE_MAX) if sizes else PAGE_MAX

    def json(self) -> dict[str, Any]:
        """The JSON object in the body. ApiError 612 for another content type, 609 for broken JSON."""
        if self.content_type != "application/json":
            raise ApiError("612", MESSAGES["612"])
        try:
            body = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise ApiError("609", MESSAGES["609"]) from error
        if not isinstance(body, dict):
            raise ApiError("609", MESSAGES["609"])
        return body

    def input(self, body: Mapping[str, Any]) -> list[Any]:
        """The records of a batch. ApiError 1002 without any, 1003 for more than 300."""
        records = body.get("input")
        if not isinstance(records, list) or not records:
            raise ApiError("1002", "Missing value for required parameter 'input'")
        if len(records) > BATCH_MAX:
            raise ApiError("1003", f"Input size {len(records)} exceeds the maximum of {BATCH_MAX}")
        self.records = len(records)
        return records


def new_request_id(now_ms: int) -> str:
    return f"{secrets.token_hex(2)}#{now_ms:x}"


def parse_datetime(text: str) -> datetime:
    """A datetime parameter. ApiError 704 for anything but ISO 8601 (a `+` that was not URL-encoded arrives as a blank)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError("704", f"Invalid date format '{text}'") from error
    if moment.tzinfo is None:
        return moment.astimezone()
    return moment
