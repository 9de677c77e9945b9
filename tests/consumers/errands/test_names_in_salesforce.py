"""Whom and what people mean by a name."""

import pytest

from consumers.errands.directory import campaign_of, owner_of, status_of
from consumers.errands.errand import Failed
from streams.salesforce.api.answers import Record

OTTO, ANNA, TWIN, GONE, QUEUE = (f"{prefix}00000000000{n}AAA" for prefix, n in (("005", 1), ("005", 2), ("005", 3), ("005", 4), ("00G", 5)))
USERS: list[Record] = [
    {"Id": OTTO, "Username": "otto@org.example", "Email": "otto@example.com", "Name": "Otto Hahn", "IsActive": True},
    {"Id": ANNA, "Username": "anna@org.example", "Email": "team@example.com", "Name": "Anna Freud", "IsActive": True},
    {"Id": TWIN, "Username": "twin@org.example", "Email": "team@example.com", "Name": "Otto Hahn", "IsActive": True},
    {"Id": GONE, "Username": "gone@org.example", "Email": "gone@example.com", "Name": "Gone Away", "IsActive": False},
]
QUEUES: list[Record] = [{"Id": QUEUE, "Name": "Inbound Leads", "DeveloperName": "Inbound_Leads"}]
FOUND = {
    OTTO: OTTO,
    OTTO[:15]: OTTO,
    "OTTO@org.example": OTTO,
    "otto@example.com": OTTO,
    "anna freud": ANNA,
    "Inbound Leads": QUEUE,
    "inbound_leads": QUEUE,
    QUEUE[:15]: QUEUE,
}
NOT_FOUND = {
    "Otto Hahn": "is the Name of several users (otto@org.example, twin@org.example)",
    "team@example.com": "is the Email of several users",
    "gone@example.com": "user gone@org.example is not active",
    "Nobody": "nobody in Salesforce is called 'Nobody'",
}


@pytest.mark.parametrize("name", FOUND)
def test_an_owner(name: str) -> None:
    assert owner_of(name, USERS, QUEUES) == FOUND[name]


@pytest.mark.parametrize("name", NOT_FOUND)
def test_no_owner_or_several(name: str) -> None:
    told = owner_of(name, USERS, QUEUES)
    assert isinstance(told, Failed)
    assert told.code == "NO_SUCH_OWNER"
    assert NOT_FOUND[name] in told.reason


def test_one_who_is_active_is_meant_before_one_who_is_not() -> None:
    assert owner_of("Gone Away", [*USERS, {**USERS[1], "Name": "Gone Away"}], ()) == ANNA


def test_a_campaign_by_id_or_name() -> None:
    one, other = "701000000000001AAA", "701000000000002AAA"
    rows: list[Record] = [{"Id": one, "Name": "Fair"}, {"Id": other, "Name": "Twice"}, {"Id": one.replace("1", "3"), "Name": "Twice"}]
    assert [campaign_of(name, rows) for name in (one, one[:15], "fair")] == [one] * 3
    several, none = campaign_of("Twice", rows), campaign_of("Gone", rows)
    assert isinstance(several, Failed)
    assert other in several.reason
    assert isinstance(none, Failed)
    assert "no campaign 'Gone'" in none.reason


def test_a_status_in_the_campaigns_own_spelling() -> None:
    assert status_of("responded", ["Sent", "Responded"], "Fair") == "Responded"
    told = status_of("Came", ["Sent", "Responded"], "Fair")
    assert isinstance(told, Failed)
    assert told.reason == "campaign 'Fair' has no status 'Came'; it has Sent, Responded"
