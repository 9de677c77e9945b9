"""Changes undone from the ledger: what they made of each field is taken back where it still stands, and said where it doesn't.

The order of effects: what is to be undone is looked up; page by page, in a transaction each, the fields are agreed anew, with a decision
that names the undo. A crash between two pages leaves a part: asked for again, it finds what is undone already. What is owed by it goes in
the lane for repairs, behind people's edits. An undo is itself a cause: it can be undone by its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.desk.chronicle import decided_about, decided_since
from consumers.desk.doing import PAIRS, Doing, Outcome
from consumers.desk.releasing import decided
from consumers.desk.undoing import Selection, Step, Taken, is_there_already, restored, steps_of, taken
from consumers.ledger.port import Pair
from consumers.merge.edits.values import Unfit
from consumers.merge.pair.decision import Decision, Ruling
from consumers.merge.pair.state import shallow
from streams.budget.port import Lane
from streams.wire.events import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A field that stays as it is, and why. `by`, `at`: who changed it since, and when (ms), where that is the reason."""

    pair: int
    record: str
    field: str
    value: Value
    why: str
    by: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What is undone, or would be. `cause`: by which it can be undone in turn; `records`, `fields`: how many are put back."""

    cause: str
    records: int
    fields: int
    kept: tuple[Kept, ...]
    examples: tuple[Outcome, ...]
    """The first few records, with what is written of them."""


_EXAMPLES = 20


async def undo(doing: Doing, selection: Selection, *, apply: bool, reason: str = "") -> Undone:
    """Take these changes back. Without `apply` it is only said what would be."""
    cause = f"undo:{doing.clock()}"
    why = f"{cause} by {doing.who}" + (f": {reason}" if reason else "")
    pairs, kept, examples, records, fields = await _concerned(doing, selection), list[Kept](), list[Outcome](), 0, 0
    for start in range(0, len(pairs), PAIRS):
        page = _Page(doing, await _taken(doing, selection, pairs[start : start + PAIRS]), cause, why)
        told = await doing.changed(list(page.wanted), page.change, apply=apply)
        kept += page.kept
        records, fields = records + page.records, fields + page.fields
        examples += [each for each in told if each.steps][: _EXAMPLES - len(examples)]
    return Undone(cause=cause, records=records, fields=fields, kept=tuple(kept), examples=tuple(examples))


async def _concerned(doing: Doing, selection: Selection) -> list[int]:
    found: set[int] = set()
    async with doing.pool.acquire() as connection:
        async for decision in decided_since(connection, selection.since):
            if decision.pair and any(step.picked for step in steps_of(decision, selection).values()):
                found.add(decision.pair)
    return sorted(found)


async def _taken(doing: Doing, selection: Selection, pairs: Sequence[int]) -> dict[int, dict[str, Taken]]:
    async with doing.pool.acquire() as connection:
        told = await decided_about(connection, pairs)
    return {pair: _by_field(decisions, selection) for pair, decisions in told.items()}


def _by_field(decisions: Sequence[Decision], selection: Selection) -> dict[str, Taken]:
    steps: dict[str, dict[int, Step]] = {}
    for decision in decisions:
        for key, step in steps_of(decision, selection).items():
            steps.setdefault(key, {})[step.version] = step
    told = {key: taken([some[version] for version in sorted(some)]) for key, some in steps.items()}
    return {key: each for key, each in told.items() if each is not None}


class _Page:
    """Some pairs, changed one after the other, and what became of them."""

    def __init__(self, doing: Doing, wanted: Mapping[int, Mapping[str, Taken]], cause: str, why: str) -> None:
        self._doing, self.wanted, self._cause, self._why = doing, wanted, cause, why
        self.kept: list[Kept] = []
        self.records = self.fields = 0

    def change(self, pair: Pair) -> tuple[Outcome, Decision | None]:
        doing, state, rulings, what = self._doing, pair.state, list[Ruling](), f"pair {pair.id}"
        mappings = doing.terms.mapping(state).by_key
        for key, told in self.wanted[pair.id].items():
            field, mapping = state.fields.get(key), mappings.get(key)
            if field is None or mapping is None or is_there_already(mapping, field, told):
                continue
            try:
                value, why = restored(mapping, field, told)
            except Unfit as error:
                value, why = None, str(error)
            if why:
                self._keep(pair, key, field.value, told, why)
                continue
            new, ruling = decided(mapping, field, value, doing.clock(), self._why)
            state = state.with_fields({key: new})
            rulings.append(ruling)
        if not rulings:
            return doing.outcome(what, pair, []), None
        self.records, self.fields = self.records + 1, self.fields + len(rulings)
        busy, state = any(pair.state.due), shallow(state)
        state.lane = min(Lane.REPAIR, state.lane) if busy else Lane.REPAIR
        pair.state = state
        steps = [f"{ruling.field} is {ruling.agreed!r} again" for ruling in rulings]
        return doing.outcome(what, pair, steps), doing.decision(pair, tuple(rulings), self._why, cause=self._cause)

    def _keep(self, pair: Pair, key: str, value: Value, told: Taken, why: str) -> None:
        since = told.since
        record = pair.state.salesforce.id or pair.state.marketo.id
        by, at = (since.author, since.at) if since is not None else ("", 0)
        self.kept.append(Kept(pair=pair.id, record=record, field=key, value=value, why=why, by=by, at=at))
