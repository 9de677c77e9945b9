"""The account of a poll's cycles: a row each, with what the stream had missed of what it found, and what has become of that.

What a cycle finds it passes on at once. A row that the stream brings within its time is not missed, so what became of the finds is looked
up later, beside the polling: once the stream has shown that it has brought all that there was, and all of it is judged, their topic says
what the stream itself has told of them. What it has not is missed; but not where it has never told of any such record (an org streams five
objects unless more were bought), nor what the ledger has no pair for: that concerns nobody.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from consumers.ledger.port import Ledger, Named
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.reconcile.gaps import Gaps, Missed
from consumers.reconcile.heard import Hear
from consumers.reconcile.in_time import InTime, Stood, Told
from consumers.reconcile.unseen import is_news, states_of
from streams.ground import clock
from streams.ground.database import away_is_retry
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System
from streams.wire.topics import change_topic

KEEP = """
insert into cycles (source, object, at, from_ms, until_ms, read, known, relayed, missed, calls, seconds, next_ms, why, judged_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13) returning id
"""
JUDGED = "update cycles set missed = $2, repaired = $3, held = $4, why = $5, judged_ms = $6 where id = $1"
FOLLOWED_MAX = 10_000
"""Of a cycle: of more, what became of them is not looked up, one by one."""
_PATIENCE_SECONDS = 120.0
_SAME_HOLE_CYCLES = 4
"""What a silent stream misses within so many cycles is one hole."""
_log = structlog.get_logger(__name__)

_MISSED = frozenset({Stood.IN_TIME, Stood.AWAY, Stood.GAP})

Unseen = Callable[[list[ChangeEvent]], Awaitable[list[ChangeEvent]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A complete cycle, as its poll reports it. Times: the window, on the system's clock; from 0: everything was read."""

    read: int
    known: int
    relayed: int
    calls: int
    seconds: float
    from_ms: int = 0
    until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """What became of what a cycle passed on: `known` to the ledger by now, at all; `repaired`: as the poll has told; `held`: the pair."""

    known: int
    repaired: int
    held: int


@dataclass(slots=True)
class _Finds:
    """Of the cycle under way. `untold`: those of which no stream would tell what is new; `more`: found and not remembered."""

    found_ms: int = 0
    told: Told | None = None
    events: list[ChangeEvent] = field(default_factory=list)
    untold: list[ChangeEvent] = field(default_factory=list)
    more: int = 0
    window: tuple[int, int] = (0, 0)


class Account:
    """Of one poll. `stream_name`: the stream in words; `untold`: fields that no stream tells of. Give `unseen` to the poll, in place of
    the one that only asks the ledger."""

    def __init__(
        self,
        source: str,
        obj: Object | str,
        *,
        unseen: Unseen,
        in_time: InTime,
        hear: Hear,
        pool: Any,
        gaps: Gaps,
        ledger: Ledger,
        terms: Terms,
        interval_seconds: float,
        stream_name: str,
        untold: Collection[str] = (),
        missed: Callable[[str, int], None] = lambda _source, _count: None,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self.source, self._object, self._unseen, self._in_time = source, str(obj), unseen, in_time
        self._gaps, self._hear = gaps, hear
        self._pool, self._ledger, self._terms, self._interval_ms = pool, ledger, terms, round(interval_seconds * 1000)
        self._stream_name, self._untold, self._missed, self._now_ms = stream_name, frozenset(untold), missed, now_ms
        self._finds = _Finds()
        self._read_back: set[str] = set()
        self._open: asyncio.Queue[tuple[int, _Finds]] = asyncio.Queue()

    async def unseen(self, events: list[ChangeEvent]) -> list[ChangeEvent]:
        """Of these what the ledger has not seen. Raises `Retry`."""
        news, finds = await self._unseen(events), self._finds
        if news and not finds.found_ms:
            finds.found_ms, finds.told = await self._in_time.now()
        room = max(0, FOLLOWED_MAX - len(finds.events) - len(finds.untold))
        states = await states_of(self._ledger, news[:room])
        for event in news[:room]:
            state = states.get((event.system, event.object, event.id))
            (finds.untold if is_untold(event, state, self._terms, self._untold) else finds.events).append(event)
        finds.more += len(news[room:])
        return news

    async def close(self, cycle: Cycle) -> None:
        """A cycle is complete, all that it passed on is acknowledged. Raises `Retry`: then its row is lost."""
        finds, self._finds, now = self._finds, _Finds(), self._now_ms()
        finds.window = cycle.from_ms, cycle.until_ms
        clear = not finds.events and not finds.untold
        with away_is_retry("keep the report of a cycle"):
            number = await self._pool.fetchval(
                KEEP, self.source, self._object, now, cycle.from_ms, cycle.until_ms, cycle.read, cycle.known, cycle.relayed,
                cycle.calls, cycle.seconds, now + self._interval_ms, "", now if clear else None,
            )  # fmt: skip
        if not clear:
            self._open.put_nowait((number, finds))

    def collapsed(self, covered: Sequence[int]) -> Collection[str]:
        """The records that were found while gaps were read back over, the last of which are covered now: of what they were in between
        nothing can be known. None where no gap is covered."""
        if self._finds.told is not None and self._finds.told.stood is Stood.GAP:
            self._read_back |= {event.id for event in self._finds.events}
        if not covered:
            return ()
        found, self._read_back = self._read_back, set()
        return found

    async def run(self, stop: asyncio.Event) -> None:
        """Find out what became of each cycle's finds, until stopped."""
        while not stop.is_set():
            number, finds = await self._open.get()
            while not stop.is_set():
                try:
                    await self._judge(number, finds)
                    break
                except Retry as error:
                    _log.warning("what became of a cycle's finds can't be looked up yet", source=self.source, error=str(error))
                    await asyncio.sleep(error.after_seconds)

    async def _judge(self, number: int, finds: _Finds) -> None:
        all_judged = await self._in_time.judged(time.monotonic() + _PATIENCE_SECONDS)
        told = finds.told or await self._in_time.wait(finds.found_ms)
        unheard = finds.events
        if told.stood is Stood.IN_TIME and finds.events:
            told, unheard = await self._unheard(told, finds)
        events = [*finds.events, *finds.untold]
        states = await states_of(self._ledger, events)
        found, of_streams = (what_became(each, states, self._terms) for each in (events, unheard))
        more = finds.more if len(unheard) == len(finds.events) else 0
        missed = of_streams.known + more if all_judged and told.stood in _MISSED else 0
        why = reason(told, self._stream_name) if missed or told.stood is Stood.BEHIND else ""
        with away_is_retry("keep what became of a cycle's finds"):
            await self._pool.execute(JUDGED, number, missed, found.repaired, found.held, why, self._now_ms())
        if missed and told.stood is Stood.IN_TIME:
            await self._gaps.silent(self._hole(missed, why, unheard, finds.window))
        if missed:
            self._missed(self.source, missed)
            _log.error("the stream has missed changes; the poll has brought them", source=self.source, missed=missed, reason=why)

    async def _unheard(self, told: Told, finds: _Finds) -> tuple[Told, list[ChangeEvent]]:
        """How a stream that flows stands to these finds, and those that it has not told of."""
        first = finds.events[0]
        heard = await self._hear(change_topic(first.system, first.object), {event.id for event in finds.events})
        if not heard.ever:
            return Told(stood=Stood.NONE), []
        return told, [event for event in finds.events if heard.latest.get(event.id, -1) < _stamp(event, finds.window[0])]

    def _hole(self, missed: int, why: str, unheard: Sequence[ChangeEvent], window: tuple[int, int]) -> Missed:
        stamps = [event.modified_at or event.at for event in unheard]
        return Missed(
            stream=self._stream_name,
            object=self._object if unheard[0].system is System.SALESFORCE else "",
            poll=self.source,
            since_ms=min(stamps),
            until_ms=max(*stamps, window[1]),
            reason=why,
            changes=missed,
            records=[event.id for event in unheard],
            again_ms=_SAME_HOLE_CYCLES * self._interval_ms,
        )


def _stamp(event: ChangeEvent, window_from: int) -> int:
    """What the stream has told of the record since then it has told of this. Stamps are to the second."""
    changed = event.modified_at if event.is_read else event.at
    return (changed or window_from) // 1000 * 1000


def what_became(events: Sequence[ChangeEvent], states: dict[Named, PairState], terms: Terms) -> Became:
    """Of what was passed on, now that it is judged. Pure."""
    known = [(event, state) for event in events if (state := states.get((event.system, event.object, event.id))) is not None]
    return Became(
        known=len(known),
        repaired=sum(not is_news(event, state, terms) for event, state in known),
        held=sum(bool(state.hold) for _, state in known),
    )


def is_untold(event: ChangeEvent, state: PairState | None, terms: Terms, untold: frozenset[str]) -> bool:
    """Whether a stream would not have told of what is new in an event: a formula has moved, or the record is known by name only. Pure."""
    if state is None:
        return False
    if event.is_read and not state.record(event.system).complete and not state.record(event.system).deleted:
        return True
    fields = {name: value for name, value in event.fields.items() if name not in untold}
    return len(fields) < len(event.fields) and not is_news(msgspec.structs.replace(event, fields=fields), state, terms)


def reason(told: Told, stream: str) -> str:
    """Why the stream had not brought what a poll found, as far as it can be known. Pure."""
    match told.stood:
        case Stood.AWAY:
            return f"nobody has read {stream} since {datetime.fromtimestamp(told.since_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        case Stood.GAP:
            return f"{stream} has lost something: {told.gap}"
        case Stood.BEHIND:
            return f"{stream} was behind, and may yet bring it"
        case Stood.IN_TIME:
            return f"{stream} was read to its end, and had not told of it: it is silent, or lets something out"
        case Stood.NONE | Stood.COPY:
            return ""
