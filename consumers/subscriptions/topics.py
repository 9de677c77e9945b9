"""Which topics there are, in words, by the registry."""

import difflib
from dataclasses import dataclass
from enum import StrEnum

from consumers.kinds.registry import Registry
from consumers.mapping.kind import Kind
from streams.wire.systems import MARKETO, Object, System
from streams.wire.topics import ANCHORS, CONFLICTS, DEAD_LETTERS, DECISIONS, change_topic, state_topic


class Content(StrEnum):
    """What the messages of a topic are."""

    CHANGES = "changes"
    DECISIONS = "decisions"
    CONFLICTS = "conflicts"
    DEAD_LETTERS = "dead letters"
    ANCHORS = "anchors"
    STATES = "states"


class UnknownTopic(LookupError):  # noqa: N818 - an answer to the operator, not a failure
    """No topic has that name; the message has the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic. `words`: what is on it, in a sentence."""

    name: str
    content: Content
    words: str
    system: System | None = None
    object: Object | None = None
    latest: bool = False
    """Whether only the last message of each key is kept for ever."""

    @property
    def short(self) -> str:
        """What a person may call it: `salesforce.lead`, `decisions`."""
        return self.name.removeprefix("crm.").removesuffix(".v1")


ANCHORED = Topic(
    name=ANCHORS,
    content=Content.ANCHORS,
    words="Where the chain of hashes over all decisions ends, now and then; the last of each day stays.",
    latest=True,
)
_OURS = (
    Topic(
        name=DECISIONS, content=Content.DECISIONS, words="What was judged, written, linked, held or joined, and why: a message a decision."
    ),
    Topic(
        name=CONFLICTS,
        content=Content.CONFLICTS,
        words="Values that met without having seen each other: both, what was agreed before, the rule, and which stands or that it waits.",
    ),
    Topic(name=DEAD_LETTERS, content=Content.DEAD_LETTERS, words="Events that could not be used, with their bytes and the reason."),
    ANCHORED,
)


def topics(kinds: Registry) -> tuple[Topic, ...]:
    """Every topic, those with changes first."""
    return (*(_changes(kinds, system, obj) for system, obj in kinds.objects), *(_states(kind) for kind in kinds.kinds), *_OURS)


def topic_named(name: str, kinds: Registry) -> Topic:
    """The topic that a person means, by its whole name or the short one. Raises `UnknownTopic`."""
    known = {called: topic for topic in topics(kinds) for called in (topic.name, topic.short)}
    found = known.get(name.strip().lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
        hint = f"did you mean {known[near[0]].short}?" if near else f"there are: {', '.join(topic.short for topic in topics(kinds))}"
        raise UnknownTopic(f"there is no topic {name}; {hint}")
    return found


def _states(kind: Kind) -> Topic:
    words = f"What is agreed of each of the {kind.plural}, as a table: the last message of each is how it stands, a tombstone: it is gone."
    return Topic(name=state_topic(kind.name), content=Content.STATES, words=words, latest=True)


def _changes(kinds: Registry, system: System, obj: Object) -> Topic:
    plural = next(kind.plural for kind in kinds.kinds if obj in ((kind.marketo,) if system is MARKETO else kind.by_object))
    where = "Marketo" if system is MARKETO else "Salesforce"
    words = f"Changes of {where}'s {obj} records ({plural}), as {where} told them: a message a change, in the order of each record."
    return Topic(name=change_topic(system, obj), content=Content.CHANGES, words=words, system=system, object=obj)
