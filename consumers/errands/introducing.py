"""The ledger is told who is wanted in Salesforce: a pair that it knows, one that a person is part of since a merge, or a new one."""

from collections.abc import Callable, Mapping, Sequence

from consumers.errands.errand import Errand, Push, what_of
from consumers.ledger.persist import unhindered
from consumers.ledger.port import Duty, Ledger, Pair, Transaction
from consumers.merge.lives.record import asked_again
from consumers.merge.lives.wanted import wanted
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState, Record
from consumers.merge.terms import Terms
from streams.wire.systems import MARKETO, PERSON, SALESFORCE


class Introductions:
    """Tells the ledger. `due`: is told what has become due by it."""

    def __init__(self, ledger: Ledger, terms: Terms, due: Callable[[set[Duty]], None]) -> None:
        self._ledger, self._terms, self._due = ledger, terms, due

    async def introduce(self, errands: Sequence[Errand], now: int) -> Mapping[int, str]:
        """In one durable commit: each person qualifies; of one that nobody has heard of, the Marketo record is read.

        Returns, by errand, the Marketo id under which the ledger knows the person (another one since a merge).
        """
        return await unhindered(lambda: self._introduce(errands, now))

    async def look_again(self, people: Sequence[str], now: int) -> None:
        """The Salesforce records of these people are read again: they are others now."""

        async def look() -> set[Duty]:
            async with self._ledger.transaction() as tx:
                pairs = list((await tx.by_record(MARKETO, PERSON, sorted(set(people)))).values())
                for pair in pairs:
                    if pair.state.salesforce.id:
                        pair.state = self._terms.with_due(asked_again(pair.state, SALESFORCE), now)
                await tx.save(pairs, now)
            return {duty for pair in pairs for duty in Duty if pair.state.due[duty]}

        self._due(await unhindered(look))

    async def _introduce(self, errands: Sequence[Errand], now: int) -> Mapping[int, str]:
        asked = {each.person: each for each in errands}
        async with self._ledger.transaction() as tx:
            found = await self._pairs(tx, sorted(asked))
            changed = {id(pair): pair for pair in found.values()}
            decisions: list[tuple[Pair, Errand]] = []
            for person, pair in found.items():
                before = pair.state
                pair.state = self._terms.with_due(wanted(before, self._terms, now), now)
                if before.salesforce.id and not pair.state.salesforce.id:
                    await tx.remember({(SALESFORCE, before.object, before.salesforce.id): pair.id}, {})
                if pair.state is not before:
                    decisions.append((pair, asked[person]))
            await tx.save(list(changed.values()), now)
            await tx.record([_decision(pair, errand, now) for pair, errand in decisions])
        self._due({duty for pair in changed.values() for duty in Duty if pair.state.due[duty]})
        return {each.id: found[each.person].state.marketo.id for each in errands}

    async def _pairs(self, tx: Transaction, people: Sequence[str]) -> dict[str, Pair]:
        """By the id that was asked for."""
        found = await tx.by_record(MARKETO, PERSON, people)
        if missing := [each for each in people if each not in found]:
            former = await tx.former([(MARKETO, PERSON, each) for each in missing])
            found |= {each: former[MARKETO, PERSON, each] for each in missing if (MARKETO, PERSON, each) in former}
        return {each: found[each] if each in found else self._stub(each) for each in people}

    def _stub(self, person: str) -> Pair:
        obj = self._terms.rules.new_people
        state = PairState(object=obj, counterpart=PERSON).with_record(MARKETO, Record(id=person))
        return Pair(id=0, state=asked_again(state, MARKETO), loaded=None)


def _decision(pair: Pair, errand: Errand, now: int) -> Decision:
    note = f" ({errand.request.note})" if isinstance(errand.request, Push) and errand.request.note else ""
    detail = f"{what_of(errand.request).value.replace('-', ' ')}, asked for by {errand.asked_by}{note}"
    return Decision(kind="wanted", at=now, pair=pair.id, system=SALESFORCE, record=pair.state.marketo.id, detail=detail)
