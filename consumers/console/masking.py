"""Values without personal data, before they get into a page or a document: decided here, never in the browser. Pure.

Masked are the values of fields and whatever quotes them, as `tandem subscribe` masks them; ids, times and counts stay.
"""

from dataclasses import replace
from typing import Any

from consumers.answers.ledger import Story
from consumers.reports.records.record import FieldShown, RecordShown, SideShown
from consumers.reports.records.relations import Parent
from consumers.reports.records.story import Chapter
from consumers.reports.records.timeline import Cause, Line, Step
from consumers.reports.standing.drift import Differing, Drift
from consumers.reports.standing.lists import Listed
from consumers.subscriptions.masking import MASK, masked_value, masked_words

UNMASKED_NAMES = frozenset({"account", "campaign", "opportunity"})
"""Kinds whose names are no person's."""


def masked(told: Any) -> Any:
    """The answer with what is personal masked; what holds nothing personal comes back as it is."""
    match told:
        case tuple() | list():
            return type(told)(masked(each) for each in told)
        case RecordShown():
            return _record(told)
        case Listed():
            return replace(
                told, person=_name(told.person), email=_name(told.email), why=masked_words(told.why), value=masked_value(told.value)
            )
        case Story():
            return replace(
                told,
                person=_name(told.person),
                email=_name(told.email),
                chapters=tuple(_chapter(each) for each in told.chapters),
                now=tuple(masked_words(each) for each in told.now),
            )
        case Cause():
            return replace(told, author=_author(told.author), lines=tuple(map(_line, told.lines)), steps=tuple(map(_step, told.steps)))
        case Drift():
            return replace(told, differences=tuple(map(_differing, told.differences)))
        case _:
            return told


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
        reason=masked_words(chapter.reason),
        author=_author(chapter.author or "") or None,
    )


def _line(line: Line) -> Line:
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


def _author(text: str) -> str:
    """Users of the systems are named by an id, or by an address."""
    return masked_words(text)
