"""The poll of programs and their members: what was changed since the last cycle, and in their turn all that are known, since Marketo tells
nobody who was taken out of a program.

Only programs that are of interest are asked for, so a cycle costs nothing while there are none, else a call for all programs, one for the
members of each, and some for those whose turn it is. The more programs, the longer between two cycles, so that the day's calls last.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping

import msgspec
import structlog

from streams.budget.port import Lane
from streams.marketo.api.calling import BATCH_RECORDS_MAX
from streams.marketo.api.programs import MarketoPrograms
from streams.marketo.sources.memberships import Memberships, NotThere, Unseen
from streams.wire.errors import Cause, Gap, Reject
from streams.wire.events import Batch, ChangeEvent
from streams.wire.systems import Object

NAME = "marketo.programs"
CHECKS_MAX = 10
"""Calls a cycle for members whose turn it is to be looked at, of all programs together."""
_LOOK_SECONDS = 2.0
_DAY_SECONDS = 86_400
_TOO_MANY = "1003"
"""A program of more than 100,000 members is only read by its people (Marketo, program members)."""
_log = structlog.get_logger(__name__)


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The position, all of the server's clock (ms). `members`: by program, up to when its members have been read; a program that is not
    there is read whole first. `changed`: the same of programs themselves. `checked`: by program, the member who was looked at last."""

    members: dict[str, int] = {}
    changed: int = 0
    checked: dict[str, str] = {}
    links: dict[str, int] = {}
    """By program, the link for which its members have been read; for another one they are read whole anew."""


class ProgramPollSource:
    """Cycles over programs. `known`: of a program, the next members that the ledger has, by name, after one. `report` is told of each
    complete cycle: rows read, passed on, calls, seconds."""

    def __init__(
        self,
        programs: MarketoPrograms,
        memberships: Memberships,
        obj: Object,
        *,
        unseen: Unseen,
        known: Callable[[str, str, int], Awaitable[list[str]]],
        interval_seconds: float,
        overlap_seconds: float,
        calls_per_day_max: int,
        report: Callable[[int, int, int, float], None] = lambda *_: None,
    ) -> None:
        self.name = NAME
        self._programs, self._memberships, self._object = programs, memberships, obj
        self._unseen, self._known, self._report = unseen, known, report
        self._interval, self._overlap_ms, self._calls_per_day_max = interval_seconds, round(overlap_seconds * 1000), calls_per_day_max
        self._read = self._relayed = 0
        self._woken = False

    def wake(self) -> None:
        """Asks for a cycle now; during one, for another one after it."""
        self._woken = True

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """Cycles, for ever. What an interrupted one has read is read again."""
        place = _place(position)
        while True:
            self._woken = False
            linked = dict(sorted((await self._memberships.linked()).items()))
            place, begun, calls = _of(linked, place), time.monotonic(), self._programs.calls
            self._read = self._relayed = 0
            if linked:
                async for events, passed in self._cycle(linked, place):
                    place = passed
                    yield Batch(events=events, position=_text(place))
                self._report(self._read, self._relayed, self._programs.calls - calls, time.monotonic() - begun)
            yield Batch(events=[], position=_text(place), caught_up=True)
            await self._rest(linked, self._programs.calls - calls)

    async def _cycle(self, linked: Mapping[str, int], place: Place) -> AsyncGenerator[tuple[list[ChangeEvent], Place], None]:
        changed, now_ms = await self._programs.changed(max(0, place.changed - self._overlap_ms))
        for program in [each for each in linked if each in changed or each not in place.members]:
            event = await self._programs.reading(self._object, program, Lane.RECONCILE)
            if event is not None:
                yield await self._news([event]), place
        for program in linked:
            try:
                async for events in self._members(program, place.members.get(program), now_ms):
                    yield await self._news(events), place
            except NotThere as case:
                _log.warning("the members of a linked program can't be read, they will be once it is seen", program=program, why=str(case))
                continue
            read = {**place.members, program: now_ms}
            place = msgspec.structs.replace(place, members=read, links={**place.links, program: linked[program]})
        place = msgspec.structs.replace(place, changed=now_ms)
        async for step in self._checks(linked, place, now_ms):
            yield step

    async def _members(self, program: str, since_ms: int | None, now_ms: int) -> AsyncGenerator[list[ChangeEvent], None]:
        """Those that were changed since then; None: all."""
        try:
            if since_ms is None:
                async for events in self._memberships.all_of(program, Lane.COPY):
                    yield events
            else:
                async for events in self._memberships.changed(program, max(0, since_ms - self._overlap_ms), now_ms, Lane.RECONCILE):
                    yield events
        except Reject as error:
            if error.code != _TOO_MANY:
                raise
            _log.warning("a program has too many members to ask who has changed: activities tell, and each in its turn", program=program)

    async def _checks(self, linked: Collection[str], place: Place, now_ms: int) -> AsyncGenerator[tuple[list[ChangeEvent], Place], None]:
        """Members in their turn: who is in the program no more, and what nothing has told of. A program goes on where it was left."""
        left = CHECKS_MAX
        for program in sorted(linked, key=lambda each: (each in place.checked, each)):
            if not left:
                return
            after = place.checked.get(program, "")
            while left:
                names = await self._known(program, after, BATCH_RECORDS_MAX)
                if names:
                    left -= 1
                    yield await self._news(await self._memberships.read(names, now_ms, Lane.RECONCILE)), place
                after = names[-1] if len(names) == BATCH_RECORDS_MAX else ""
                place = msgspec.structs.replace(place, checked={**place.checked, program: after})
                if not after:
                    break
        yield [], place

    async def _news(self, events: list[ChangeEvent]) -> list[ChangeEvent]:
        news = await self._unseen(events) if events else []
        self._read, self._relayed = self._read + len(events), self._relayed + len(news)
        return news

    async def _rest(self, linked: Mapping[str, int], calls: int) -> None:
        """Until the next cycle is due, or another program is of interest."""
        until = time.monotonic() + max(self._interval, calls * _DAY_SECONDS / self._calls_per_day_max)
        while not self._woken and time.monotonic() < until and await self._memberships.linked() == linked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(min(_LOOK_SECONDS, max(0.0, until - time.monotonic())))


def _of(linked: Mapping[str, int], place: Place) -> Place:
    """Without what was read for a link that is no more."""
    same = {program for program, link in linked.items() if place.links.get(program) == link}
    return msgspec.structs.replace(
        place,
        members={each: at for each, at in place.members.items() if each in same},
        links={each: link for each, link in place.links.items() if each in same},
        checked={each: name for each, name in place.checked.items() if each in same},
    )


def _place(position: str | None) -> Place:
    if position is None:
        return Place()
    try:
        return msgspec.json.decode(position, type=Place)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Gap(f"the saved position of {NAME} can't be read ({error})", resume=_text(Place()), cause=Cause.TOKEN) from error


def _text(place: Place) -> str:
    return msgspec.json.encode(place).decode()
