"""Repair: true drift is read once more and judged. What its sides are owed by that, the workers write like anything else.

Order of effects: fields that meet anew, in one transaction; the readings, judged, in another. A crash between them leaves fields that
wait for a reading, and the next audit finds them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from consumers.audit.book import Book
from consumers.audit.compare import Class, Readings, compare, contradicted
from consumers.audit.mending import Written, mended, reopened, to_reread
from consumers.audit.reading import Reader
from consumers.judging import apart
from consumers.ledger.port import Ledger, Pair
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from streams.wire.systems import Object, System

PAIRS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """What becomes of one pair. `writes`: to its sides; none: only the ledger learns. `why` where it can't be mended so."""

    pair: int
    object: Object
    record: str
    fields: tuple[str, ...]
    writes: tuple[Written, ...] = ()
    why: str = ""


class Repairing:
    """Mends pairs. Nothing is written unless asked to `apply`."""

    def __init__(self, book: Book, ledger: Ledger, reader: Reader, terms: Terms, clock: Callable[[], int]) -> None:
        self._book, self._ledger, self._reader, self._terms, self._clock = book, ledger, reader, terms, clock

    async def repair(self, pairs: Sequence[int], *, apply: bool) -> list[Repair]:
        """Those of these pairs that are still in true drift, in their order."""
        found: list[Repair] = []
        for start in range(0, len(pairs), PAIRS):
            found += await self._some(pairs[start : start + PAIRS], apply=apply)
        return found

    async def _some(self, pairs: Sequence[int], *, apply: bool) -> list[Repair]:
        known = {each.pair: each for each in await self._book.numbered(pairs)}
        states = {pair: each.state for pair, each in known.items() if each.state is not None}
        readings = await self._reader.both(states)
        told = [self._told(pair, states[pair], readings[pair]) for pair in pairs if pair in states]
        repairs = [each for each in told if each is not None]
        repairs += [
            Repair(
                pair=pair, object=Object(""), record=each.salesforce, fields=(), why="what the ledger has of it can't be read: restore it"
            )
            for pair, each in known.items()
            if each.state is None
        ]
        if apply and (wanted := [each.pair for each in repairs if not each.why]):
            await self._apply(wanted, readings)
        await self._book.at_once(list(pairs), self._clock())
        return repairs

    def _told(self, pair: int, state: PairState, readings: Readings) -> Repair | None:
        differences = [each for each in compare(state, readings, self._terms) if each.klass is Class.TRUE_DRIFT]
        if not differences:
            return None
        made = mended(state, readings, self._terms, self._clock())
        fields, record = tuple(each.field for each in differences), state.salesforce.id or state.marketo.id
        writes = made.writes if made is not None else ()
        return Repair(pair=pair, object=state.object, record=record, fields=fields, writes=writes)

    async def _apply(self, pairs: Sequence[int], readings: Mapping[int, Readings]) -> None:
        now = self._clock()

        def change(pair: Pair) -> None:
            told = readings[pair.id]
            true = [each for each in compare(pair.state, told, self._terms) if each.klass is Class.TRUE_DRIFT]
            state = reopened(pair.state, told, contradicted(pair.state, true, self._terms), self._terms)
            if to_reread(true):
                for system in System:
                    state = asked_again(state, system) if state.record(system).id else state
            pair.state = self._terms.with_due(state, now)

        await apart.changed(self._ledger, self._terms, list(pairs), now, change)
        events = [each for pair in pairs for each in readings[pair].values() if each is not None]
        await apart.judged(self._ledger, self._terms, events, now, stage="repair", strangers=False)
