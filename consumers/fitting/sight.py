"""Which of the mapped fields Tandem's users can see and write at the moment. A right that is taken away costs that field and nothing else.

A refusal that may be about a field makes the systems be asked what they show (describe). What is hidden is left out of readings and
of writes, said, and looked for again every minute; once it is back, what changed meanwhile is read back and what was owed is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from consumers.mapping.describes import Describes
from consumers.mapping.fields import SyncRules
from consumers.merge.plan import Create, Nothing, Out, Plan, Update
from consumers.troubles.trouble import Grade, Trouble
from streams.ground.pause import pause
from streams.wire.errors import Reject, SyncError
from streams.wire.systems import Object, System

LOOK_SECONDS = 60.0
UNSEEN_CODES = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "1006"})
"""Refusals that say that a field isn't there, or may not be written (SOAP API guide, StatusCode; Marketo, error codes)."""
_SOON_SECONDS = 5.0
"""Whoever doubts again within this time is told what the last look found."""
_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_log = structlog.get_logger(__name__)

Place = tuple[System, Object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A field that can be seen and written again. `since_ms`: when it was found hidden (ms, ours); 0: before this worker began."""

    system: System
    object: Object
    name: str
    since_ms: int


class Sight:
    """What one worker knows of it. `survey` asks the systems; `back` is told of every field that is back, before it is used again."""

    def __init__(
        self,
        rules: SyncRules,
        describes: Describes,
        survey: Callable[[], Awaitable[Describes]],
        back: Callable[[list[Returned]], Awaitable[None]],
        now_ms: Callable[[], int],
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._rules, self._survey, self._back, self._now_ms, self._monotonic = rules, survey, back, now_ms, monotonic
        self._hidden: dict[Place, dict[str, int]] = {}
        """API names, and since when."""
        self._unwritable: dict[Place, frozenset[str]] = {}
        self._looked: float | None = None
        self._looking = asyncio.Lock()
        self._judge(describes, since_ms=0, writes=False)

    def visible(self, system: System, obj: Object, names: Iterable[str]) -> list[str]:
        """Those of these fields that can be read."""
        hidden = {name for place in self._places(system, obj) for name in self._hidden[place]}
        return [name for name in names if name not in hidden]

    def fitting(self, target: System, planned: Plan) -> Plan:
        """What is planned without the fields that can't be written now: they are refused, with the reason, until they can."""
        if not isinstance(planned, (Create, Update)):
            return planned
        closed = {name for place in self._places(target, planned.object) for name in (*self._hidden[place], *self._unwritable[place])}
        left = tuple(out for out in planned.fields if out.name not in closed)
        if len(left) == len(planned.fields):
            return planned
        told = (*planned.refused, *((out.key, _reason(target, out)) for out in planned.fields if out.name in closed))
        if not left:
            return Nothing(refused=told)
        return replace(planned, fields=left, refused=told)

    async def doubts(self, error: Reject) -> bool:
        """Whether this refusal may have been about fields, and those are left out now: the same is worth another try. Raises what
        describing raises."""
        if error.code not in UNSEEN_CODES:
            return False
        return await self.look()

    async def look(self) -> bool:
        """Ask the systems what they show now; whether that is another thing than what was left out before, or was so a moment ago."""
        before = (self._hidden, self._unwritable)
        async with self._looking:
            if (self._hidden, self._unwritable) != before:
                return True  # somebody else has looked meanwhile
            if self._looked is not None and self._monotonic() - self._looked < _SOON_SECONDS:
                return False
            found = await self._survey()
            self._looked = self._monotonic()
            return await self._take_in(found)

    async def noticed(self) -> None:
        """A record was refused for a field: have a look, for the next ones."""
        await self._look_again()

    def troubles(self) -> list[Trouble]:
        """A trouble for each field that is left out."""
        found = []
        for (system, obj), hidden in self._hidden.items():
            for name in sorted({*hidden, *self._unwritable.get((system, obj), ())}):
                what = "can't be seen" if name in hidden else "can't be written"
                words = f"{_NAMES[system]}: {name} of {obj} {what} by Tandem's user and is left out (give the right back, or unmap it)"
                found.append(Trouble(where=f"fields.{system}", what=words, since_ms=hidden.get(name, 0), grade=Grade.ATTENTION))
        return found

    async def run(self, stop: asyncio.Event, seconds: float = LOOK_SECONDS) -> None:
        """While something is left out, look whether it is back."""
        while not stop.is_set():
            await pause(seconds, stop)
            if not stop.is_set() and (any(self._hidden.values()) or any(self._unwritable.values())):
                await self._look_again()

    async def _look_again(self) -> None:
        try:
            await self.look()
        except SyncError as error:
            _log.warning("can't ask what is visible", error=str(error))

    async def _take_in(self, found: Describes) -> bool:
        before, unwritable = self._hidden, self._unwritable
        self._judge(found, since_ms=self._now_ms(), writes=True)
        gone = [(place, name, since) for place, names in before.items() for name, since in names.items() if name not in self._hidden[place]]
        gone += [
            (place, name, 0)
            for place, names in unwritable.items()
            for name in names
            if name not in self._unwritable[place] and name not in before[place] and name not in self._hidden[place]
        ]
        returned = [Returned(system=place[0], object=place[1], name=name, since_ms=since) for place, name, since in gone]
        if returned:
            try:
                await self._back(returned)
            except SyncError:
                self._hidden, self._unwritable = before, unwritable  # it is looked for, and told, again
                raise
            _log.info("fields are back", fields=[f"{each.system} {each.object}.{each.name}" for each in returned])
        changed = {place: set(names) for place, names in before.items()} != {place: set(names) for place, names in self._hidden.items()}
        return changed or unwritable != self._unwritable

    def _judge(self, describes: Describes, *, since_ms: int, writes: bool) -> None:
        """`writes`: also what can't be written. At the start that is `check`'s to say."""
        hidden: dict[Place, dict[str, int]] = {}
        unwritable: dict[Place, frozenset[str]] = {}
        for obj, mapping in self._rules.objects.items():
            for system in System:
                facts = describes.of(system, mapping.named_on(system))
                place = (system, obj)
                known = self._hidden.get(place, {})
                names = {item.name_on(system): item for item in mapping.fields if item.name_on(system)}
                hidden[place] = {name: known.get(name, since_ms) for name in names if facts and name not in facts}
                closed = (name for name, item in names.items() if name in facts and item.direction.reaches(system))
                unwritable[place] = frozenset(name for name in closed if not facts[name].updateable) if writes else frozenset()
                for name in hidden[place].keys() - known.keys():
                    _log.warning("a field can't be seen any more, it is left out", system=system, object=obj, field=name)
        self._hidden, self._unwritable = hidden, unwritable

    def _places(self, system: System, obj: Object) -> list[Place]:
        """Marketo's people are one sort of record, whatever they are in Salesforce."""
        objects = self._rules.objects
        return [place for place in self._hidden if place[0] is system and obj in (place[1], objects[place[1]].named_on(system))]


def _reason(system: System, out: Out) -> str:
    return f"{_NAMES[system]} doesn't let Tandem's user write {out.name} at present; it is sent once it does"
