"""Tasks: write-once, so each carries a mark of its errand, by which a call without an answer is looked up before it is made again.

The mark stands in `CallObject`, a standard text field of Task that can be asked for (Object Reference, Task). Where Tandem's user doesn't
see that field, a task of the same subject for the same record is looked for, made by Tandem's user since the call.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b

from consumers.errands.actions.calling import Calling, in_doubt
from consumers.errands.directory import Directory
from consumers.errands.errand import CreateTask, Done, Failed, Outcome, Ready
from streams.budget.port import Lane
from streams.salesforce.api.records import RECORDS_MAX, ItemResult
from streams.salesforce.api.soql import any_of, moment, select
from streams.wire.systems import salesforce_id

MARK = "CallObject"
_CLOCKS_MS = 300_000
"""By so much Salesforce's clock may differ from ours."""


class Tasks:
    """Makes tasks. `user`: Tandem's own; `before`: what earlier errands have made for some people."""

    most = RECORDS_MAX

    def __init__(self, calling: Calling, directory: Directory, user: str, before: Callable[[Sequence[str]], Awaitable[set[str]]]) -> None:
        self._calling, self._directory, self._user, self._before = calling, directory, user, before
        self._marks: bool | None = None

    async def carry_out(self, ready: Sequence[Ready]) -> Mapping[int, Outcome]:
        """As the port says."""
        asked = {each.errand.id: each.errand.request for each in ready}
        tasks = {number: request for number, request in asked.items() if isinstance(request, CreateTask)}
        owners = await self._directory.owners([request.owner for request in tasks.values()], queues=False)
        marks = await self._marked()
        outcomes: dict[int, Outcome] = {}
        for each in ready:
            owner = owners.get(tasks[each.errand.id].owner, "")
            waiting = in_doubt(each, self._calling.clock())
            if isinstance(owner, Failed):
                outcomes[each.errand.id] = owner
            elif waiting is not None:
                outcomes[each.errand.id] = waiting
        left = [each for each in ready if each.errand.id not in outcomes]
        if tried := [each for each in left if each.errand.tried_at]:
            outcomes |= await (self._by_mark(tried) if marks else self._by_subject(tried, tasks))
        new = [each for each in left if each.errand.id not in outcomes]
        if new:
            rows = [_row(each, tasks[each.errand.id], str(owners.get(tasks[each.errand.id].owner, "")), marks=marks) for each in new]
            outcomes |= await self._calling.make(new, lambda rest: rest.create("Task", rows, Lane.LIVE), _made)
        return outcomes

    async def _marked(self) -> bool:
        if self._marks is None:
            fields = (await self._calling.rest.describe("Task"))["fields"]
            self._marks = any(each["name"] == MARK and each.get("createable") and each.get("filterable") for each in fields)
        return self._marks

    async def _by_mark(self, tried: Sequence[Ready]) -> dict[int, Outcome]:
        wanted = {mark_of(each): each.errand.id for each in tried}
        found: dict[int, Outcome] = {}
        async for page in self._calling.rest.query(select("Task", ("Id", MARK), [any_of(MARK, sorted(wanted))]), Lane.LIVE):
            for row in page:
                found[wanted[str(row[MARK])]] = Done(reason="the task was made", id=salesforce_id(str(row["Id"])))
        return found

    async def _by_subject(self, tried: Sequence[Ready], tasks: Mapping[int, CreateTask]) -> dict[int, Outcome]:
        """Each that was made stands for one errand, the earliest first."""
        taken = await self._before([each.errand.person for each in tried])
        since = min(each.errand.tried_at for each in tried) - _CLOCKS_MS
        where = [
            f"CreatedDate >= {moment(since)}",
            any_of("CreatedById", [self._user]),
            any_of("WhoId", sorted({each.record for each in tried})),
        ]
        rows = []
        async for page in self._calling.rest.query(
            select("Task", ("Id", "WhoId", "Subject"), where, order=("CreatedDate", "Id")), Lane.LIVE
        ):
            rows += page
        found: dict[int, Outcome] = {}
        for each in tried:
            alike = (row for row in rows if row["WhoId"] == each.record and row.get("Subject") == tasks[each.errand.id].subject)
            task = next((made for row in alike if (made := salesforce_id(str(row["Id"]))) not in taken), None)
            if task is not None:
                taken.add(task)
                found[each.errand.id] = Done(reason="the task was made", id=task)
        return found


def mark_of(ready: Ready) -> str:
    """By what a task is known that an errand has made."""
    return f"tandem:{blake2b(ready.errand.name.encode(), digest_size=12).hexdigest()}"


def _row(ready: Ready, task: CreateTask, owner: str, *, marks: bool) -> dict[str, str]:
    given = {
        "Subject": task.subject, "ActivityDate": task.due, "OwnerId": owner, "Status": task.status, "Priority": task.priority,
        "Description": task.comments, MARK: mark_of(ready) if marks else "",
    }  # fmt: skip
    return {"WhoId": ready.record, **{name: value for name, value in given.items() if value}}


def _made(ready: Ready, result: ItemResult) -> Done:
    del ready
    return Done(reason="the task was made", id=result.id or "")
