"""The body of a multipart request that makes a job and brings its data at once (Bulk API guide, multipart requests)."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson

from infra.sandbox.salesforce.wire.errors import ApiError

CHARACTERS_MAX = 100_000
"""Of the data; more has to be uploaded by itself."""


def parts_of(content_type: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """What the parts `job` and `content` hold. Raises INVALIDJOB for any other body, and for more data than a request may bring."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = {
        str(part.get_param("name", header="content-disposition")): bytes(part.get_payload(decode=True) or b"")
        for part in (message.iter_parts() if message.is_multipart() else ())
    }
    if set(parts) != {"job", "content"}:
        raise ApiError(400, "INVALIDJOB", "A multipart request has two parts, job and content")
    try:
        job = orjson.loads(parts["job"])
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]") from None
    if not isinstance(job, dict):
        raise ApiError(400, "INVALIDJOB", "The part job is a JSON object")
    if len(parts["content"].decode("utf-8", "replace")) > CHARACTERS_MAX:
        raise ApiError(400, "INVALIDJOB", f"The data of a multipart request has at most {CHARACTERS_MAX:,} characters")
    return job, parts["content"]
