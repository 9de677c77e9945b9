"""One API call as the endpoints see it: checked parameters in, an envelope out."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from infra.sandbox.kernel.faults import Fault
from infra.sandbox.marketo.border.errors import MESSAGES, ApiError, RecordError
from infra.sandbox.marketo.border.in_flight import Flight
from infra.sandbox.marketo.border.named_faults import RECORD_CODES
from infra.sandbox.marketo.border.origin import Origin

BATCH_MAX = 300
"""Records that one call may carry."""
PAGE_MAX = 300
"""Rows of one page."""
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """An answer that is no envelope: a file from the disk, or a text."""

    status: int = 200
    text: str = ""
    file: Path | None = None
    content_type: str = "text/plain"


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
    content_header: str = ""
    """The whole Content-Type header: a multipart body's boundary is in it."""
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

    def batch_size(self, given: object = None) -> int:
        sizes = [given] if isinstance(given, int) else self.numbers("batchSize")
        return min(max(sizes[0], 1), PAGE_MAX) if sizes else PAGE_MAX

    def record_errors(self) -> Callable[[int], None]:
        """What to call with the place of each record of a batch: a scripted fault that is about records refuses every k-th."""
        fault = self.fault
        if fault is None or (fault.type != "record_errors" and fault.type not in RECORD_CODES):
            return lambda _: None
        every = max(1, int(fault.action.get("every", 1)))
        code = RECORD_CODES.get(fault.type) or str(fault.action.get("code", "1003"))
        message = str(fault.action.get("message", "Scripted refusal"))

        def refuse(seq: int) -> None:
            if (seq + 1) % every == 0:
                raise RecordError(code, message)

        return refuse

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


def offset(token: object) -> int:
    """Where the page begins that a token of `paged` stands for. ApiError 1003 for any other token."""
    if token is None or token == "":
        return 0
    if not (isinstance(token, str) and token.startswith("PAGE") and token[4:12].isdigit()):
        raise ApiError("1003", "Invalid nextPageToken")
    return int(token[4:12])


def paged(rows: list[Any], start: int, size: int, total: int) -> Answer:
    """The rows of one page out of `total`; when more are left, with a token and `moreResult` (REST API, paging tokens: position-based)."""
    answer: Answer = {"result": rows}
    if start + size < total:
        answer |= {"nextPageToken": f"PAGE{start + size:08d}====", "moreResult": True}
    return answer
