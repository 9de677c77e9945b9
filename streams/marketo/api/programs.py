"""Programs, their channels, and their members with status and fields."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from streams.budget.port import Lane
from streams.marketo.api.calling import BATCH_RECORDS_MAX, Calling, field_of, in_parts, one_of, results_by_seq, shape
from streams.marketo.api.session import Answer
from streams.marketo.api.wire import FieldInfo, Lead, Schema, SyncAnswer
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, Object

PERSON, STATUS = "leadId", "statusName"
LEFT = "Not in Program"
"""The status, of every channel, of whoever is in the program no more, as activities tell it."""
_RANGE_MS = 7 * 86_400_000
"""Longest stretch of time that one query for changed members may ask for (Marketo, Program Members)."""
_ASSETS_MAX = 200
"""Assets a call (Marketo, Asset API)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One status of a channel. A member goes on to a higher `step`, never back."""

    name: str
    step: int
    success: bool
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What kind of program it is, and which statuses its members can have."""

    name: str
    type: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program; `channel` by name."""

    id: str
    name: str
    type: str
    channel: str


def costs_of(row: Mapping[str, Any]) -> Value:
    """What a program costs: the sum of its periods; None where none is entered (Asset API, programs)."""
    costs = [each["cost"] for each in row.get("costs") or [] if each.get("cost") is not None]
    return sum(costs) if costs else None


FIELDS = (("channel", "string"), ("costs", "currency"))
"""What is told of a program: `costs` is the sum of what its periods cost."""


class MarketoPrograms:
    """Typed calls. Raises the errors of `streams.wire.errors` and nothing else; reads are safe to repeat."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    @property
    def calls(self) -> int:
        """Calls made, for reports."""
        return self._calling.calls

    async def channels(self, lane: Lane = Lane.LIVE) -> list[Channel]:
        """All channels with their statuses; there is no call that makes one."""
        return [channel async for rows in self._assets("channels", lane) for channel in _channels(rows)]

    async def programs(self, lane: Lane = Lane.LIVE) -> list[Program]:
        """All programs."""
        return [program async for rows in self._assets("programs", lane) for program in _programs(rows)]

    async def program(self, program: str, lane: Lane = Lane.LIVE) -> Program | None:
        """One program; None where there is none of this id."""
        answer = await self._calling.get(f"/rest/asset/v1/program/{int(program)}.json", {}, lane)
        return next(iter(_programs(answer.result)), None)

    async def reading(self, obj: Object, program: str, lane: Lane = Lane.LIVE) -> ChangeEvent | None:
        """A program, as a change event; None where there is none of this id."""
        answer = await self._calling.get(f"/rest/asset/v1/program/{int(program)}.json", {}, lane)
        with shape("program"):
            row = next(iter(answer.result), None)
            if row is None:
                return None
            fields = {"channel": str(row["channel"]), "costs": costs_of(row)}
            return ChangeEvent(
                system=MARKETO, object=obj, id=program, kind=Happened.READ, source="read", at=answer.at, until=answer.until, fields=fields
            )

    async def changed(self, since_ms: int, lane: Lane = Lane.REPAIR) -> tuple[list[str], int]:
        """The ids of the programs that were changed since then (server's clock, whole seconds), and when that was asked."""
        offset, found = 0, []
        while True:
            page = {"maxReturn": str(_ASSETS_MAX), "offset": str(offset), "earliestUpdatedAt": _stamp(since_ms)}
            answer = await self._calling.get("/rest/asset/v1/programs.json", page, lane)
            found += [str(row["id"]) for row in answer.result]
            offset += len(answer.result)
            if len(answer.result) < _ASSETS_MAX:
                return found, answer.at

    async def describe(self, lane: Lane = Lane.LIVE) -> Schema:
        """What is told of a program, if our user may see assets at all. Raises `Reject`, `Fatal` where it may not."""
        await self._calling.get("/rest/asset/v1/programs.json", {"maxReturn": "1"}, lane)
        fields = [FieldInfo(name=name, label=name, type=kind, updateable=False) for name, kind in FIELDS]
        return Schema(fields=fields, searchable=[["id"]], id_field="id", dedupe=["id"])

    async def describe_members(self, lane: Lane = Lane.LIVE) -> Schema:
        """A member's fields, the same in all programs: what may be written, and what can be searched by."""
        answer = await self._calling.get("/rest/v1/programs/members/describe.json", {}, lane)
        with shape("describe program members"):
            entry = answer.result[0]
            fields = [field_of(row, row["name"], updateable=bool(row.get("updateable", True))) for row in entry["fields"]]
            searchable = [list(names) for names in entry.get("searchableFields", [])]
            return Schema(fields=fields, searchable=searchable, id_field=PERSON, dedupe=[str(name) for name in entry["dedupeFields"]])

    async def members(self, program: str, people: Sequence[str], fields: Sequence[str], lane: Lane = Lane.LIVE) -> dict[str, Lead]:
        """Members of a program by the person's id, 300 a call; who is none is absent. Always with status."""
        names = _names(fields)
        found: dict[str, Lead] = {}
        for part in in_parts(people):
            async for rows in self._pages(program, one_of(PERSON, part, names), names, lane, wanted=len(part)):
                found.update({member.id: member for member in rows})
        return found

    async def members_changed(
        self, program: str, start_ms: int, end_ms: int, fields: Sequence[str], lane: Lane = Lane.REPAIR
    ) -> AsyncIterator[list[Lead]]:  # fmt: skip
        """Members that were changed in a stretch of time (server's clock, whole seconds, both ends included), page by page.

        Seven days a query. Raises `Reject` 1003 for a program of more than 100,000 members, which only `members` can read.
        """
        names = _names(fields)
        for start in range(start_ms, max(end_ms, start_ms + 1), _RANGE_MS):
            stretch = {"startAt": _stamp(start), "endAt": _stamp(min(end_ms, start + _RANGE_MS))}
            query = {"filterType": "updatedAt", **stretch, "fields": ",".join(names), "batchSize": str(BATCH_RECORDS_MAX)}
            async for rows in self._pages(program, query, names, lane):
                yield rows

    async def members_with(
        self, program: str, statuses: Sequence[str], fields: Sequence[str], lane: Lane = Lane.COPY
    ) -> AsyncIterator[list[Lead]]:
        """Members who have one of these statuses, page by page. Raises `Reject` 1003 as above."""
        names = _names(fields)
        async for rows in self._pages(program, one_of(STATUS, [each for each in statuses if "," not in each], names), names, lane):
            yield rows

    async def statuses(self, program: str, lane: Lane = Lane.LIVE) -> tuple[Step, ...] | None:
        """The statuses that members of a program can have; None where there is no such program."""
        found = await self.program(program, lane)
        if found is None:
            return None
        steps = next((each.steps for each in await self.channels(lane) if each.name == found.channel), ())
        return tuple(step for step in steps if step.name != LEFT)

    async def set_status(self, program: str, status: str, people: Sequence[str], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """One status for at most 300 people; who is no member becomes one. Results in input order.

        `skipped` 1037 for who is in it already or past it (nobody goes back), 1025 for a status that the channel doesn't have.
        """
        return await self._write(program, "/status", {"statusName": status}, [{PERSON: int(each)} for each in people], lane)

    async def write_members(self, program: str, records: Sequence[Mapping[str, Value]], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Fields of at most 300 members, each with `leadId`; results in input order, `skipped` 1013 for who is no member."""
        return await self._write(program, "", {}, records, lane)

    async def delete_members(self, program: str, people: Sequence[str], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Takes at most 300 people out of a program; results in input order, `skipped` 1037 for who is no member."""
        return await self._write(program, "/delete", {}, [{PERSON: int(each)} for each in people], lane)

    async def _write(
        self, program: str, what: str, frame: Mapping[str, Any], records: Sequence[Mapping[str, Value]], lane: Lane
    ) -> SyncAnswer:  # fmt: skip
        return await self._calling.write_batch(_path(program, what), frame, records, lane, results_in=results_by_seq(PERSON))

    async def _pages(
        self, program: str, query: Mapping[str, str], names: Sequence[str], lane: Lane, *, wanted: int | None = None
    ) -> AsyncIterator[list[Lead]]:  # fmt: skip
        token, found = "", 0
        while True:
            answer = await self._calling.get(_path(program), {**query, **({"nextPageToken": token} if token else {})}, lane)
            yield _members(answer, names)
            token, found = answer.next_page_token, found + len(answer.result)
            if not token or not answer.result or (wanted is not None and found >= wanted):
                return

    async def _assets(self, what: str, lane: Lane) -> AsyncIterator[list[Any]]:
        offset = 0
        while True:
            page = {"maxReturn": str(_ASSETS_MAX), "offset": str(offset)}
            rows = (await self._calling.get(f"/rest/asset/v1/{what}.json", page, lane)).result
            yield rows
            offset += len(rows)
            if len(rows) < _ASSETS_MAX:
                return


def _path(program: str, what: str = "") -> str:
    return f"/rest/v1/programs/{int(program)}/members{what}.json"


def _names(fields: Sequence[str]) -> list[str]:
    return sorted({PERSON, STATUS, *fields})


def _stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _members(answer: Answer, names: Sequence[str]) -> list[Lead]:
    with shape("program members"):
        return [
            Lead(id=str(row[PERSON]), fields={name: row.get(name) for name in names}, at=answer.at, until=answer.until)
            for row in answer.result
        ]


def _programs(rows: Sequence[Any]) -> list[Program]:
    with shape("programs"):
        return [Program(id=str(row["id"]), name=row["name"], type=row["type"], channel=row["channel"]) for row in rows]


def _channels(rows: Sequence[Any]) -> list[Channel]:
    with shape("channels"):
        steps = [tuple(_step(each) for each in row["progressionStatuses"]) for row in rows]
        return [Channel(name=row["name"], type=row["applicableProgramType"], steps=step) for row, step in zip(rows, steps, strict=True)]


def _step(row: Mapping[str, Any]) -> Step:
    return Step(name=row["name"], step=int(row["step"]), success=bool(row.get("success")), hidden=bool(row.get("hidden")))
