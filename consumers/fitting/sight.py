"""Which of the mapped fields Tandem's users can see and write at the moment. A right that is taken away costs that field and nothing else;
an object that is hidden as a whole costs that object.

The systems are asked what they show (describe) now and then, and at once when a refusal may be about a field. What is hidden, or of
another type than it is mapped as, is left out of readings and of writes, said, and looked for again every minute; once it is back, what
changed meanwhile is read back and what was owed is sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from consumers.fitting.left_out import NAMES, Left, Place, closed, left_out, picklists
from consumers.mapping.describes import Describes
from consumers.mapping.fields import SyncRules
from consumers.merge.writing.plan import Create, Nothing, Out, Plan, Update
from consumers.troubles.trouble import Grade, Trouble
from streams.ground.pause import pause
from streams.wire.errors import Reject, SyncError
from streams.wire.systems import Object, System

LOOK_SECONDS = 60.0
UNSEEN_CODES = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "1006"})
"""Refusals that say that a field isn't there, or may not be written (SOAP API guide, StatusCode; Marketo, error codes)."""
VALUE_CODES = frozenset({"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"})
"""Refusals of a value that the field may take again, or took before (SOAP API guide, StatusCode)."""
CLOSED_CODES = frozenset({"INVALID_TYPE", "NOT_FOUND"})
"""Refusals of a call that say that there is no such object, or that the user may not see it (REST API guide, status codes)."""
_SOON_SECONDS = 5.0
"""Two looks begin so far apart."""
_LATELY_SECONDS = 30.0
"""A call may have been made up so long ago, with what was found to be hidden since."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A field that can be seen and written again, or takes values that it didn't; without a `name`, a whole object. `since_ms`: when it
    was found hidden (ms, ours); 0: before this worker began."""

    system: System
    object: Object
    name: str
    since_ms: int
    values: bool = False
    """It could be read all the time: only what it refused is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What both systems show of the mapping."""

    left: Mapping[Place, Mapping[str, Left]]
    closed: frozenset[Place]
    picklists: Mapping[Place, Mapping[str, frozenset[str]]]


class Sight:
    """What one worker knows of it. `survey` asks the systems; `back` is told of every field that is back, before it is used again;
    `seen` of all that a look has found, and what is left out of readings now."""

    def __init__(
        self,
        rules: SyncRules,
        describes: Describes,
        survey: Callable[[], Awaitable[Describes]],
        back: Callable[[list[Returned]], Awaitable[None]],
        now_ms: Callable[[], int],
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        seen: Callable[[Describes, Mapping[Place, list[str]]], Awaitable[None]] | None = None,
    ) -> None:
        self._rules, self._survey, self._back, self._now_ms, self._monotonic = rules, survey, back, now_ms, monotonic
        self._sleep = sleep
        self._seen = seen
        self._shown = self._of(describes, writes=False)
        self._since: dict[tuple[Place, str], int] = dict.fromkeys(self._missing(self._shown), 0)
        self._looked: float | None = None
        """When the last look began."""
        self._changed = False
        self._other_since: float | None = None
        self._wanted = False
        self._looking = asyncio.Lock()
        self.number = 0
        """Another one whenever something else is left out than before."""

    def visible(self, system: System, obj: Object, names: Iterable[str]) -> list[str]:
        """Those of these fields that can be read."""
        hidden = {name for place in self._places(system, obj) for name, left in self._shown.left[place].items() if left.unread}
        return [name for name in names if name not in hidden]

    @property
    def unread(self) -> dict[Place, list[str]]:
        """By place, the fields that are left out of readings."""
        return {place: [name for name, why in left.items() if why.unread] for place, left in self._shown.left.items()}

    def is_open(self, system: System, obj: Object) -> bool:
        """Whether records of this sort can be seen there at all."""
        places = self._places(system, obj)
        return not places or not all(place in self._shown.closed for place in places)

    def fitting(self, target: System, planned: Plan) -> Plan:
        """What is planned without the fields that can't be written now: they are refused, with the reason, until they can."""
        if not isinstance(planned, (Create, Update)):
            return planned
        if self._shown.closed and (why := self._shut(target, planned)):
            refused = (*planned.refused, *((out.key, why) for out in planned.fields))
            return Nothing(refused=refused, uncreatable=why) if isinstance(planned, Create) else Nothing(refused=refused)
        names = {name for place in self._places(target, planned.object) for name in self._shown.left[place]}
        left = tuple(out for out in planned.fields if out.name not in names)
        if len(left) == len(planned.fields):
            return planned
        told = (*planned.refused, *((out.key, _reason(target, out)) for out in planned.fields if out.name in names))
        if not left:
            return Nothing(refused=told, uncreatable=told[-1][1] if isinstance(planned, Create) else "")
        return replace(planned, fields=left, refused=told)

    async def doubts(self, error: Reject) -> bool:
        """Whether this refusal of a call may have been about fields or an object, and those are left out now: the same is worth another
        try. Raises what describing raises."""
        if error.code not in UNSEEN_CODES | CLOSED_CODES:
            return False
        return await self.look() or (self._other_since is not None and self._monotonic() - self._other_since < _LATELY_SECONDS)

    async def look(self) -> bool:
        """Ask the systems what they show now, not too soon after the last time; whether that is another thing than what was left out when
        this was asked."""
        before, asked = self._shown, self._monotonic()
        async with self._looking:
            if self._shown is not before:
                return True  # somebody else has looked meanwhile
            if self._looked is not None and self._looked >= asked:
                return self._changed
            if self._looked is not None and (soon := self._looked + _SOON_SECONDS - self._monotonic()) > 0:
                await self._sleep(soon)
            self._looked = self._monotonic()
            found = await self._survey()
            self._changed = await self._take_in(found)
            self._other_since = self._monotonic() if self._changed else self._other_since
            return self._changed

    async def is_other(self, *, redefined: bool) -> bool:
        """Whether something else is left out now, where a system says that its fields are others (`redefined`)."""
        return redefined and await self.look()

    async def noticed(self) -> None:
        """A record was refused for a field: have a look, for the next ones; soon, where there was one a moment ago."""
        if self._looked is None or self._monotonic() - self._looked >= _SOON_SECONDS:
            await self._look_again()
        else:
            self._wanted = True

    def troubles(self) -> list[Trouble]:
        """A trouble for each field that is left out, and for each object."""
        found = []
        for system, obj in sorted(self._shown.closed):
            words = f"{NAMES[system]}: {self._record(system, obj)} records can't be seen by Tandem's user; {obj} records stand still there"
            since = self._since.get(((system, obj), ""), 0)
            found.append(_trouble(system, f"{words}, nothing is deleted (give the right back, or leave them out)", since))
        for place, left in self._shown.left.items():
            for name, why in sorted(left.items()):
                words = f"{NAMES[place[0]]}: {name} of {place[1]} {why.what}"
                found.append(_trouble(place[0], words, self._since.get((place, name), 0)))
        return found

    async def run(self, stop: asyncio.Event, seconds: float = LOOK_SECONDS, *, every_seconds: float = LOOK_SECONDS) -> None:
        """While something is left out, look whether it is back; else whether anything is new, `every_seconds`."""
        waited = 0.0
        while not stop.is_set():
            await pause(seconds, stop)
            waited += seconds
            missing = any(self._shown.left.values()) or bool(self._shown.closed)
            if not stop.is_set() and (missing or self._wanted or waited >= every_seconds):
                waited, self._wanted = 0.0, False
                await self._look_again()

    async def _look_again(self) -> None:
        try:
            await self.look()
        except SyncError as error:
            _log.warning("can't ask what is visible", error=str(error))

    async def _take_in(self, found: Describes) -> bool:
        before, since = self._shown, dict(self._since)
        after = self._of(found, writes=True)
        self._shown = after
        missing = self._missing(after)
        self._since = {key: since.get(key, self._now_ms()) for key in missing}
        gone = [key for key in self._missing(before) if key not in missing]
        returned = [
            Returned(
                system=place[0], object=place[1], name=name, since_ms=since.get((place, name), 0), values=_was_read(before, place, name)
            )
            for place, name in gone
        ]
        returned += [
            Returned(system=place[0], object=place[1], name=name, since_ms=0, values=True)
            for place, lists in after.picklists.items()
            for name, values in lists.items()
            if values - before.picklists.get(place, {}).get(name, values)
        ]
        try:
            if returned:
                await self._back(returned)
            if self._seen is not None:
                await self._seen(found, self.unread)
        except SyncError:
            self._shown, self._since = before, since  # it is looked for, and told, again
            raise
        self._say(before, after, returned)
        changed = before.left != after.left or before.closed != after.closed
        self._shown = after if changed or before.picklists != after.picklists else before
        self.number += changed
        return changed

    def _of(self, describes: Describes, *, writes: bool) -> _Shown:
        """`writes`: also what can't be written. At the start that is `check`'s to say."""
        rules = self._rules
        return _Shown(
            left=left_out(rules, describes, writes=writes), closed=closed(rules, describes), picklists=picklists(rules, describes)
        )  # fmt: skip

    @staticmethod
    def _missing(shown: _Shown) -> list[tuple[Place, str]]:
        """Everything that is left out, objects without a name of a field."""
        fields = [(place, name) for place, left in shown.left.items() for name in left]
        return [*((place, "") for place in shown.closed), *fields]

    @staticmethod
    def _say(before: _Shown, after: _Shown, returned: list[Returned]) -> None:
        for system, obj in after.closed - before.closed:
            _log.warning("an object can't be seen any more, it is left out", system=system, object=obj)
        for place, left in after.left.items():
            for name in left.keys() - before.left.get(place, {}).keys():
                _log.warning("a field is left out", system=place[0], object=place[1], field=name, cause=str(left[name].cause))
        back = [f"{each.system} {each.object}.{each.name or '*'}" for each in returned if not each.values]
        if back:
            _log.info("fields are back", fields=back)

    def _shut(self, target: System, planned: Create | Update) -> str:
        """Why nothing can be written to such records at all. Nobody is made while the sorts of people can't all be looked through."""
        objects, shut = self._rules.objects, self._shown.closed
        places = self._places(target, planned.object)
        if isinstance(planned, Create) and places and objects[places[0][1]].is_person:
            places = [(target, obj) for obj in self._rules.people]
        told = [obj for system, obj in places if (system, obj) in shut]
        if not told:
            return ""
        return f"{NAMES[target]} doesn't show {self._record(target, told[0])} records to Tandem's user at present; it is sent once it does"

    def _record(self, system: System, obj: Object) -> str:
        mapping = self._rules.objects[obj]
        return mapping.api_name if system is System.SALESFORCE else str(mapping.marketo)

    def _places(self, system: System, obj: Object) -> list[Place]:
        """Marketo's people are one sort of record, whatever they are in Salesforce."""
        objects = self._rules.objects
        return [place for place in self._shown.left if place[0] is system and obj in (place[1], objects[place[1]].named_on(system))]


def _was_read(shown: _Shown, place: Place, name: str) -> bool:
    return bool(name) and not shown.left[place][name].unread


def _trouble(system: System, words: str, since_ms: int) -> Trouble:
    return Trouble(where=f"fields.{system}", what=words, since_ms=since_ms, grade=Grade.ATTENTION)


def _reason(system: System, out: Out) -> str:
    return f"{NAMES[system]} doesn't let Tandem's user write {out.name} at present; it is sent once it does"
