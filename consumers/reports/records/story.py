"""The story of a field, or of a whole record: every decision that touched it, oldest first, as plain sentences."""

import difflib
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from dataclasses import field as made_by
from typing import Any

from consumers.ledger.postgres.blocks import told_of
from consumers.mapping.fields import ObjectMapping
from consumers.merge.pair import decision as decisions
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.reports.records.derived import Then, then
from consumers.reports.records.plain import NAMES, WHOLE_RECORD, plain, quoted
from streams.wire.events import Happened, Value
from streams.wire.systems import System

_DECISIONS = "select id, body from decisions where pair = $1 and id < $2 order by id desc limit $3"
_PAGE = 500
NOBODY: Mapping[str, str] = {}
_SENTENCES = {
    Verdict.ACCEPTED: "{said}. Accepted{why}: {agreed} is the agreement, version {version}; {other} is owed it.",
    Verdict.SAME: "{said}. That is the agreement already, version {version}: nothing to do{why}.",
    Verdict.WON: "{said}. Conflict, decided by {rule}{why}: {agreed} stands, version {version}; {lost} lost; {other} is owed it.",
    Verdict.LOST: "{said}. Conflict, decided by {rule}{why}: {lost} lost, {agreed} stays; {name} is owed it.",
    Verdict.REVIEW: "{said}. Conflict with {agreed}, and {rule} leaves it to a person{why}: the field is held.",
    Verdict.ECHO: "{name} showed Tandem's own write, {value}{made}, version {version}{why}.",
    Verdict.PUT_BACK: "{said}. {agreed} will be put back{why}.",
    Verdict.LEFT: "{said}. Left as it is{why}.",
    Verdict.SUPERSEDED: "{said}. Passed over{why}.",
    Verdict.WAITING: "{said}. It waits{why}.",
    Verdict.KNOWN: "{said}. Known already{why}.",
    Verdict.UNUSABLE: "{source} told a value that can't be used{why}; the agreement stays {agreed}.",
    Verdict.CONTESTED: "{said}. Someone or something keeps undoing this; the field is held{why}. Agreed is {agreed}.",
}
OUTCOMES = {
    "confirmed": "the system took it",
    "done": "the system took it",
    "exists": "the record exists there already; it is looked up",
    "gone": "the record is not there any more",
    "rejected": "the system refused it",
    "busy": "the record was locked; it is tried again",
    "unknown": "no answer came; the feed or a read will tell",
    "not sent": "it was not sent; it is tried again",
}


class UnknownField(LookupError):  # noqa: N818 - an answer to the operator, not a failure
    """No mapped field has that name; the message has the nearest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One decision about the field. `at`: ms, ours; `happened_at`: when the change was made, by its system's clock (0: not told).

    `plain`: in the words of marketing; empty where only the machinery is concerned. `sentence`: in full. `field`: empty where the whole
    record is concerned. `before`: what each side showed of the field before, as far as that was told.
    """

    decision: int
    at: int
    happened_at: int
    system: str
    kind: str
    verdict: str
    sentence: str
    plain: str = ""
    value: Value = None
    agreed: Value = None
    lost: Value = None
    version: int = 0
    rule: str = ""
    reason: str = ""
    author: str | None = None
    call: str | None = None
    write: int = 0
    outcome: str = ""
    field: str = ""
    before: Mapping[str, Value] = made_by(default_factory=dict)


def field_key(mapping: ObjectMapping, name: str) -> str:
    """The field's key from its Marketo or Salesforce name, whatever the case. Raises `UnknownField` with the nearest name."""
    names = {known.lower(): item.key for item in mapping.fields for known in (item.salesforce, item.marketo) if known}
    key = names.get(name.lower())
    if key is None:
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f"did you mean {names[near[0]]}?" if near else f"mapped are: {', '.join(sorted(mapping.by_key))}"
        raise UnknownField(f"{name} is not a mapped field of a {mapping.object}, so that no change of it is passed on; {hint}")
    return key


Told = list[tuple[int, Decision]]
"""Decisions with their numbers."""


async def decisions_about(connection: Any, pair: int, key: str | None, *, most: int, until_ms: int | None = None) -> Told:
    """The newest decisions about a field of a pair, newest first; enough of them for `most` chapters. `key`: None: whatever they are about;
    `until_ms`: those made by then.
    """
    told: Told = []
    async with aclosing(all_about(connection, pair)) as newest:
        async for number, body in newest:
            decision = decisions.decode(body)
            if until_ms is not None and decision.at > until_ms:
                continue
            if any(True for _ in chapters_of(number, decision, key)):
                told.append((number, decision))
                if len(told) >= most:
                    break
    return told


async def all_about(connection: Any, pair: int) -> AsyncGenerator[tuple[int, bytes]]:
    """Every decision about a pair, newest first. First what is in blocks, then what earlier versions kept in rows."""
    async for number, body in told_of(connection, pair):
        yield number, body
    before, rows = 2**63 - 1, [None] * _PAGE
    while len(rows) == _PAGE:
        rows = await connection.fetch(_DECISIONS, pair, before, _PAGE)
        for row in rows:
            before = row["id"]
            yield before, row["body"]


async def then_of(connection: Any, pair: int, at_ms: int) -> Then:
    """What a pair was at a moment (ms, ours), as far as its decisions are kept."""
    told: Told = []
    async with aclosing(all_about(connection, pair)) as newest:
        async for number, body in newest:
            decision = decisions.decode(body)
            if decision.at <= at_ms:
                told.append((number, decision))
    return then(reversed(told))


def story(told: Told, key: str | None, *, most: int, people: Mapping[str, str] = NOBODY) -> tuple[Chapter, ...]:
    """The newest `most` chapters, in the order in which things happened. `people`: the names of users; `key`: None: of the whole record."""
    chapters: list[Chapter] = []
    so_far = Then()
    for number, decision in reversed(told):
        chapters += (replace(each, before=_before(so_far, each.field)) for each in chapters_of(number, decision, key, people))
        so_far.take(number, decision)
    return in_order(chapters[-most:])


def _before(so_far: Then, key: str) -> dict[str, Value]:
    """What each side showed, as far as it is known."""
    field = so_far.fields.get(key)
    if field is None:
        return {}
    return {str(system): showed.value for system in System if (showed := field.side(system)) is not None}


def authors(read: Iterable[Told]) -> frozenset[str]:
    """Who made the changes, as their systems call them."""
    events = (decision.event for told in read for _, decision in told)
    return frozenset(event.author for event in events if event is not None and event.author)


def in_order(chapters: Iterable[Chapter]) -> tuple[Chapter, ...]:
    """As things happened: a change that was told late stands where it was made. Systems tell times to the second, so within one
    second the order of the decisions stays.
    """
    return tuple(sorted(chapters, key=lambda each: ((each.happened_at or each.at) // 1000, each.decision)))


def chapters_of(number: int, decision: Decision, key: str | None, people: Mapping[str, str] = NOBODY) -> Iterable[Chapter]:
    """What one decision says about a field (None: about any); nothing if it doesn't."""
    rulings = [ruling for ruling in decision.fields if key is None or ruling.field in (key, WHOLE_RECORD)]
    if decision.fields and not rulings:
        return
    if not rulings:
        if decision.kind != "judged":
            yield _chapter(number, decision, None, full_sentence(decision, None), people)
        return
    for ruling in rulings:
        yield _chapter(number, decision, ruling, full_sentence(decision, ruling), people)


def full_sentence(decision: Decision, ruling: Ruling | None) -> str:
    """What was decided about one field, or (without a ruling) about the record, with all that engineers want to know."""
    if ruling is None:
        return _record_sentence(decision)
    return _judged_sentence(decision, ruling) if decision.kind in ("judged", "looked") else _acted_sentence(decision, ruling)


def _chapter(number: int, decision: Decision, ruling: Ruling | None, sentence: str, people: Mapping[str, str]) -> Chapter:
    event = decision.event
    return Chapter(
        decision=number,
        at=decision.at,
        happened_at=event.at if event else 0,
        system=decision.system,
        kind=decision.kind,
        verdict=str(ruling.verdict) if ruling else "",
        sentence=sentence,
        plain=plain(decision, ruling, people),
        value=ruling.value if ruling else None,
        agreed=ruling.agreed if ruling else None,
        lost=ruling.lost if ruling else None,
        version=ruling.version if ruling else 0,
        rule=ruling.rule if ruling else "",
        reason=(ruling.reason if ruling else "") or decision.detail,
        author=event.author if event else None,
        call=event.call if event else decision.call or None,
        write=decision.write,
        outcome=decision.outcome,
        field=ruling.field if ruling and ruling.field != WHOLE_RECORD else "",
    )


def _record_sentence(decision: Decision) -> str:
    name = NAMES[decision.system]
    detail = f": {decision.detail}" if decision.detail else ""
    match decision.kind:
        case "linked":
            how = {"matched": "was matched with an existing record", "created": "was created by Tandem"}
            return f"The {name} record {decision.record} {how.get(decision.outcome, 'was linked')}{detail}."
        case "held":
            return f"The pair is held{detail}."
        case "written":
            return f"Tandem wrote the record to {name} ({_write(decision)}): {_outcome(decision)}{detail}."
        case "joined":
            return f"Two records of the same person are one{detail}."
        case "forgotten":
            return f"The {name} record {decision.record} was forgotten{detail}."
        case "wanted":
            return f"Somebody wants the person in {name}, whatever the rule says{detail}."
        case decisions.BY_HAND:
            return f"By hand{detail}."
        case "looked":
            return f"Tandem read the record in {name}{detail}."
        case _:
            return f"{decision.kind} in {name}{detail}."


def _write(decision: Decision) -> str:
    return f"write {decision.write}" + (f", request {decision.call}" if decision.call else "")


def _outcome(decision: Decision) -> str:
    """`update rejected` as words; what isn't known stands as it is."""
    fate = decision.outcome.partition(" ")[2] or decision.outcome
    return OUTCOMES.get(fate, decision.outcome)


def _acted_sentence(decision: Decision, ruling: Ruling) -> str:
    name = NAMES[decision.system]
    outcome = _outcome(decision)
    words = "; ".join(part for part in (decision.detail, ruling.reason) if part)
    said = f" ({words})" if words else ""
    if decision.kind == "written":
        value = ruling.value if ruling.value is not None else ruling.agreed
        what = "the record" if ruling.field == WHOLE_RECORD else quoted(value)
        return f"Tandem wrote {what} to {name} ({_write(decision)}): {outcome or 'sent'}{said}."
    if decision.kind == "held":
        return f"Held{said}."
    if decision.kind == decisions.BY_HAND:
        return f"By hand: {quoted(ruling.agreed)} is the agreement, version {ruling.version} ({ruling.reason})."
    return f"{decision.kind.capitalize()} with {name}: {quoted(ruling.value)} {outcome}{said}.".replace(" .", ".")


def _judged_sentence(decision: Decision, ruling: Ruling) -> str:
    why = f" ({ruling.reason})" if ruling.reason else ""
    if ruling.field == WHOLE_RECORD:
        return f"{_source(decision)}: {ruling.verdict}{why}."
    value, agreed = quoted(ruling.value), quoted(ruling.agreed)
    return _SENTENCES[ruling.verdict].format(
        said=_said(decision, value),
        source=_source(decision),
        name=NAMES[decision.system],
        other=NAMES[decision.system.other],
        value=value,
        agreed=agreed,
        lost=quoted(ruling.lost),
        made="" if ruling.value == ruling.agreed else f"; agreed is {agreed}",
        version=ruling.version,
        rule=ruling.rule,
        why=why,
    )


def _said(decision: Decision, value: str) -> str:
    event = decision.event
    if event and event.kind == Happened.READ:
        return f"A read of {NAMES[decision.system]} showed {value}"
    return f"{_source(decision)} changed it to {value}"


def _source(decision: Decision) -> str:
    return f"{NAMES[decision.system]}{_who(decision.event)}"


def _who(event: Origin | None) -> str:
    if event is None:
        return ""
    parts = [
        part
        for part in (f"by {event.author}" if event.author else "", event.how or "", f"from {event.source}" if event.source else "")
        if part
    ]
    return f" ({', '.join(parts)})" if parts else ""
