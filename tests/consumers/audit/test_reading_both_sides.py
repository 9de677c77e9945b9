"""What was read of one side is never taken for the other's, also where a record has one name and one id on both."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from consumers.audit.compare import compare
from consumers.audit.reading import Reader
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import Object, System
from tests.consumers.audit.test_parents import ADA, ROLE, RULES, TERMS, shows, state
from tests.consumers.merge.person_pair import MK, SF

SAME = "a01000000000001AAA"


class OneSide:
    """One system, which shows one record."""

    batch_max = 300

    def __init__(self, system: System, **fields: Value) -> None:
        self._shown = msgspec.structs.replace(shows(system, **fields), id=SAME)

    async def read(self, obj: Object, ids: Sequence[str], _lane: object) -> Mapping[str, ChangeEvent | None]:
        assert (obj, ids) == (ROLE, [SAME])
        return {SAME: self._shown}


class OneAda:
    """Who knows that Ada is number 3 in Marketo."""

    async def in_marketo(self, _ids: list[str]) -> Mapping[str, str]:
        return {ADA: "3"}

    async def in_salesforce(self, _records: list[Any]) -> Mapping[Any, str]:
        return {}


async def never(_: object) -> bool:
    return False


@pytest.mark.parametrize(("role", "drifts"), [("Evaluator", False), ("Buyer", True)])
async def test_a_record_that_is_called_the_same_on_both_sides_has_two_readings(role: str, drifts: bool) -> None:
    pair = state(3)
    pair = msgspec.structs.replace(
        pair, salesforce=msgspec.structs.replace(pair.salesforce, id=SAME), marketo=msgspec.structs.replace(pair.marketo, id=SAME)
    )
    sides: Any = {SF: OneSide(SF, ContactId=ADA, Role=role), MK: OneSide(MK, leadId=3, part="Evaluator")}
    pages: Any = None
    readings = (await Reader(sides, pages, OneAda(), RULES, never).both({1: pair}))[1]
    here, there = readings[SF], readings[MK]
    assert here is not None
    assert there is not None
    assert (here.system, here.fields["ContactId"], here.fields["Role"]) == (SF, ADA, role)
    assert (there.system, there.fields["part"]) == (MK, "Evaluator")
    assert bool(compare(pair, readings, TERMS)) is drifts
