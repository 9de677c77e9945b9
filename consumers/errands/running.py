"""Errands worked off: one batch after the other, by one worker of the fleet.

The order of effects: the ledger is told who is wanted in Salesforce (one durable commit), that is noted; once a person is there, that a
call is about to be made is committed, the call is made, its outcome is committed. A crash between any two is a repeat of a step that
finds what was done before.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from consumers.errands.carrying import Carrying
from consumers.errands.errand import Convert, Done, Errand, Failed, Later, Outcome, Ready
from consumers.errands.introducing import Introductions
from consumers.errands.planning import GAVE_UP, HELD, Introduce, next_step
from consumers.errands.store import Store
from consumers.ledger.faults import Fault
from consumers.ledger.port import Ledger
from consumers.merge.terms import Terms
from streams.ground.pause import pause
from streams.ground.together import until_stopped
from streams.relay.singleton import Singleton
from streams.wire.errors import Retry
from streams.wire.systems import MARKETO, PERSON

NAME = "errands"
BATCH = 500
_IDLE_SECONDS = 0.5
_AGAIN_SECONDS = (0.5, 15.0)
_log = structlog.get_logger("consumers.errands")


class Errands:
    """Works off what is due."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        terms: Terms,
        carrying: Carrying,
        introductions: Introductions,
        *,
        clock: Callable[[], int],
        patience_ms: int,
        ended: Callable[[Errand, Outcome], None] = lambda _, __: None,
    ) -> None:
        """`patience_ms`: after so long an errand is given up. `ended`: told of each."""
        self._store, self._ledger, self._terms, self._carrying = store, ledger, terms, carrying
        self._introductions, self._clock, self._patience_ms, self._ended = introductions, clock, patience_ms, ended
        self.trouble: str | None = None
        """Why nothing gets done at the moment; None while all is well."""

    async def run(self, singleton: Singleton, stop: asyncio.Event) -> None:
        """Until `stop`, through every outage; one worker at a time does, the others stand by."""
        await until_stopped(self._hold(singleton, stop), stop, grace_seconds=5.0)

    async def _hold(self, singleton: Singleton, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with singleton.hold(NAME) as lost:
                    while not stop.is_set() and not lost.is_set():
                        worked = await self.round()
                        self.trouble = self._carrying.trouble
                        if not worked:
                            await pause(_IDLE_SECONDS, stop)
            except Retry as error:
                self.trouble = str(error)
                _log.warning("errands wait", error=str(error))
                await pause(max(error.after_seconds, 1.0), stop)

    async def round(self) -> int:
        """One batch; how many were worked at. Raises `Retry` while the database is away."""
        now = self._clock()
        errands = await self._store.due(now, BATCH)
        if not errands:
            return 0
        states = await self._ledger.states(MARKETO, PERSON, sorted({each.person for each in errands}))
        outcomes: dict[int, Outcome] = {}
        new: list[Errand] = []
        ready: list[Ready] = []
        for errand in errands:
            step = next_step(errand, states.get(errand.person), self._terms)
            match step:
                case Introduce():
                    new.append(errand)
                case Ready():
                    ready.append(step)
                case _:
                    outcomes[errand.id] = step
        if new:
            outcomes |= await self._introduced(new, now)
        outcomes |= await self._carried_out(ready)
        await self._settle({each.id: each for each in errands}, outcomes)
        return len(errands)

    async def _introduced(self, new: Sequence[Errand], now: int) -> dict[int, Outcome]:
        """The ledger is told of these; the outcome of those of whom it can't be, who keep nobody from the others."""
        try:
            await self._store.introduced(await self._introductions.introduce(new, now), now)
        except Fault as error:
            if len(new) == 1:
                return {new[0].id: Failed(code=HELD, reason=f"held: what the ledger keeps of this person can't be used ({error})")}
            return {number: told for each in new for number, told in (await self._introduced([each], now)).items()}
        return {}

    async def _carried_out(self, ready: Sequence[Ready]) -> dict[int, Outcome]:
        outcomes = await self._carrying.carry_out(ready)
        converted = [each.errand.person for each in ready if _moved(each, outcomes.get(each.errand.id))]
        if converted:
            await self._introductions.look_again(converted, self._clock())
        return outcomes

    async def _settle(self, errands: Mapping[int, Errand], outcomes: Mapping[int, Outcome]) -> None:
        now = self._clock()
        final = {number: self._in_time(errands[number], outcome, now) for number, outcome in outcomes.items()}
        due = {number: now + _again_ms(errands[number], outcome) for number, outcome in final.items() if isinstance(outcome, Later)}
        await self._store.settle(final, due, now)
        for number, outcome in final.items():
            if not isinstance(outcome, Later):
                self._ended(errands[number], outcome)

    def _in_time(self, errand: Errand, outcome: Outcome, now: int) -> Outcome:
        if isinstance(outcome, Later) and now - errand.asked_at > self._patience_ms:
            return Failed(code=GAVE_UP, reason=f"given up after {self._patience_ms / 3_600_000:g} h: {outcome.reason}")
        return outcome


def _moved(ready: Ready, outcome: Outcome | None) -> bool:
    """Whether the record is another one now."""
    return isinstance(ready.errand.request, Convert) and isinstance(outcome, Done) and outcome.id != ready.record


def _again_ms(errand: Errand, outcome: Later) -> int:
    shortest, longest = _AGAIN_SECONDS
    return round(max(min(longest, shortest * 2.0 ** min(errand.attempts, 10)), outcome.after_seconds) * 1000)
