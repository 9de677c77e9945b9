"""What a row's refusal means, on both sides: passing troubles are tried again, only final ones are refusals."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from consumers.merge.writing.plan import Create, Out, Update
from consumers.settle.writers.marketo.writer import MarketoWriter
from consumers.settle.writers.port import Fate, Item, Outcome
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from streams.budget.port import Lane
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.wire import ItemResult as MarketoResult
from streams.marketo.api.wire import SyncAnswer
from streams.salesforce.api.access.refusals import Refusal
from streams.salesforce.api.records import ItemResult as SalesforceResult
from streams.salesforce.api.records import results_in
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.systems import LEAD, PERSON
from tests.consumers.merge.person_pair import MK_ID, SF_ID, rules

OUT = Out(key="title", name="Title", value="b", version=2)
PASSING = {
    "UNABLE_TO_LOCK_ROW",
    "ENTITY_IS_LOCKED",
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "PROCESSING_HALTED",
    "SERVER_UNAVAILABLE",
    "REQUEST_RUNNING_TOO_LONG",
    "TXN_SECURITY_METERING_ERROR",
    "TOO_MANY_APEX_REQUESTS",
    "STORAGE_LIMIT_EXCEEDED",
    "QUERY_TIMEOUT",
    "LIMIT_EXCEEDED",
    "REQUEST_LIMIT_EXCEEDED",
    "API_CURRENTLY_DISABLED",
    "ORG_LOCKED",
}
FINAL = {
    "STRING_TOO_LONG",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "DUPLICATES_DETECTED",
    "INVALID_FIELD",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
}


class ScriptedRest:
    """Answers every write with the same result for each row."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.resources = self.programs = None

    async def update(self, name: str, records: Sequence[Any], lane: Lane) -> list[SalesforceResult]:
        return [self.result] * len(records)

    async def upsert(self, name: str, key: str, records: Sequence[Any], lane: Lane) -> list[SalesforceResult]:
        return [self.result] * len(records)

    async def sync(self, records: Sequence[Any], action: str, lookup: str | None, lane: Lane) -> SyncAnswer:
        return SyncAnswer(request_id="r", results=[self.result] * len(records))


async def salesforce(*errors: Refusal, create: bool = False) -> Outcome:
    """What the writer makes of a row with these errors."""
    writer = SalesforceWriter(cast(SalesforceRest, ScriptedRest(SalesforceResult(id=None, success=False, errors=errors))), rules())
    order = Create(object=LEAD, fields=(OUT,)) if create else Update(object=LEAD, id=SF_ID, fields=(OUT,))
    (outcome,) = await writer.write([Item(write=1, pair=1, order=order, key="1")], Lane.LIVE)
    return outcome


async def marketo(code: str, message: str = "no", status: str = "skipped") -> Outcome:
    """The same of Marketo."""
    result = MarketoResult(id=None, status=status, code=code, message=message)
    writer = MarketoWriter(cast(MarketoRest, ScriptedRest(result)), rules())
    order = Update(object=PERSON, id=MK_ID, fields=(OUT,))
    (outcome,) = await writer.write([Item(write=1, pair=1, order=order)], Lane.LIVE)
    return outcome


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("code", sorted(PASSING))
async def test_a_passing_refusal_in_salesforce_is_tried_again(code: str, *, create: bool) -> None:
    outcome = await salesforce(Refusal(code=code, message="later"), create=create)
    assert (outcome.fate, outcome.fields) == (Fate.BUSY, frozenset())
    assert outcome.reason == f"{code}: later"


@pytest.mark.parametrize("code", sorted(FINAL))
async def test_a_final_refusal_in_salesforce_is_told(code: str) -> None:
    assert (await salesforce(Refusal(code=code, message="no"))).fate is Fate.REJECTED


async def test_an_unknown_exception_of_a_row_is_neither_yes_nor_no() -> None:
    assert (await salesforce(Refusal(code="UNKNOWN_EXCEPTION", message="gack"))).fate is Fate.UNKNOWN


async def test_a_passing_error_inside_a_triggers_own_is_passing() -> None:
    wrapped = "trigger: execution of BeforeUpdate caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access"
    assert (await salesforce(Refusal(code="CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message=wrapped))).fate is Fate.BUSY


async def test_beside_a_passing_error_a_final_one_waits() -> None:
    outcome = await salesforce(Refusal(code="STRING_TOO_LONG", message="no"), Refusal(code="SERVER_UNAVAILABLE", message="later"))
    assert (outcome.fate, outcome.after_seconds) == (Fate.BUSY, 5.0)


async def test_an_answer_without_a_code_is_neither_yes_nor_no() -> None:
    (result,) = results_in(b'[{"success": false, "errors": [{"message": "?"}]}]', 1, what="update")
    assert (await salesforce(*result.errors)).fate is Fate.UNKNOWN


@pytest.mark.parametrize("code", ["1016", "1019", "1022", "1029", "713", "719", "606", "607", "608", "614", "615"])
async def test_a_passing_refusal_in_marketo_is_tried_again(code: str) -> None:
    outcome = await marketo(code)
    assert (outcome.fate, outcome.after_seconds > 0) == (Fate.BUSY, True)


@pytest.mark.parametrize("code", ["500", "502", "604", "611"])
async def test_what_may_have_been_done_in_marketo_is_neither_yes_nor_no(code: str) -> None:
    assert (await marketo(code)).fate is Fate.UNKNOWN


async def test_a_row_that_marketo_left_out_is_in_doubt_alone() -> None:
    assert (await marketo("", status="unknown")).fate is Fate.UNKNOWN


@pytest.mark.parametrize("code", ["1001", "1003", "1006", "1008", "1018", "1021", "413"])
async def test_a_final_refusal_in_marketo_is_told(code: str) -> None:
    assert (await marketo(code)).fate is Fate.REJECTED
