"""Bodies of control verbs, and in whose name what they do is done."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from infra.sandbox.kernel.system import Verb, VerbRefusedError
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.instance import OPERATOR


def taking_object(verb: Callable[[Mapping[str, Any]], Any]) -> Verb:
    async def run(body: bytes) -> Any:
        try:
            decoded = orjson.loads(body or b"{}")
        except orjson.JSONDecodeError as error:
            raise VerbRefusedError(f"not JSON: {error}") from error
        if not isinstance(decoded, dict):
            raise VerbRefusedError("an object is expected")
        try:
            return verb(decoded)
        except (RecordError, ApiError) as error:
            raise VerbRefusedError(str(error)) from error

    return run


def member(body: Mapping[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise VerbRefusedError(f"{name}: {kind.__name__} expected")
    return value


def by_hand(body: Mapping[str, Any], source: str) -> Origin:
    actor = str(body.get("user") or OPERATOR)
    campaign = body.get("campaign")
    if campaign is None:
        return Origin(actor=actor, source=source, reason="Manual person edit")
    reason = "Changed by Smart Campaign Run Action Change Data Value"
    return Origin(actor=f"smart-campaign-{campaign}", source="Marketo Flow Action", reason=reason, campaign=int(campaign))
