"""A message as a subscriber sees it, and which of them are asked for. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumers.subscriptions.topics import Content

_CE = "ce_"
_ALWAYS = {Content.ANCHORS: "sealed", Content.STATES: "agreed"}
"""What happened where nothing else can."""
_JUDGED = frozenset({Content.DECISIONS, Content.CONFLICTS})
_HAPPENED = {Content.DEAD_LETTERS: "stage", Content.CONFLICTS: "standing"}
"""Which key tells what happened, where it isn't `kind`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. `at`: when the broker took it (ms); `attributes`: those of the CloudEvent, without `ce_`; `data`: None where the bytes
    are no JSON object.
    """

    topic: str
    content: Content
    partition: int
    offset: int
    at: int
    key: str
    attributes: Mapping[str, str]
    data: Mapping[str, Any] | None

    @property
    def records(self) -> tuple[str, ...]:
        """The ids of the records that it speaks of; a decision's pair as `pair:NUMBER`."""
        told = self.data or {}
        found = [told.get("id"), told.get("into"), told.get("record")]
        if self.content in _JUDGED:
            found.append(f"pair:{told.get('pair')}")
        if self.content is Content.STATES:
            found += [f"pair:{self.key}", told.get("salesforce"), told.get("marketo")]
        if self.content is Content.DEAD_LETTERS:
            found.append(self.key.rpartition(":")[2])
        return tuple(str(each) for each in found if each)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it speaks of: of a change as their system names them, of a decision as Marketo does."""
        told = (self.data or {}).get("fields")
        if self.content is Content.DECISIONS:
            return tuple(str(each.get("field")) for each in told or ())
        if self.content is Content.CONFLICTS:
            return (str((self.data or {}).get("field", "")),)
        return tuple(told) if isinstance(told, Mapping) else ()

    @property
    def kind(self) -> str:
        """What happened: `updated`, `judged`; of a conflict how it stands, of a dead letter the stage where it failed."""
        told = self.data or {}
        if self.content in _ALWAYS:
            return _ALWAYS[self.content] if self.data is not None else "gone"
        return str(told.get(_HAPPENED.get(self.content, "kind"), ""))

    @property
    def actor(self) -> str:
        """Who made the change, as far as the system tells it."""
        told = self.data or {}
        told = (told.get("event") or {}) if self.content in _JUDGED else told
        return str(told.get("author") or "")

    @property
    def verdicts(self) -> frozenset[str]:
        """Of a decision: how each field was judged, and what became of a write; of a conflict how it stands, and who won."""
        if self.content is Content.CONFLICTS:
            return frozenset(str((self.data or {}).get(part, "")) for part in ("standing", "winner")) - {""}
        if self.content is not Content.DECISIONS or self.data is None:
            return frozenset()
        found = {str(each.get("verdict")) for each in self.data.get("fields") or ()}
        return frozenset(found | {str(self.data.get("outcome", ""))} - {""})


def message_of(
    content: Content,
    topic: str,
    partition: int,
    offset: int,
    at: int,
    *,
    key: bytes | None,
    value: bytes | None,
    headers: Iterator[tuple[str, bytes]],
) -> Message:
    """The message in a record of Kafka's."""
    try:
        data = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        data = None
    return Message(
        topic=topic,
        content=content,
        partition=partition,
        offset=offset,
        at=at,
        key=(key or b"").decode(errors="replace"),
        attributes={name.removeprefix(_CE): told.decode(errors="replace") for name, told in headers},
        data=data if isinstance(data, dict) else None,
    )


def line(message: Message) -> bytes:
    """The message as a line of JSON: the same bytes for the same message."""
    told = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "at": message.at,
        "key": message.key,
        "attributes": message.attributes,
        "data": message.data,
    }
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which messages are asked for; empty: all. Names of fields, kinds and verdicts in any case; ids as the systems write them."""

    kinds: frozenset[str] = field(default_factory=frozenset)
    fields: frozenset[str] = field(default_factory=frozenset)
    records: frozenset[str] = field(default_factory=frozenset)
    actors: frozenset[str] = field(default_factory=frozenset)
    verdicts: frozenset[str] = field(default_factory=frozenset)

    def takes(self, message: Message) -> bool:
        """Whether it is one of them: what is said of each sort must hold, one of its names is enough."""
        return (
            (not self.kinds or message.kind.casefold() in self.kinds)
            and (not self.actors or message.actor in self.actors)
            and (not self.records or not self.records.isdisjoint(message.records))
            and (not self.fields or any(each.casefold() in self.fields for each in message.fields))
            and (not self.verdicts or not self.verdicts.isdisjoint(message.verdicts))
        )
