"""What happened to a record, grouped by its causes: a change on one side, then what Tandem wrote because of it, and the echoes, folded.
Pure but for `recent_decisions`, which reads."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from consumers.merge.pair import decision as decisions
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.reports.records.plain import WHOLE_RECORD, plain
from consumers.reports.records.story import NOBODY, OUTCOMES, Told, all_about, full_sentence
from streams.wire.events import Value

_DEEDS = {"create": "created", "update": "updated", "delete": "deleted", "merge": "merged"}
_QUIET = (Verdict.SUPERSEDED, Verdict.KNOWN, Verdict.WAITING, Verdict.SAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was decided about one field (empty: the record). `plain`: in the words of marketing, may be empty; `sentence`: in full."""

    field: str
    verdict: str
    plain: str
    sentence: str
    value: Value = None
    agreed: Value = None
    lost: Value = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A write that followed, or its echo. `after_ms`: since what caused it was judged."""

    decision: int
    at: int
    after_ms: int
    system: str
    kind: str
    outcome: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that happened, and all that followed from it. `at`: when it was judged, ours; `happened_at`: when it was made, by its
    system's clock (0: not told). `echoes`: fields that a system then showed as Tandem had written them."""

    decision: int
    at: int
    happened_at: int
    system: str
    kind: str
    author: str
    source: str
    lines: tuple[Line, ...]
    steps: tuple[Step, ...]
    echoes: int
    quiet: bool
    """Whether it is of interest to engineers alone."""


async def recent_decisions(connection: Any, pair: int, *, most: int) -> Told:
    """The newest decisions about a pair, newest first."""
    told: Told = []
    async with aclosing(all_about(connection, pair)) as newest:
        async for number, body in newest:
            told.append((number, decisions.decode(body)))
            if len(told) >= most:
                break
    return told


@dataclass(slots=True)
class _Growing:
    number: int
    decision: Decision
    lines: list[Line]
    versions: set[tuple[str, int]]
    steps: list[Step] = field(default_factory=list)
    echoes: int = 0


def timeline(told: Sequence[tuple[int, Decision]], people: Mapping[str, str] = NOBODY) -> tuple[Cause, ...]:
    """The causes, newest first. `told`: newest first, as `recent_decisions` gives them."""
    causes: list[_Growing] = []
    for number, decision in reversed(told):
        follows = _versions(decision, echoes=True)
        cause = next((each for each in reversed(causes) if each.versions & follows), None)
        if cause is not None and _is_consequence(decision):
            cause.steps.append(_step(number, decision, cause))
            cause.echoes += sum(ruling.verdict is Verdict.ECHO for ruling in decision.fields)
        else:
            causes.append(_Growing(number, decision, list(_lines(decision, people)), _versions(decision, echoes=False)))
    return tuple(_cause(each, people) for each in reversed(causes))


def _is_consequence(decision: Decision) -> bool:
    """A write of ours, or an event that holds nothing but what we had written."""
    if decision.kind == "written":
        return True
    verdicts = {ruling.verdict for ruling in decision.fields}
    return decision.kind in ("judged", "looked") and bool(verdicts) and verdicts <= {Verdict.ECHO, *_QUIET} and Verdict.ECHO in verdicts


def _versions(decision: Decision, *, echoes: bool) -> set[tuple[str, int]]:
    return {(each.field, each.version) for each in decision.fields if each.version and (echoes or each.verdict is not Verdict.ECHO)}


def _lines(decision: Decision, people: Mapping[str, str]) -> Iterable[Line]:
    rulings: Sequence[Ruling | None] = decision.fields or [None]
    for ruling in rulings:
        yield Line(
            field="" if ruling is None or ruling.field == WHOLE_RECORD else ruling.field,
            verdict=str(ruling.verdict) if ruling else "",
            plain=plain(decision, ruling, people),
            sentence=full_sentence(decision, ruling),
            value=ruling.value if ruling else None,
            agreed=ruling.agreed if ruling else None,
            lost=ruling.lost if ruling else None,
        )


def _step(number: int, decision: Decision, cause: _Growing) -> Step:
    echo = decision.kind != "written"
    words = "; ".join(part for part in (_done(decision, echo=echo), decision.detail) if part)
    return Step(
        decision=number,
        at=decision.at,
        after_ms=max(0, decision.at - cause.decision.at),
        system=str(decision.system),
        kind="echo" if echo else "written",
        outcome=decision.outcome,
        sentence=words,
    )


def _done(decision: Decision, *, echo: bool) -> str:
    """`updated, 2 fields`."""
    count = len(decision.fields)
    fields = f", {count} field{'s' if count != 1 else ''}" if count else ""
    if echo:
        return f"shows it{fields}"
    what, _, fate = decision.outcome.partition(" ")
    if fate in ("done", "confirmed"):
        return f"{_DEEDS.get(what, what)}{fields}"
    return f"{what or 'written'}{fields}: {OUTCOMES.get(fate or what, decision.outcome)}"


def _cause(growing: _Growing, people: Mapping[str, str]) -> Cause:
    decision, event = growing.decision, growing.decision.event
    author = event.author if event and event.author else ""
    verdicts = {ruling.verdict for ruling in decision.fields}
    quiet = decision.kind in ("judged", "looked") and verdicts <= {*_QUIET, Verdict.ECHO} and not growing.steps
    return Cause(
        decision=growing.number,
        at=decision.at,
        happened_at=event.at if event else 0,
        system=str(decision.system),
        kind=decision.kind,
        author=people.get(author, author),
        source=event.source if event else "",
        lines=tuple(growing.lines),
        steps=tuple(growing.steps),
        echoes=growing.echoes,
        quiet=quiet,
    )
