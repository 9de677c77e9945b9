"""Values without personal data, before they get into a page or a document: decided here, never in the browser. Pure.

Masked are the values of fields and whatever quotes them, as `tandem subscribe` masks them; ids, times and counts stay.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from consumers.answers.happened import Happening
from consumers.answers.ledger import Story
from consumers.audit_log.deeds import Deed
from consumers.desk.doing import Outcome
from consumers.desk.letters import Letter
from consumers.desk.waiting import Conflict, Group, Line
from consumers.ledger.tallies import Due
from consumers.reports.records.mapped import Mapped
from consumers.reports.records.record import FieldShown, RecordShown, SideShown
from consumers.reports.records.relations import Parent
from consumers.reports.records.story import Chapter
from consumers.reports.records.timeline import Cause, Step
from consumers.reports.records.timeline import Line as Told
from consumers.reports.standing.coverage import Hole
from consumers.reports.standing.drift import Differing, Drift, Proof
from consumers.reports.standing.health import Health
from consumers.reports.standing.lists import Listed
from consumers.reports.standing.status import Cycle, Partition, SourceState, Status, impersonal
from consumers.subscriptions.masking import MASK, masked_value, masked_words
from consumers.subscriptions.masking import masked as masked_message
from consumers.subscriptions.message import Message
from consumers.subscriptions.topics import Topic

UNMASKED_NAMES = frozenset({"account", "campaign", "opportunity"})
"""Kinds whose names are no person's."""


def masked(told: Any) -> Any:
    """The answer with what is personal masked. Raises `TypeError` for an answer of which nobody has said whether it holds anything
    personal: what is new is not shown by oversight."""
    if isinstance(told, tuple | list):
        return type(told)(masked(each) for each in told)
    if type(told) in _MASKS:
        return _MASKS[type(told)](told)
    if isinstance(told, IMPERSONAL):
        return told
    raise TypeError(f"is anything of {type(told).__name__} personal? consumers.console.masking must know")


def _listed(listed: Listed) -> Listed:
    return replace(
        listed, person=_name(listed.person), email=_name(listed.email), why=masked_words(listed.why), value=masked_value(listed.value)
    )


def _story(story: Story) -> Story:
    return replace(
        story,
        person=_name(story.person),
        email=_name(story.email),
        chapters=tuple(_chapter(each) for each in story.chapters),
        now=tuple(masked_words(each) for each in story.now),
    )


def _conflict(conflict: Conflict) -> Conflict:
    values = {side: masked_value(getattr(conflict, side)) for side in ("salesforce", "base", "marketo")}
    return replace(conflict, name=_name(conflict.name), why=masked_words(conflict.why), **values)


def _outcome(outcome: Outcome) -> Outcome:
    writes = tuple(replace(each, fields={name: masked_value(value) for name, value in each.fields.items()}) for each in outcome.writes)
    steps = tuple(map(masked_words, outcome.steps))
    return replace(
        outcome, record=_name(outcome.record), what=masked_words(outcome.what), steps=steps, writes=writes, why=masked_words(outcome.why)
    )


def _cause(cause: Cause) -> Cause:
    return replace(cause, author=masked_words(cause.author), lines=tuple(map(_line, cause.lines)), steps=tuple(map(_step, cause.steps)))


def _record(record: RecordShown) -> RecordShown:
    personal = record.object not in UNMASKED_NAMES
    parents = tuple(_parent(each) for each in record.relations.parents)
    return replace(
        record,
        person=_name(record.person) if personal else record.person,
        email=_name(record.email),
        salesforce_note=masked_words(record.salesforce_note),
        marketo_note=masked_words(record.marketo_note),
        hold=masked_words(record.hold),
        fields=tuple(_field(each) for each in record.fields),
        relations=replace(record.relations, parents=parents),
    )


def _parent(parent: Parent) -> Parent:
    return parent if parent.kind in UNMASKED_NAMES else replace(parent, name=_name(parent.name))


def _field(field: FieldShown) -> FieldShown:
    return replace(field, salesforce=_side(field.salesforce), marketo=_side(field.marketo), agreed=masked_value(field.agreed))


def _side(side: SideShown) -> SideShown:
    return replace(side, value=masked_value(side.value), why=masked_words(side.why))


def _chapter(chapter: Chapter) -> Chapter:
    return replace(
        chapter,
        sentence=masked_words(chapter.sentence),
        plain=masked_words(chapter.plain),
        value=masked_value(chapter.value),
        agreed=masked_value(chapter.agreed),
        lost=masked_value(chapter.lost),
        before={system: masked_value(value) for system, value in chapter.before.items()},
        reason=masked_words(chapter.reason),
        author=masked_words(chapter.author or "") or None,
    )


def _line(line: Told) -> Told:
    return replace(
        line,
        plain=masked_words(line.plain),
        sentence=masked_words(line.sentence),
        value=masked_value(line.value),
        agreed=masked_value(line.agreed),
        lost=masked_value(line.lost),
    )


def _step(step: Step) -> Step:
    return replace(step, sentence=masked_words(step.sentence), outcome=masked_words(step.outcome))


def _message(message: Message) -> Message:
    """As subscribers see it, and without whose change it was, where that is an address."""
    told = masked_message(message)
    if told.data is None:
        return told
    data = dict(told.data)
    for name in ("author", "event"):
        if isinstance(data.get(name), str):
            data[name] = masked_words(data[name])
        elif isinstance(data.get(name), Mapping) and data[name].get("author"):
            data[name] = {**data[name], "author": masked_words(str(data[name]["author"]))}
    return replace(told, data=data)


def _differing(found: Differing) -> Differing:
    return replace(
        found,
        salesforce=masked_value(found.salesforce),
        marketo=masked_value(found.marketo),
        agreed=masked_value(found.agreed),
        why=masked_words(found.why),
    )


def _name(text: str) -> str:
    return f"{text[0]}{MASK}" if text else ""


_MASKS: Mapping[type, Callable[[Any], Any]] = {
    RecordShown: _record,
    Listed: _listed,
    Line: lambda line: replace(line, listed=_listed(line.listed)),
    Group: lambda group: replace(group, what=masked_words(group.what), examples=()),
    Letter: lambda letter: replace(letter, reason=masked_words(letter.reason), key="", original=b""),
    Conflict: _conflict,
    Outcome: _outcome,
    Story: _story,
    Message: _message,
    Happening: lambda found: replace(found, message=_message(found.message), causes=tuple(map(_cause, found.causes))),
    Cause: _cause,
    Differing: _differing,
    Drift: lambda drift: replace(drift, differences=tuple(map(_differing, drift.differences))),
    Status: impersonal,
}
IMPERSONAL = (Cycle, Deed, Due, Health, Hole, Mapped, Partition, Proof, SourceState, Topic, str, int, float, bool, type(None))
"""What holds nothing of a person's."""
