"""Members of campaigns and the statuses that they can have (Object Reference, CampaignMember and CampaignMemberStatus)."""

from __future__ import annotations

from infra.sandbox.salesforce.records.formulas import Formula, Parent
from infra.sandbox.salesforce.records.store import put
from infra.sandbox.salesforce.schema.types import Row, Value
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError

FIRST_STATUSES: tuple[Row, ...] = (
    {"Label": "Sent", "SortOrder": 1, "IsDefault": True},
    {"Label": "Responded", "SortOrder": 2, "HasResponded": True},
)
"""What a new campaign comes with (Object Reference, CampaignMemberStatus)."""
_OF_PERSON = (
    "FirstName", "LastName", "Name", "Salutation", "Title", "Email", "Phone", "MobilePhone", "Fax", "Description", "LeadSource",
    "DoNotCall", "HasOptedOutOfEmail", "HasOptedOutOfFax",
)  # fmt: skip
_OF_ADDRESS = ("Street", "City", "State", "Country", "PostalCode")


def derive_member(org: State, proposed: Row, changed: set[str], _: set[str]) -> set[str]:
    """One membership a person and campaign. A status that the campaign doesn't have becomes its default one."""
    campaign = str(proposed.get("CampaignId", ""))
    _refuse_second(org, proposed, campaign)
    if "Status" not in changed and "Status" in proposed:
        return set()
    statuses = _statuses(org, campaign)
    status = next((row for row in statuses if row.get("Label") == proposed.get("Status")), None)
    if status is None and statuses:
        status = next((row for row in statuses if "IsDefault" in row), statuses[0])
        proposed["Status"] = status.get("Label")
    responded = status is not None and "HasResponded" in status
    put(proposed, {"HasResponded": responded})
    touched = {"Status", "HasResponded"}
    if responded and "FirstRespondedDate" not in proposed:
        proposed["FirstRespondedDate"] = org.today.isoformat()
        touched.add("FirstRespondedDate")
    return touched


def derive_member_status(org: State, proposed: Row, changed: set[str], _: set[str]) -> set[str]:
    """Labels and places are unlike within a campaign; the default is taken away only by giving it to another."""
    others = [row for row in _statuses(org, str(proposed.get("CampaignId"))) if row["Id"] != proposed.get("Id")]
    touched = set()
    if "SortOrder" not in proposed:
        orders = [order for row in others if isinstance(order := row.get("SortOrder"), int)]
        proposed["SortOrder"] = max(orders, default=0) + 1
        touched.add("SortOrder")
    for name in ("Label", "SortOrder"):
        twin = next((row for row in others if _same(row.get(name), proposed.get(name))), None)
        if twin is not None and (name in changed or "Id" not in proposed):
            message = f"duplicate value found: {name} duplicates value on record with id: {twin['Id']}"
            raise RecordError("DUPLICATE_VALUE", message, [name])
    if "IsDefault" in changed and "IsDefault" not in proposed and "Id" in proposed and not any("IsDefault" in row for row in others):
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", "a campaign has one default member status", ["IsDefault"])
    return touched


def other_defaults(org: State, row: Row) -> list[str]:
    """The ids of the campaign's other statuses that still say they are the default."""
    return [str(each["Id"]) for each in _statuses(org, str(row["CampaignId"])) if "IsDefault" in each and each["Id"] != row["Id"]]


def member_formulas() -> dict[str, Formula]:
    """What a member shows of its person, as it stands there: the contact where it has both (Object Reference, CampaignMember)."""
    found = {name: _formula(name, name) for name in _OF_PERSON}
    found |= {name: _formula(name, f"Mailing{name}") for name in _OF_ADDRESS}
    found["CompanyOrAccount"] = Formula(_company, frozenset({"LeadId", "ContactId"}))
    found["Type"] = Formula(lambda row, _: "Contact" if "ContactId" in row else "Lead", frozenset())
    found["LeadOrContactId"] = Formula(lambda row, _: row.get("ContactId") or row.get("LeadId"), frozenset())
    found["LeadOrContactOwnerId"] = _formula("OwnerId", "OwnerId")
    return found


def _formula(of_lead: str, of_contact: str) -> Formula:
    def evaluate(row: Row, parent: Parent) -> Value:
        person, name = _person(row, parent), of_contact if "ContactId" in row else of_lead
        return None if person is None else person.get(name)

    return Formula(evaluate, frozenset({"LeadId", "ContactId"}))


def _company(row: Row, parent: Parent) -> Value:
    person = _person(row, parent)
    if person is None:
        return None
    if "ContactId" not in row:
        return person.get("Company")
    account = parent(str(person["AccountId"])) if "AccountId" in person else None
    return None if account is None else account.get("Name")


def _person(row: Row, parent: Parent) -> Row | None:
    return parent(str(row.get("ContactId") or row.get("LeadId")))


def _statuses(org: State, campaign: str) -> list[Row]:
    return [row for row in org.store.tables["CampaignMemberStatus"].find("CampaignId", campaign) if "IsDeleted" not in row]


def _refuse_second(org: State, proposed: Row, campaign: str) -> None:
    if "LeadId" not in proposed and "ContactId" not in proposed:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId or ContactId]", ["LeadId", "ContactId"])
    table = org.store.tables["CampaignMember"]
    for name in ("LeadId", "ContactId"):
        if name in proposed:
            for row in table.find(name, proposed[name]):
                if row.get("CampaignId") == campaign and row["Id"] != proposed.get("Id") and "IsDeleted" not in row:
                    raise RecordError("DUPLICATE_VALUE", "Already a campaign member.")


def _same(one: Value, other: Value) -> bool:
    return one is not None and str(one).casefold() == str(other).casefold()
