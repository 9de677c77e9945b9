"""Values without personal data, before they get into a page or a document: decided here, never in the browser. Pure.

Masked are the values of fields and whatever quotes them, as `tandem subscribe` masks them; ids, times and counts stay.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from consumers.answers.desk.journey import Journey
from consumers.answers.desk.reconciling import Cycles
from consumers.answers.linking import Linked
from consumers.answers.logs.delivering import Shared, Shown
from consumers.answers.logs.happened import Happening
from consumers.answers.looking.bundling import Bundle
from consumers.answers.looking.ledger import Deletes, Story
from consumers.answers.looking.past import Changes, Past
from consumers.answers.rules import GoingBack
from consumers.audit.mending import Written
from consumers.audit.repair import Repair
from consumers.audit_log.deeds import Deed
from consumers.copy.progress import Progress
from consumers.copy.quote import Quote
from consumers.deliveries.sending import Answer as Sent
from consumers.desk.control import Queued
from consumers.desk.doing import Outcome, Would
from consumers.desk.forcing import Forcing
from consumers.desk.letters import Letter
from consumers.desk.undo import Kept, Undone
from consumers.desk.waiting import Ambiguity, Candidate, Conflict, Group, Line
from consumers.errands.asking import Answer
from consumers.fitting.visibility import Seen
from consumers.ledger.tallies import Due
from consumers.ledger.versions import Version
from consumers.links.links import Link
from consumers.reports.records.derived import Difference, FieldThen
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
from consumers.subscriptions.masking import MASK, masked_decision, masked_value, masked_words
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


def _hidden(told: Any, *, names: str = "", words: str = "", values: str = "", **more: Any) -> Any:
    """The answer with these of its attributes masked: people's `names`, `words` that may quote values, `values` themselves; and with
    `more` in place of what it says."""
    changed = {name: _name(getattr(told, name)) for name in names.split()}
    changed |= {name: masked_words(getattr(told, name)) for name in words.split()}
    changed |= {name: masked_value(getattr(told, name)) for name in values.split()}
    return replace(told, **changed, **more)


def _listed(listed: Listed) -> Any:
    return _hidden(listed, names="person email", words="why", values="value")


def _story(story: Story) -> Any:
    return _hidden(story, names="person email", chapters=tuple(map(_chapter, story.chapters)), now=tuple(map(masked_words, story.now)))


def _outcome(outcome: Outcome) -> Any:
    told = tuple(map(masked_words, outcome.steps))
    return _hidden(outcome, names="record", words="what why", steps=told, writes=_writes(outcome.writes))


def _writes(writes: Sequence[Written]) -> tuple[Written, ...]:
    return tuple(replace(each, fields={name: masked_value(value) for name, value in each.fields.items()}) for each in writes)


def _kept(kept: Kept) -> Any:
    return _hidden(kept, words="why by", values="value")


def _candidate(told: Candidate) -> Any:
    return replace(_hidden(told, names="name"), values={key: masked_value(value) for key, value in told.values.items()})


def _forcing(told: Forcing) -> Any:
    fields = tuple(_hidden(each, words="why", values="value agreed instead") for each in told.fields)
    return replace(told, fields=fields, outcome=_outcome(told.outcome))


def _cause(cause: Cause) -> Any:
    return _hidden(cause, words="author", lines=tuple(map(_line, cause.lines)), steps=tuple(map(_step, cause.steps)))


def _record(record: RecordShown) -> Any:
    return _hidden(
        record,
        names="email" if record.object in UNMASKED_NAMES else "person email",
        words="salesforce_note marketo_note hold",
        fields=tuple(map(_field, record.fields)),
        pauses=tuple(_hidden(each, words="why") for each in record.pauses),
        relations=replace(record.relations, parents=tuple(map(_parent, record.relations.parents))),
    )


def _parent(parent: Parent) -> Any:
    return parent if parent.kind in UNMASKED_NAMES else _hidden(parent, names="name")


def _field(field: FieldShown) -> Any:
    return _hidden(field, values="agreed", salesforce=_side(field.salesforce), marketo=_side(field.marketo))


def _side(side: SideShown) -> Any:
    return _hidden(side, words="why", values="value")


def _chapter(chapter: Chapter) -> Any:
    return _hidden(
        chapter,
        words="sentence plain reason",
        values="value agreed lost",
        before={system: masked_value(value) for system, value in chapter.before.items()},
        author=masked_words(chapter.author or "") or None,
    )


def _line(line: Told) -> Any:
    return _hidden(line, words="plain sentence", values="value agreed lost")


def _step(step: Step) -> Any:
    return _hidden(step, words="sentence outcome")


def _past(past: Past) -> Any:
    fields = {name: _field_then(each) for name, each in past.then.fields.items()}
    return _hidden(past, names="person", then=_hidden(past.then, words="hold", fields=fields))


def _field_then(field: FieldThen) -> Any:
    agreed, salesforce, marketo = (each and _hidden(each, values="value") for each in (field.agreed, field.salesforce, field.marketo))
    return _hidden(field, words="hold", agreed=agreed, salesforce=salesforce, marketo=marketo)


def _difference(found: Difference) -> Any:
    """Of the pair itself: ids, whether it is deleted, and why it is held, which may quote a value."""
    if found.field and found.what != "hold":
        return _hidden(found, values="before after")
    before, after = (masked_words(each) if isinstance(each, str) else each for each in (found.before, found.after))
    return replace(found, before=before, after=after)


def _message(message: Message) -> Message:
    """As subscribers see it, and without whose change it was, where that is an address."""
    told = masked_message(message)
    return told if told.data is None else replace(told, data=_anonymous(told.data))


def _bundle(bundle: Bundle) -> Any:
    return replace(
        bundle,
        record=masked(bundle.record),
        story=masked(bundle.story),
        timeline=masked(tuple(bundle.timeline)),
        decisions=[_anonymous(masked_decision(each)) for each in bundle.decisions],
    )


def _anonymous(told: Mapping[str, Any]) -> dict[str, Any]:
    """Without whose change it was, where that is an address."""
    data = dict(told)
    for name in ("author", "event"):
        if isinstance(data.get(name), str):
            data[name] = masked_words(data[name])
        elif isinstance(data.get(name), Mapping) and data[name].get("author"):
            data[name] = {**data[name], "author": masked_words(str(data[name]["author"]))}
    return data


def _differing(found: Differing) -> Any:
    return _hidden(found, words="why", values="salesforce marketo agreed")


def _name(text: str) -> str:
    return f"{text[0]}{MASK}" if text else ""


_MASKS: Mapping[type, Callable[[Any], Any]] = {
    RecordShown: _record,
    Listed: _listed,
    Line: lambda line: replace(line, listed=_listed(line.listed)),
    Group: lambda group: _hidden(group, words="what", examples=()),
    Letter: lambda letter: _hidden(letter, words="reason", key="", original=b""),
    Ambiguity: lambda told: replace(told, held=_candidate(told.held), candidates=tuple(map(_candidate, told.candidates))),
    Conflict: lambda conflict: _hidden(conflict, names="name", words="why", values="salesforce base marketo"),
    Outcome: _outcome,
    Forcing: _forcing,
    Story: _story,
    Past: _past,
    Changes: lambda found: _hidden(found, names="person", changes=tuple(map(_difference, found.changes))),
    Message: _message,
    Bundle: _bundle,
    Happening: lambda found: replace(found, message=_message(found.message), causes=tuple(map(_cause, found.causes))),
    Cause: _cause,
    Differing: _differing,
    Drift: lambda drift: replace(drift, differences=tuple(map(_differing, drift.differences))),
    Status: impersonal,
    Repair: lambda repair: _hidden(repair, words="why", writes=_writes(repair.writes)),
    Undone: lambda undone: replace(undone, kept=tuple(map(_kept, undone.kept)), examples=tuple(map(_outcome, undone.examples))),
    Deletes: lambda deletes: replace(deletes, people=tuple(map(_name, deletes.people))),
    Answer: lambda answer: _hidden(answer, names="person", words="reason", steps=tuple(map(masked_words, answer.steps))),
}
IMPERSONAL = (
    Cycle, Cycles, Deed, Due, GoingBack, Health, Hole, Journey, Link, Linked, Mapped, Partition, Progress, Proof, Queued, Quote, Seen,
    Sent, Shared, Shown, SourceState, Topic, Version, Would, str, int, float, bool, type(None),
)  # fmt: skip
"""What holds nothing of a person's."""
