"""In whose name a change is made, and by which means."""

import msgspec


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Who and what made a change; shared by all activities of one call."""

    actor: str
    source: str
    reason: str
    request_id: str | None = None
    method: str | None = None
    """API method; None for what was not done through the API."""
    campaign: int | None = None
