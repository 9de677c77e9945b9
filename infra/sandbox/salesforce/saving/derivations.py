"""Fields that the org sets by itself from others of the same record (Object Reference). Activities have theirs in `activities`."""

from __future__ import annotations

from collections.abc import Callable

from infra.sandbox.salesforce.records.store import put
from infra.sandbox.salesforce.saving.activities import derive_event, derive_task
from infra.sandbox.salesforce.saving.memberships import derive_member, derive_member_status
from infra.sandbox.salesforce.schema.types import ObjectType, Row
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError
from infra.sandbox.salesforce.wire.ids import number_of
from infra.sandbox.salesforce.wire.stamps import stamp_of

Derive = Callable[["State", Row, set[str], set[str]], set[str]]


def derive(org: State, kind: ObjectType, proposed: Row, changed: set[str], given: set[str]) -> set[str]:
    """Sets the derived fields of a record about to be saved; returns their names. `given` are the fields that the caller named."""
    step = _STEPS.get(kind.name)
    return set() if step is None else step(org, proposed, changed, given)


def auto_numbered(kind: ObjectType, record_id: str) -> Row:
    """The autonumber fields of a new record: `L-{0000}` becomes L-0042."""
    found: Row = {}
    for name in kind.auto_numbers:
        shape = kind.fields[name].auto_number or "{0}"
        head, _, rest = shape.partition("{")
        digits, _, tail = rest.partition("}")
        found[name] = f"{head}{number_of(record_id):0{len(digits)}d}{tail}"
    return found


def _lead(org: State, proposed: Row, changed: set[str], _: set[str]) -> set[str]:
    """Only a conversion gives a lead a status of converted ones."""
    if "Status" in changed and "IsConverted" not in proposed and not org.options.converted_status_by_update:
        status = org.statuses["LeadStatus"].get(str(proposed.get("Status")))
        if status is not None and status.converted:
            raise RecordError("INVALID_STATUS", f"invalid status of a lead that is not converted: {status.label}", ["Status"])
    return set()


def _contact(_: State, proposed: Row, changed: set[str], __: set[str]) -> set[str]:
    if "EmailBouncedDate" in changed:
        put(proposed, {"IsEmailBounced": "EmailBouncedDate" in proposed})
    return set()


def _opportunity(org: State, proposed: Row, changed: set[str], given: set[str]) -> set[str]:
    """Closed, won, probability and forecast category follow the stage, the expected revenue the amount, fiscal dates the close date."""
    values: Row = {}
    status = org.statuses["OpportunityStage"].get(str(proposed.get("StageName")))
    if "StageName" in changed and status is not None:
        values = {"IsClosed": status.closed, "IsWon": status.won}
        if "Probability" not in given:
            values["Probability"] = status.probability
        if "ForecastCategoryName" not in given:
            values["ForecastCategoryName"] = status.forecast
        if "Id" in proposed:
            values["LastStageChangeDate"] = stamp_of(org.clock.now_ms())
    put(proposed, values)
    if changed & {"ForecastCategoryName"} or "ForecastCategoryName" in values:
        values["ForecastCategory"] = str(proposed.get("ForecastCategoryName")).replace(" ", "")
    if changed & {"Amount", "Probability"} or "Probability" in values:
        amount, chance = proposed.get("Amount"), proposed.get("Probability")
        known = isinstance(amount, int | float) and isinstance(chance, int | float)
        values["ExpectedRevenue"] = round(amount * chance / 100, 2) if known else None  # type: ignore[operator]
    if "CloseDate" in changed and "CloseDate" in proposed:
        year, month = str(proposed["CloseDate"]).split("-")[:2]
        quarter = (int(month) + 2) // 3
        values |= {"FiscalYear": int(year), "FiscalQuarter": quarter, "Fiscal": f"{year} {quarter}"}
    put(proposed, values)
    return set(values)


_STEPS: dict[str, Derive] = {
    "Lead": _lead,
    "Contact": _contact,
    "Opportunity": _opportunity,
    "Task": derive_task,
    "Event": derive_event,
    "CampaignMember": derive_member,
    "CampaignMemberStatus": derive_member_status,
}
