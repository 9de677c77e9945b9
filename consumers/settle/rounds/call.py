"""Call: the records of a round are written in as few calls as their kinds and objects allow, one after the other.

The order of effects: the intents stand (the commit of the claim or of what was asked), the call, its outcomes (one commit), then the next
call. A call that ends in nothing certain is told as such; what was not sent by then is given back.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from consumers.judging.meeting.candidates import ALIKE_MAX
from consumers.ledger.callers import Caller
from consumers.ledger.port import Ledger
from consumers.merge.writing.plan import Merge
from consumers.settle.conditions.later import FATAL_MS
from consumers.settle.rounds.answers import Answers, Settled
from consumers.settle.rounds.narrow import narrowed
from consumers.settle.rounds.release import Releases
from consumers.settle.rounds.work import Owed
from consumers.settle.writers.port import Fate, Item, Outcome, Writer
from streams.budget.lease import leased, must_hold
from streams.budget.port import Lane
from streams.wire.errors import Fatal, Reject, Retry, SyncError, Unknown


class Calls:
    """Makes calls to one system, of `batch_max` records at most."""

    def __init__(
        self,
        ledger: Ledger,
        writer: Writer,
        clock: Callable[[], int],
        *,
        answers: Answers,
        releases: Releases,
        caller: Caller | None,
        batch_max: int,
    ) -> None:
        self._ledger, self._writer, self._clock, self._answers, self._releases = ledger, writer, clock, answers, releases
        self._caller, self._batch_max, self._system = caller, batch_max, writer.system

    async def write(self, items: Sequence[Owed], settled: Settled) -> None:
        """All of these, and what became of them."""
        await self._run(_calls(items, self._batch_max, min(self._batch_max, self._writer.merges_max), self._writer.together), settled)

    async def _run(self, calls: Sequence[Sequence[Owed]], settled: Settled) -> None:
        """One call after the other. Where one ends it all, the rest were certainly not made."""
        for place, call in enumerate(calls):
            try:
                await self._call(call, settled)
            except BaseException as error:
                rest = [item for later in calls[place + 1 :] for item in later]
                await asyncio.shield(self._releases.unsent(rest, str(error) or "interrupted", settled))
                raise

    async def _call(self, call: Sequence[Owed], settled: Settled) -> None:
        """One call and its outcomes. A refusal of the whole call is narrowed down to the record that caused it."""
        items, lane = [item for item, _ in call], min(lane for _, lane in call)
        settled.calls += 1
        settled.records += len(items)
        try:
            outcomes = await self._written(items, lane)
        except Unknown as error:
            settled.trouble, settled.wait_seconds = str(error), max(settled.wait_seconds, error.after_seconds)
            await self._answers.commit(items, None, "unknown", str(error), settled)
            return
        except Retry as error:
            settled.trouble, settled.wait_seconds = str(error), max(settled.wait_seconds, error.after_seconds)
            await self._answers.commit(items, None, "not sent", str(error), settled, after_ms=round(error.after_seconds * 1000))
            return
        except Fatal as error:
            await self._answers.commit(items, None, "not sent", str(error), settled, after_ms=FATAL_MS)
            raise
        except Reject as error:
            if len(call) > 1:
                middle = len(call) // 2
                await self._run([call[:middle], call[middle:]], settled)
                return
            outcomes = [Outcome(fate=Fate.REJECTED, reason=f"{error.code} {error}".strip())]
        except BaseException:
            await asyncio.shield(self._answers.commit(items, None, "unknown", "interrupted", settled))
            raise
        await self._answers.commit(items, await self._with_rivals(items, outcomes, lane), "", "", settled)

    async def _written(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        begin_until = min((item.begin_until for item in items if item.begin_until), default=0)
        with leased(lambda: self._may_begin(begin_until)):
            must_hold(f"a write to {self._system}")
            outcomes = await self._writer.write(items, lane)
            return await narrowed(partial(self._writer.write, lane=lane), items, outcomes)

    def _may_begin(self, begin_until: int) -> bool:
        """Whether a call may still begin: its lease has not run out, and nobody has taken us for dead and its records in hand."""
        return (not begin_until or self._clock() < begin_until) and (self._caller is None or self._caller.lively())

    async def _with_rivals(self, items: Sequence[Item], outcomes: Sequence[Outcome], lane: Lane) -> list[Outcome]:
        """The outcomes, those of creations that would be one too many with readings of who is there; without where they can't be had."""
        met = {item.pair: place for place, (item, outcome) in enumerate(zip(items, outcomes, strict=True)) if outcome.fate is Fate.SEVERAL}
        told = list(outcomes)
        if not met:
            return told
        async with self._ledger.transaction() as tx:
            wanted = {number: pair.state for number, pair in (await tx.by_id(list(met))).items()}
        try:
            found = await self._writer.candidates(wanted, lane)
        except SyncError:
            return told
        for number, events in found.items():
            told[met[number]] = replace(told[met[number]], rivals=tuple(events[:ALIKE_MAX]))
        return told


def _calls(items: Sequence[Owed], most: int, merges_most: int, together: Callable[[Item], str]) -> list[list[Owed]]:
    """The items in as few calls as their kinds and objects allow, and what else goes in one call only `together`."""
    groups: dict[tuple[type, str, str], list[Owed]] = {}
    for item, lane in items:
        groups.setdefault((type(item.order), item.order.object, together(item)), []).append((item, lane))
    calls: list[list[Owed]] = []
    for (order, _, _), group in groups.items():
        step = merges_most if order is Merge else most
        calls += [group[start : start + step] for start in range(0, len(group), step)]
    return calls
