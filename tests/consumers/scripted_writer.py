"""A system whose answers are written beforehand, for the tests of settle and look."""

from collections.abc import Callable, Mapping, Sequence

from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.settle.writers.port import Fate, Item, Outcome, Use
from streams.budget.port import Lane
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import PERSON, Object, System

Answer = Outcome | BaseException
Answering = Callable[[Item], Answer]


def done(item: Item) -> Outcome:
    """Everything succeeds; what is created gets the id 900 + the pair's."""
    return Outcome(fate=Fate.DONE, id=str(900 + item.pair) if isinstance(item.order, Create) else item.order.id)


class ScriptedWriter:
    """Answers each item by `answers`; an exception there is raised for the call that holds the item. Remembers what it was asked."""

    def __init__(self, system: System, answers: Answering = done, batch_max: int = 300) -> None:
        self.system, self.answers, self.batch_max = system, answers, batch_max
        self.merges_max = 1 if system is System.MARKETO else batch_max
        self.calls: list[list[Item]] = []
        self.asked: list[list[int]] = []
        self.read_ids: list[str] = []
        self.found: dict[int, list[ChangeEvent]] = {}
        self.records: dict[str, ChangeEvent | None] = {}
        self.used: dict[str, Use | None] = {}
        self.merged_into: dict[str, str] = {}
        self.purged: set[str] = set()
        self.out_of_sight: set[str] = set()
        self.asked_masters: list[str] = []
        self.asked_uses: list[str] = []
        self.refuses_uses: BaseException | None = None
        self.refuses_to_tell: dict[int, BaseException] = {}
        self.before_answer: Callable[[], None] = lambda: None

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """As written."""
        del lane
        self.asked.append(list(wanted))
        for number in wanted:
            if number in self.refuses_to_tell:
                raise self.refuses_to_tell[number]
        return {number: self.found[number] for number in wanted if number in self.found}

    async def read(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """As written."""
        del obj, lane
        self.read_ids += ids
        return {each: self.records.get(each) for each in ids}

    async def masters(self, obj: Object, ids: Sequence[str], lane: Lane) -> Mapping[str, str | None]:
        """As written; what nothing was written about was just deleted."""
        del obj, lane
        self.asked_masters += ids
        return {each: self.merged_into.get(each) for each in ids if each not in self.purged}

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        """As written; what nothing was written about is."""
        del obj, lane
        return frozenset(each for each in ids if each not in self.out_of_sight)

    async def uses(self, obj: Object, ids: Sequence[str], lane: Lane) -> dict[str, Use | None]:
        """As written; what nothing was written about has no use."""
        del obj, lane
        self.asked_uses += ids
        if self.refuses_uses is not None:
            raise self.refuses_uses
        nothing = (
            ChangeEvent(system=self.system, object=PERSON, id=each, kind=Happened.READ, source="read", at=1, until=2) for each in ids
        )
        return {each.id: self.used.get(each.id, Use(reading=each, what=(), asked="everything")) for each in nothing}

    def together(self, item: Item) -> str:
        del item
        return ""

    def alike(self, state: PairState) -> str:
        del state
        return ""

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """As written."""
        del lane
        self.calls.append(list(items))
        self.before_answer()
        outcomes: list[Outcome] = []
        for item in items:
            answer = self.answers(item)
            if isinstance(answer, BaseException):
                raise answer
            outcomes.append(answer)
        return outcomes

    def sent(self) -> list[dict[str, Value]]:
        """What was written, item by item, in order."""
        orders = [item.order for call in self.calls for item in call]
        return [{out.name: out.value for out in order.fields} for order in orders if isinstance(order, Create | Update)]

    def merged(self) -> list[tuple[str, tuple[str, ...]]]:
        """What was merged into what."""
        return [(item.order.id, item.order.losers) for call in self.calls for item in call if isinstance(item.order, Merge)]

    def deleted(self) -> list[str]:
        """What was deleted."""
        return [item.order.id for call in self.calls for item in call if isinstance(item.order, Delete)]
