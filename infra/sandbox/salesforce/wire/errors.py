"""What the data API answers when it refuses: one error for a whole request, or one for a record of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

STATUS_OF_CODE = {"NOT_FOUND": 404, "ENTITY_IS_DELETED": 404, "INSUFFICIENT_ACCESS": 403, "INSUFFICIENT_ACCESS_OR_READONLY": 403}


class ApiError(Exception):
    """Refuses a whole request: `[{"message", "errorCode"[, "fields"]}]` with an HTTP status
    (REST API guide, status codes and error responses)."""

    def __init__(
        self, status: int, code: str, message: str, fields: Sequence[str] | None = None, more: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = None if fields is None else list(fields)
        self.more = more or {}

    def body(self) -> bytes:
        entry: dict[str, object] = {**self.more, "message": self.message, "errorCode": self.code}
        if self.fields is not None:
            entry["fields"] = self.fields
        return orjson.dumps([entry])


class RecordError(Exception):
    """Refuses one record; in a batch it becomes an item with `statusCode`, alone it becomes the answer."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = (), more: Mapping[str, object] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.more = more
        """What only the answer to a single-record call says beside code and message."""

    def item(self) -> dict[str, object]:
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}

    def as_api_error(self) -> ApiError:
        return ApiError(STATUS_OF_CODE.get(self.code, 400), self.code, self.message, None if self.more else self.fields, self.more)


def not_found() -> ApiError:
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def no_such_type(name: str) -> ApiError:
    return ApiError(
        400,
        "INVALID_TYPE",
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the"
        " entity name. Please reference your WSDL or the describe call for the appropriate names.",
    )
