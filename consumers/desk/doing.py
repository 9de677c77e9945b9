"""What every act of the desk shares: everything is looked at first and done on request. Without `apply` the same steps are taken in a
transaction that is rolled back, so that what is shown is what would be done.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from consumers.audit.mending import Written, owed_now
from consumers.desk.letters import Attempt
from consumers.judging.meeting.namesakes import matched
from consumers.ledger.faults import step
from consumers.ledger.port import Ledger, Pair, Transaction
from consumers.merge.pair.decision import BY_HAND, Decision, Origin, Ruling
from consumers.merge.terms import Terms
from streams.wire.systems import System

PAIRS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of one thing. `what`: the thing by its name; `steps`: what is done, in plain words; `writes`: what would be written to
    the systems then; `why`: what keeps it from being done, if anything does."""

    what: str
    pair: int = 0
    record: str = ""
    steps: tuple[str, ...] = ()
    writes: tuple[Written, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Would:
    """What would be done, in plain words, where there is no more to say of it beforehand."""

    steps: tuple[str, ...]


class _Only(Exception):  # noqa: N818 - not an error: it was only to be shown
    """Takes a transaction back."""


Change = Callable[[Pair], tuple[Outcome, Decision | None]]
"""Changes a pair; no decision: it was let be."""


class Doing:
    """`who`: whoever acts, as the audit log names them. `clock`: ms."""

    def __init__(self, pool: Any, ledger: Ledger, terms: Terms, clock: Callable[[], int], *, who: str) -> None:
        self.pool, self.ledger, self.terms, self.clock, self.who = pool, ledger, terms, clock, who

    @asynccontextmanager
    async def trial(self, *, apply: bool) -> AsyncIterator[Transaction]:
        """A transaction, which is kept only with `apply`."""
        try:
            async with self.ledger.transaction() as tx:
                yield tx
                if not apply:
                    raise _Only  # noqa: TRY301 - takes the transaction back
        except _Only:
            pass

    async def changed(self, pairs: Sequence[int], change: Change, *, apply: bool) -> list[Outcome]:
        """Each of these pairs, a page a transaction."""
        found: list[Outcome] = []
        for start in range(0, len(pairs), PAIRS):
            page = pairs[start : start + PAIRS]
            async with self.trial(apply=apply) as tx:
                known = await tx.by_id(sorted(page))
                found += [Outcome(what=f"pair {each}", why="it is not there any more") for each in page if each not in known]
                found += await self._each(tx, list(known.values()), change)
        return found

    async def _each(self, tx: Transaction, pairs: Sequence[Pair], change: Change) -> list[Outcome]:
        found, decisions, now = list[Outcome](), list[Decision](), self.clock()
        for pair in pairs:
            with step("changing a pair", pair.id):
                told, decision = change(pair)
                if decision is not None:
                    pair.state = self.terms.with_due(pair.state, now)
                    decisions.append(decision)
            found.append(told)
        with step("matching"):
            _, left = matched(pairs, {}, self.terms)
        await tx.save(pairs, now)
        await tx.record(decisions)
        if left:
            await tx.left(sorted(left))
        return found

    def outcome(self, what: str, pair: Pair | None, steps: Sequence[str], why: str = "") -> Outcome:
        """What becomes of it, with what is owed of the pair then."""
        if pair is None:
            return Outcome(what=what, steps=tuple(steps), why=why)
        record, writes = pair.state.salesforce.id or pair.state.marketo.id, tuple(owed_now(pair.state, self.terms))
        return Outcome(what=what, pair=pair.id, record=record, steps=tuple(steps), writes=() if why else writes, why=why)

    def decision(self, pair: Pair, rulings: tuple[Ruling, ...], detail: str, *, cause: str = "") -> Decision:
        """What a person has decided about a pair. `cause`: by which this and others can be found again."""
        now, system = self.clock(), System.SALESFORCE if pair.state.salesforce.id else System.MARKETO
        origin = Origin(topic="", partition=-1, offset=-1, source=BY_HAND, at=now, author=self.who, call=cause or None)
        record = pair.state.record(system).id
        return Decision(
            kind=BY_HAND, at=now, pair=pair.id, system=system, record=record, event=origin, fields=rulings, detail=detail,
            config=self.terms.version,
        )  # fmt: skip

    def attempt(self, what: str) -> Attempt:
        """That somebody tried, now."""
        return Attempt(at=self.clock(), who=self.who, what=what)
