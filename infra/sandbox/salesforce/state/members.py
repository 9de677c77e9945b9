"""Who takes part in change data capture: entities on channels, and subscriptions whose place the org keeps."""

from __future__ import annotations

from typing import Literal

import msgspec


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An entity on a channel (Tooling API, PlatformEventChannelMember). Fields of the filter are enriched by themselves."""

    id: str
    channel: str
    entity: str
    enriched: tuple[str, ...] = ()
    filter: str | None = None


class ManagedSubscription(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A subscription whose place the org keeps (Metadata API, ManagedEventSubscription)."""

    name: str
    topic: str
    default_replay: Literal["LATEST", "EARLIEST"] = "LATEST"
    error_recovery_replay: Literal["LATEST", "EARLIEST"] = "EARLIEST"
    id: str = ""
    committed: int | None = None
