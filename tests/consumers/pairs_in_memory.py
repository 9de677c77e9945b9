"""A ledger in memory with pairs in it, and a clock that is set by hand."""

from typing import Any

import msgspec

from consumers.ledger.memory import MemoryLedger
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Terms
from streams.wire.events import Value
from streams.wire.systems import System, salesforce_id
from tests.consumers.merge.person_pair import MK, SF, T, agreed, paired, terms


class Clock:
    """Ours, in ms."""

    def __init__(self) -> None:
        self.now = T

    def __call__(self) -> int:
        return self.now


def ids(number: int) -> dict[System, str]:
    """The records of pair `number`."""
    return {SF: salesforce_id(f"00Q{number:012d}"), MK: str(1000 + number)}


def owing(number: int, system: System, value: Value = "b", **changes: Any) -> PairState:
    """Pair `number`, with its title owed to one side."""
    behind = Side(seen="a", seen_at=T, shows=1)
    field = agreed(value, 2, **{system.value: behind})
    return renamed(paired(title=field), number, **changes)


def renamed(state: PairState, number: int, **changes: Any) -> PairState:
    """The same, of other records and with an e-mail of its own."""
    record = ids(number)
    fields = {**state.fields, "email": agreed(f"p{number}@example.com"), "sfLeadId": agreed(record[SF])}
    made: dict[str, Any] = {
        "fields": fields,
        "salesforce": msgspec.structs.replace(state.salesforce, id=record[SF]),
        "marketo": msgspec.structs.replace(state.marketo, id=record[MK]),
    }
    return msgspec.structs.replace(state, **(made | changes))


def lone(number: int, system: System, **fields: Field) -> PairState:
    """A record on one side, nothing on the other."""
    state = renamed(paired(**fields), number)
    without = {key: field.with_side(system.other, Side()) for key, field in state.fields.items()}
    return msgspec.structs.replace(state, fields=without).with_record(system.other, Record())


def ledger_with(*states: PairState, told: Terms | None = None, now: int = T) -> MemoryLedger:
    """The pairs, numbered from 1, with what is due for them."""
    ledger, told = MemoryLedger(), told or terms()
    for state in states:
        number = ledger.new_pair_id()
        ledger.pairs[number] = told.with_due(state, now)
        ledger.keys[number] = told.match_key(state)
    return ledger
