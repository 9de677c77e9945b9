"""How a journal entry carries in whose name the change was made: the way in, and the way back."""

from functools import lru_cache
from typing import Any

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.marketo.border.origin import Origin


def members_of(origin: Origin) -> dict[str, Any]:
    """What stands in an entry's `extra`; actor and request id are the entry's own."""
    members: dict[str, Any] = {"source": origin.source, "reason": origin.reason}
    if origin.method is not None:
        members["method"] = origin.method
    if origin.campaign is not None:
        members["campaign"] = origin.campaign
    return members


def origin_of(entry: Entry) -> Origin:
    """Shared by all entries of one call, so that a million activities hold few of them."""
    extra = entry.extra
    return _shared(entry.actor, extra["source"], extra["reason"], entry.request_id, extra.get("method"), extra.get("campaign"))


@lru_cache(maxsize=64)
def _shared(*members: Any) -> Origin:
    actor, source, reason, request_id, method, campaign = members
    return Origin(actor=actor, source=source, reason=reason, request_id=request_id, method=method, campaign=campaign)
