"""Which of the poll's rows the ledger has not seen: relay nothing twice, lose nothing."""

from collections.abc import Sequence

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.reconcile.unseen import is_news, unseen_by
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import Object, System
from tests.consumers.merge.person_pair import MK, SF, T, agreed, event, paired, reading, terms
from tests.consumers.pairs_in_memory import ids, ledger_with, owing

TERMS = terms()
ROW: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10}


def row(**fields: Value) -> ChangeEvent:
    return reading(SF, {**ROW, **fields})


def deleted(state: PairState) -> PairState:
    return state.with_record(SF, msgspec.structs.replace(state.salesforce, deleted=True))


def unusable(value: str) -> Field:
    return agreed(10, salesforce=Side(seen=10, seen_at=T, shows=1, unusable="not a number", unusable_value=value))


CASES: dict[str, tuple[ChangeEvent, PairState | None, bool]] = {
    "as it was seen": (row(), paired(), False),
    "the same in other characters": (row(Email="ADA@example.com"), paired(), False),
    "another value": (row(Title="b"), paired(), True),
    "emptied": (row(Title=None), paired(), True),
    "a record that nobody knows": (row(), None, True),
    "never read whole": (row(), paired().with_record(SF, Record(id="x")), True),
    "back from deletion": (row(), deleted(paired()), True),
    "not met yet": (row(), paired(title=agreed("a", 1, salesforce=Side(known=False))), True),
    "a value that can't be used": (row(Score__c="many"), paired(), True),
    "a value that is known not to be usable": (row(Score__c="many"), paired(leadScore=unusable("many")), False),
    "the former value, back after one that can't be used": (row(), paired(leadScore=unusable("many")), True),
    "a deletion": (event(SF, {}, kind=Happened.DELETED), paired(), True),
    "a deletion that is known": (event(SF, {}, kind=Happened.DELETED), deleted(paired()), False),
    "the end of somebody unknown": (event(SF, {}, kind=Happened.DELETED), None, False),
    "a deletion that is known, now as a merge": (event(SF, {}, kind=Happened.DELETED, into="w"), deleted(paired()), True),
    "a merge away of somebody unknown": (event(SF, {}, kind=Happened.DELETED, into="w"), None, False),
    "as it was seen, but converted": (msgspec.structs.replace(row(), into="c"), paired(), True),
    "a merge that was judged": (event(MK, {}, kind=Happened.DELETED, ref="g1", into="w"), paired(), False),
    # Marketo's poll yields activities
    "an activity that was judged": (event(MK, {"title": "b"}, ref="g1"), paired(), False),
    "a later one": (event(MK, {"title": "b"}, ref="g2"), paired(), True),
    "an older one": (event(MK, {"title": "b"}, T - 5_000, ref="g2"), paired(), False),
    "a later one of the same value": (event(MK, {"title": "a"}, ref="g2"), paired(), True),
    "of the same second, another value": (event(MK, {"title": "b"}, T, ref="g2"), paired(), True),
    "of the same second, the same value": (event(MK, {"title": "a"}, T, ref="g2"), paired(), False),
    "of a field that is not mapped": (event(MK, {"favouriteColour": "a"}, ref="g2"), paired(), False),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_news(name: str) -> None:
    told, state, news = CASES[name]
    assert is_news(told, state, TERMS) is news


class Counting(MemoryLedger):
    """Remembers what it was asked for."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__()
        self.pairs, self.asked = ledger.pairs, list[list[str]]()

    async def states(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, PairState]:
        self.asked.append(list(ids))
        return await super().states(system, obj, ids)


async def test_the_filter_asks_the_ledger_for_all_at_once() -> None:
    ledger = Counting(ledger_with(owing(1, MK), owing(2, MK)))
    told = [event(SF, {"Title": value}, id=ids(number)[SF], kind=Happened.READ, until=T + 9_500) for number, value in ((1, "b"), (2, "z"))]
    news = await unseen_by(ledger, TERMS)(told)
    assert [each.id for each in news] == [ids(2)[SF]]
    assert ledger.asked == [[ids(1)[SF], ids(2)[SF]]]
