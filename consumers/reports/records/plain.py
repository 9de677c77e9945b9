"""Decisions as somebody from marketing would tell them: who changed what, whose value stands and why. No versions, no echoes, no ids.

What only says how the machinery got there has no sentence here (an empty one): it is told with `--technical`.
"""

import re
from collections.abc import Mapping

from consumers.merge.edits.rules import UNSEEN
from consumers.merge.pair.decision import BY_HAND, Decision, Origin, Ruling, Verdict
from streams.wire.events import Happened, Value
from streams.wire.systems import System

NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
WHOLE_RECORD = "*"
SHOWN_CHARS = 120
_SENTENCES = {
    Verdict.ACCEPTED: "{said}.",
    Verdict.SAME: "{said}, as {other} has it.",
    Verdict.WON: "{said} while it was {lost} in {other}, and nobody had seen both. {agreed} stands{why}.",
    Verdict.LOST: "{said} while it was {agreed} in {other}, and nobody had seen both. {agreed} stands{why}; {name} gets it back.",
    Verdict.REVIEW: "{said} while it was {agreed} in {other}, and nobody had seen both. A person has to decide{why}.",
    Verdict.ECHO: "{name} stores {value} for it.",
    Verdict.PUT_BACK: "{said}, where this field is only received. {agreed} is put back.",
    Verdict.LEFT: "{said}. It stays so there alone{why}.",
    Verdict.UNUSABLE: "{name} told a value that can't be used{why}. It stays {agreed}.",
    Verdict.CONTESTED: "{said}. Something keeps undoing this, so the field is held{why}.",
    Verdict.SUPERSEDED: "",
    Verdict.WAITING: "",
    Verdict.KNOWN: "",
}
_FATES = {
    "confirmed": "Tandem wrote {value} to {name}.",
    "done": "Tandem wrote {value} to {name}.",
    "rejected": "{name} refused {value}{why}.",
    "gone": "{name} has the record no more, so {value} could not be written.",
    "unknown": "Tandem sent {value} to {name}, and no answer came; it finds out whether it arrived.",
}
_LINKS = {"matched": "{name}'s record was found to be the same person{why}.", "created": "Tandem made the record in {name}{why}."}


def plain(decision: Decision, ruling: Ruling | None, people: Mapping[str, str]) -> str:
    """One decision about one field, or (without a ruling) about the record. `people`: the names of users, by what decisions call them."""
    if decision.kind in ("judged", "looked"):
        return _judged(decision, ruling, people) if ruling else ""
    words = "; ".join(part for part in (decision.detail, ruling.reason if ruling else "") if part)
    told = {"name": NAMES[decision.system], "why": f": {words}" if words else "", "value": "the record"}
    if decision.kind == BY_HAND:
        return f"{quoted(ruling.agreed)} was chosen by hand: {ruling.reason}." if ruling else "Tried again by hand{why}.".format(**told)
    if decision.kind == "linked":
        return _LINKS.get(decision.outcome, "").format(**told)
    if decision.kind == "forgotten":
        return "{name}'s record was forgotten{why}.".format(**told)
    if decision.kind == "joined":
        return _joined(decision, ruling)
    if decision.kind == "wanted":
        return "The person is wanted in {name}, whatever the rule says{why}.".format(**told)
    if decision.kind == "held":
        return "The person is held{why}.".format(**told)
    if ruling and ruling.field != WHOLE_RECORD:
        told["value"] = quoted(ruling.value if ruling.value is not None else ruling.agreed)
    what, _, fate = decision.outcome.partition(" ")
    if what == "delete" and fate in ("confirmed", "done"):
        return "Tandem deleted the record in {name}{why}.".format(**told)
    if what == "merge" and fate in ("confirmed", "done"):
        return "Tandem merged the person's records in {name}{why}.".format(**told)
    return _FATES.get(fate or what, "").format(**told)


def _joined(decision: Decision, ruling: Ruling | None) -> str:
    if ruling is None:
        return f"Two records of the same person are one: {spelled(decision.detail)}."
    stands = f"{quoted(ruling.agreed)} stands: {ruling.reason}"
    return f"The record that was merged or converted in {NAMES[decision.system]} had {quoted(ruling.value)}. {stands}."


def quoted(value: Value) -> str:
    """A value in a sentence; long text is shortened."""
    if value is None:
        return "blank"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    text = value if len(value) <= SHOWN_CHARS else f"{value[:SHOWN_CHARS]}… ({len(value)} characters)"
    return f"“{text}”"


def spelled(reason: str) -> str:
    """A reason of ours with the systems' own spelling."""
    return re.sub(r"\b(salesforce|marketo)\b", lambda name: name[0].capitalize(), reason)


def _judged(decision: Decision, ruling: Ruling, people: Mapping[str, str]) -> str:
    name = NAMES[decision.system]
    if ruling.field == WHOLE_RECORD:
        deleted = ruling.verdict is Verdict.ACCEPTED and ruling.reason.startswith("deleted")
        return f"{_author(decision.event, people)} deleted the record in {name}." if deleted else ""
    altered = ruling.verdict is Verdict.ECHO and ruling.value == ruling.agreed
    form = "" if altered else _SENTENCES[ruling.verdict]
    return form.format(
        said=_said(decision, quoted(ruling.value), people),
        name=name,
        other=NAMES[decision.system.other],
        value=quoted(ruling.value),
        agreed=quoted(ruling.agreed),
        lost=quoted(ruling.lost),
        why=f": {spelled(ruling.reason.removeprefix(UNSEEN))}" if ruling.reason else "",
    )


def _said(decision: Decision, value: str, people: Mapping[str, str]) -> str:
    event, name = decision.event, NAMES[decision.system]
    if event is not None and event.kind == Happened.READ and not event.author:
        return f"It was {value} in {name}"
    did = "entered" if event is not None and event.kind == Happened.CREATED else "changed it to"
    return f"{_author(event, people)} {did} {value} in {name}"


def _author(event: Origin | None, people: Mapping[str, str]) -> str:
    author = event.author if event else None
    return people.get(author, author) if author else "Somebody"
