"""People's histories in Marketo, in memory: custom activities that are added and never changed; and a family that writes them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from consumers.configuration.groups.records import FormSettings
from consumers.configuration.mapping.defaults import build
from consumers.mapping.fields import SyncRules
from consumers.mapping.kind import Form
from streams.marketo.api.custom_activity import CustomActivity, Found, TypeState
from streams.marketo.api.wire import ItemResult, SyncAnswer
from streams.wire.errors import SyncError, Unknown
from streams.wire.systems import LEAD
from tests.consumers.families import family
from tests.consumers.families.family import CONTACT, TASK, Family

CREATED = "2026-11-28T10:00:00Z"
_NUMBERS = {"salesforceTask": 100_001, "salesforceEvent": 100_002}


@dataclass(kw_only=True)
class DiaryModel:
    """Takes the place of the client for custom activities. `people`: who is there. `fails`: as of `MarketoModel`."""

    people: Callable[[], Collection[str]]
    clock: Callable[[], int]
    fails: Callable[[], str] = lambda: ""
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    """How many each call carried."""
    searches: list[int] = field(default_factory=list)
    """From when on each search read (ms)."""
    shut: SyncError | None = None
    """What reading the log comes to."""
    there: bool = True
    """Whether the types have been made."""

    async def type_of(self, kind: CustomActivity, lane: Any = None) -> TypeState | None:
        del lane
        return TypeState(number=_NUMBERS[kind.api_name], approved=True, draft=False, attributes={}) if self.there else None

    async def add(self, records: Sequence[Mapping[str, Any]], lane: Any = None) -> SyncAnswer:
        del lane
        lost = self.fails()
        if lost == "request":
            raise Unknown("the call got lost", after_seconds=0.1)
        self.calls.append(len(records))
        results = [self._added(each) for each in records]
        if lost == "answer":
            raise Unknown("the answer got lost", after_seconds=0.1)
        return SyncAnswer(request_id="r", results=results, until=self.clock())

    async def find(self, kind: CustomActivity, records: Collection[str], since_ms: int, lane: Any = None) -> list[Found]:
        del lane
        self.searches.append(since_ms)
        if self.shut is not None:
            raise self.shut
        mine = [(str(number), row) for number, row in enumerate(self.rows, 1) if row["activityTypeId"] == _NUMBERS[kind.api_name]]
        return [Found(guid=guid, lead=str(row["leadId"]), record=record_of(row)) for guid, row in mine if record_of(row) in records]

    def told(self, record: str) -> list[Mapping[str, Any]]:
        """The activities that tell of a record."""
        return [row for row in self.rows if record_of(row) == record]

    def _added(self, row: Mapping[str, Any]) -> ItemResult:
        if str(row["leadId"]) not in self.people():
            return ItemResult(id=None, status="skipped", code="1004", message="Lead not found")
        self.rows.append(row)
        return ItemResult(id=str(len(self.rows)), status="added")


class Diary(Family):
    """A family whose tasks and events are written to its people's histories."""

    def __init__(self, *off: str, form: Form = Form.ACTIVITY) -> None:
        self.form = form
        super().__init__(*off)
        self.marketo.records |= {"customobjects/salesforceTask_c": {}, "customobjects/salesforceEvent_c": {}}
        self.diary = DiaryModel(people=self.marketo.people.keys, clock=self.clock)
        self.marketo.custom_activities = self.diary

    def ruled(self, *off: str) -> SyncRules:
        kinds = {**family.SETTINGS.kinds, "task": FormSettings(as_=self.form), "event": FormSettings(as_=self.form)}
        return build(replace(family.SETTINGS, kinds=family.switched_off(kinds, *off)))

    def lead(self, name: str) -> str:
        return self.org.add(LEAD, LastName=name, Company="Acme", Email=f"{name.lower()}@example.com")

    def contact(self, name: str) -> str:
        return self.org.add(CONTACT, LastName=name, Email=f"{name.lower()}@example.com")

    def task(self, who: str | None, subject: str = "Call", **fields: Any) -> str:
        return self.org.add(TASK, **{"WhoId": who, "Subject": subject, "CreatedDate": CREATED, **fields})

    def tasks(self) -> Mapping[str, Mapping[str, Any]]:
        """The custom objects that tasks are kept as, by the record that they are of."""
        return self.marketo.records["customobjects/salesforceTask_c"]

    def times(self, *records: str) -> list[int]:
        """How often each of these is told of."""
        return [len(self.diary.told(record)) for record in records]


def record_of(row: Mapping[str, Any]) -> str:
    """The record of Salesforce that an activity tells of."""
    return next(str(each["value"]) for each in row["attributes"] if each["apiName"] == "salesforceId")
