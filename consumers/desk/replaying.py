"""A part of the log applied: the records that its messages name are read as they are today, on both sides, and judged like any readings.

What a message told is not done again: it may be long past. So an old day that is replayed into the present changes nothing that is newer;
what was missed of it, and still stands on a side, is judged, and the planner owes it to the other. Without `apply` each transaction is
taken back, so that what is told is what would be done. A repeat finds nothing more to do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.audit.mending import Written, owed_now
from consumers.audit.reading import Reader
from consumers.desk.doing import PAIRS, Doing, Outcome
from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.faults import Fault, step
from consumers.ledger.port import Pair, Transaction
from consumers.subscriptions.message import Message
from consumers.subscriptions.topics import Content
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System

APPLICABLE = frozenset({Content.CHANGES, Content.DECISIONS})
"""Whose messages name records."""


@dataclass(slots=True, kw_only=True)
class Applied:
    """What it comes to. `outcomes`: records of which something would be (or is now) owed, or that can't be judged; `in_step`: records of
    which nothing is; `unknown`: records that the ledger doesn't know: polls and the drift audit find them."""

    outcomes: list[Outcome] = field(default_factory=list)
    in_step: int = 0
    unknown: int = 0

    @property
    def changes(self) -> int:
        """Records of which something is written."""
        return sum(1 for each in self.outcomes if each.writes)


class Applying:
    """An output of a replay (`consumers.replay.outputs.Output`): takes messages, and judges their records a page at a time."""

    def __init__(self, doing: Doing, reader: Reader, *, apply: bool) -> None:
        self._doing, self._reader, self._apply = doing, reader, apply
        self._named: dict[tuple[System, Object], set[str]] = {}
        self._pairs: set[int] = set()
        self._done: set[int] = set()
        self._count = 0
        self.applied = Applied()

    async def put(self, record: Any, message: Message) -> None:
        """The records that it names are to be looked at; a page that is full is."""
        del record
        told = message.data or {}
        if message.content is Content.DECISIONS:
            self._pairs.add(int(told.get("pair") or 0))
        elif told.get("id") and told.get("object") and told.get("system") in set(System):
            place = System(told["system"]), Object(str(told["object"]))
            self._named.setdefault(place, set()).add(str(told.get("into") or told["id"]))
        self._count += 1
        if self._count >= PAIRS:
            await self.kept()

    async def kept(self) -> int:
        """All that were named so far are judged; that is committed."""
        pairs = await self._known()
        self._named, self._pairs, self._count = {}, set(), 0
        self._done |= pairs.keys()
        if pairs:
            readings = await self._reader.both({number: pair.state for number, pair in pairs.items()})
            await self._judge({number: [each for each in readings[number].values() if each is not None] for number in pairs})
        return 0

    async def _known(self) -> dict[int, Pair]:
        """The pairs that were named, but those that were judged before."""
        found: dict[int, Pair] = {}
        async with self._doing.trial(apply=False) as tx:
            for (system, obj), ids in sorted(self._named.items()):
                known = await tx.by_record(system, obj, sorted(ids))
                found |= {pair.id: pair for pair in known.values()}
                self.applied.unknown += len(ids - known.keys())
            if wanted := sorted(self._pairs - {0} - found.keys()):
                found |= await tx.by_id(wanted)
        return {number: pair for number, pair in found.items() if number not in self._done}

    async def _judge(self, readings: Mapping[int, Sequence[ChangeEvent]]) -> None:
        """In one transaction; where one of them fails, each in its own."""
        try:
            told = await self._judged(readings)
        except Fault as fault:
            if len(readings) > 1:
                for number, each in readings.items():
                    await self._judge({number: each})
                return
            told = [Outcome(what=f"pair {number}", pair=number, why=f"it fails: {fault}") for number in readings]
        self.applied.outcomes += [each for each in told if each.writes or each.why]
        self.applied.in_step += sum(1 for each in told if not each.writes and not each.why)

    async def _judged(self, readings: Mapping[int, Sequence[ChangeEvent]]) -> list[Outcome]:
        async with self._doing.trial(apply=self._apply) as tx:
            before = await self._owed(tx, readings)
            judging = Judging(tx, self._doing.terms, self._doing.clock())
            await judging.load([each for some in readings.values() for each in some], also=sorted(readings))
            for number, some in readings.items():
                with step("judging", number):
                    for reading in some:
                        judging.judge(reading, NOWHERE)
            await judging.save()
            after = await tx.by_id(sorted(readings))
            return [self._outcome(number, after.get(number), before.get(number, []), readings[number]) for number in readings]

    async def _owed(self, tx: Transaction, readings: Mapping[int, object]) -> dict[int, list[Written]]:
        known = await tx.by_id(sorted(readings))
        return {number: owed_now(pair.state, self._doing.terms) for number, pair in known.items()}

    def _outcome(self, number: int, pair: Pair | None, before: Sequence[Written], readings: Sequence[ChangeEvent]) -> Outcome:
        """What is owed by it, beside what was owed anyway."""
        if pair is None:
            return Outcome(what=f"pair {number}", pair=number, why="it is not there any more")
        if not readings:
            return Outcome(what=f"pair {number}", pair=number, why="neither system shows its record now")
        told = self._doing.outcome(f"pair {number}", pair, ["its records are judged as they are today"])
        return told if list(told.writes) != list(before) else Outcome(what=told.what, pair=number, record=told.record, steps=told.steps)
