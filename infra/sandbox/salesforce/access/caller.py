"""Who makes a change, and through what."""

from __future__ import annotations

import msgspec


class DuplicateHeader(msgspec.Struct, frozen=True, kw_only=True):
    """`Sforce-Duplicate-Rule-Header: allowSave=true; includeRecordDetails=true; runAsCurrentUser=true`."""

    allow_save: bool = False
    details: bool = False

    @classmethod
    def read(cls, text: str) -> DuplicateHeader:
        said = {name.strip().lower(): value.strip().lower() for part in text.split(";") for name, _, value in [part.partition("=")]}
        return cls(allow_save=said.get("allowsave") == "true", details=said.get("includerecorddetails") == "true")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf, and through what, a change is made."""

    user_id: str
    user_name: str
    request_id: str | None = None
    origin: str = ""
    auto_assign: bool = False
    late_seconds: float = 0.0
    """How long the transaction has been open: its stamps lie so far back, as those of a long one do when it commits."""
    captured: bool = True
    """Whether change events are published (a bulk load by the sandbox's own verb publishes none)."""
    duplicates: DuplicateHeader | None = None
    """How duplicate rules apply; None for a caller whom they don't stop (a person who saves anyway)."""
