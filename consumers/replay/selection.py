"""Which part of a topic is sent again: from where to where, and what of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consumers.subscriptions.message import Choice, Message
from consumers.subscriptions.topics import Content

_JUDGED = frozenset({Content.DECISIONS, Content.CONFLICTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From the first to before the last. Times: when the broker took a message (ms). `offsets`: by partition, of those alone. `positions`:
    places in the source's own feed (Salesforce: replay ids). `rules`: names with or without their version, of decisions on a conflict.
    `versions`: of the configuration, of decisions.
    `causes`: a call or transaction as its system names it, or TOPIC/PARTITION@OFFSET of the event behind a decision."""

    since_ms: int | None = None
    until_ms: int
    offsets: Mapping[int, tuple[int, int | None]] = field(default_factory=dict)
    positions: tuple[int, int | None] | None = None
    rules: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()
    versions: frozenset[int] = frozenset()
    choice: Choice = field(default_factory=Choice)

    def takes(self, message: Message) -> bool:
        """Whether it is one of them."""
        told = (message.data or {}).get("config", 0)
        if self.versions and (message.content not in _JUDGED or told not in self.versions):
            return False
        return self._is_within(message) and self._is_caused(message) and self._is_ruled(message) and self.choice.takes(message)

    def _is_within(self, message: Message) -> bool:
        if message.at >= self.until_ms or (self.since_ms is not None and message.at < self.since_ms):
            return False
        if self.offsets:
            first, last = self.offsets.get(message.partition, (0, 0))
            if message.offset < first or (last is not None and message.offset >= last):
                return False
        if self.positions is None:
            return True
        first, last = self.positions
        place = (message.data or {}).get("seq", 0) if message.content is Content.CHANGES else 0
        return isinstance(place, int) and first <= place and (last is None or place < last)

    def _is_caused(self, message: Message) -> bool:
        if not self.causes:
            return True
        data: Mapping[str, Any] = message.data or {}
        event = data.get("event") if message.content in _JUDGED else data
        event = event if isinstance(event, Mapping) else {}
        place = f"{event.get('topic')}/{event.get('partition')}@{event.get('offset')}"
        return not self.causes.isdisjoint({str(event.get("call") or ""), place})

    def _is_ruled(self, message: Message) -> bool:
        if not self.rules:
            return True
        told = (message.data or {}).get("fields") if message.content is Content.DECISIONS else ()
        named = {str(each.get("rule", "")) for each in told or ()}
        if message.content is Content.CONFLICTS:
            named.add(str((message.data or {}).get("rule", "")))
        return not self.rules.isdisjoint(named | {each.partition("@")[0] for each in named} - {""})
