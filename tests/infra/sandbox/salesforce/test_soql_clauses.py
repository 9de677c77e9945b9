"""The rarer parts of SOQL, over the wire: aliases, scopes, functions of dates and of how values are shown, TYPEOF."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.sandbox.salesforce.conftest import Client

AT = "2026-08-10T10:00:00Z"


async def filled(org: Client) -> None:
    account = await org.made("Account", Name="Acme", Phone="1", AnnualRevenue=1234567)
    contact = await org.made("Contact", LastName="Ito", Email="i@x.example", AccountId=account, Birthdate="1990-02-28")
    deal = await org.made("Opportunity", Name="Deal", StageName="Prospecting", CloseDate="2026-12-01", Amount=1500.5, AccountId=account)
    await org.made("Opportunity", Name="Early", StageName="Prospecting", CloseDate="2025-02-01", Amount=10, AccountId=account)
    await org.made("Event", Subject="a", WhatId=account, WhoId=contact, ActivityDateTime=AT, DurationInMinutes=1)
    await org.made("Event", Subject="b", WhatId=deal, ActivityDateTime=AT, DurationInMinutes=1)
    await org.made("Event", Subject="c", ActivityDateTime=AT, DurationInMinutes=1)
    await org.verb("create", {"object": "Account", "fields": {"Name": "Ann's"}})


async def values(org: Client, soql: str) -> list[list[Any]]:
    answer = await org.query(soql)
    assert isinstance(answer, dict), answer
    return [list(each.values())[1:] for each in answer["records"]]


@pytest.mark.parametrize(
    ("soql", "found"),
    [
        ("SELECT c.LastName FROM Contact c WHERE c.Email != null ORDER BY c.LastName", [["Ito"]]),
        ("SELECT Name FROM Account AS a WHERE a.Name LIKE 'Ac%'", [["Acme"]]),
        ("SELECT Name FROM Account USING SCOPE mine", [["Acme"]]),
        ("SELECT Name FROM Account USING SCOPE everything ORDER BY Name", [["Acme"], ["Ann's"]]),
        ("SELECT Name FROM Account USING SCOPE mine WHERE Name != 'Acme'", []),
        ("SELECT LastName FROM Contact WITH SECURITY_ENFORCED LIMIT 1", [["Ito"]]),
        ("SELECT LastName FROM Contact WHERE LastName = 'Ito' FOR VIEW", [["Ito"]]),
        ("SELECT LastName FROM Contact FOR REFERENCE", [["Ito"]]),
        ("SELECT Name FROM Opportunity WHERE Amount > USD1000", [["Deal"]]),
        ("SELECT Name FROM Opportunity WHERE CALENDAR_YEAR(CloseDate) = 2025", [["Early"]]),
        ("SELECT Name FROM Opportunity WHERE CALENDAR_QUARTER(CloseDate) IN (4)", [["Deal"]]),
        ("SELECT LastName FROM Contact WHERE DAY_IN_MONTH(Birthdate) = 28", [["Ito"]]),
        ("SELECT Subject FROM Event WHERE HOUR_IN_DAY(convertTimezone(ActivityDateTime)) = 10 AND Subject = 'a'", [["a"]]),
        ("SELECT Subject FROM Event WHERE DAY_ONLY(ActivityDateTime) = 2026-08-10 AND Subject = 'b'", [["b"]]),
        ("SELECT CALENDAR_YEAR(CloseDate) y, SUM(Amount) s FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate) ORDER BY SUM(Amount)",
         [[2025, 10], [2026, 1500.5]]),
        ("SELECT FISCAL_QUARTER(CloseDate), COUNT(Id) FROM Opportunity GROUP BY FISCAL_QUARTER(CloseDate) ORDER BY COUNT(Id)", None),
        ("SELECT toLabel(StageName), FORMAT(Amount) shown, Amount FROM Opportunity WHERE Name = 'Deal'",
         [["Prospecting", "USD 1,500.50", 1500.5]]),
        ("SELECT FORMAT(CloseDate) FROM Opportunity WHERE Name = 'Deal'", [["12/1/2026"]]),
        ("SELECT FORMAT(ActivityDateTime) FROM Event WHERE Subject = 'a'", [["8/10/2026, 10:00 AM"]]),
        ("SELECT convertCurrency(Amount) FROM Opportunity WHERE Name = 'Deal'", [[1500.5]]),
    ],
)  # fmt: skip
async def test_clauses_and_functions(org: Client, soql: str, found: list[list[Any]] | None) -> None:
    await filled(org)
    answer = await values(org, soql)
    assert answer == found if found is not None else len(answer) == 2


async def test_typeof_shows_other_fields_of_other_parents(org: Client) -> None:
    await filled(org)
    soql = (
        "SELECT Subject, TYPEOF What WHEN Account THEN Phone, Name WHEN Opportunity THEN Amount ELSE Name END FROM Event ORDER BY Subject"
    )
    whats = [each["What"] for each in (await org.query(soql))["records"]]
    assert [None if each is None else {name: each[name] for name in each if name != "attributes"} for each in whats] == [
        {"Phone": "1", "Name": "Acme"}, {"Amount": 1500.5}, None,
    ]  # fmt: skip
    assert [each["attributes"]["type"] for each in whats if each] == ["Account", "Opportunity"]
    other = "SELECT TYPEOF Who WHEN Lead THEN Company ELSE Name, Type END FROM Event WHERE WhoId != null"
    who = (await org.query(other))["records"][0]["Who"]
    assert (who["Name"], who["Type"]) == ("Ito", "Contact")


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT CALENDAR_YEAR(CloseDate) FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Name FROM Opportunity WHERE CALENDAR_YEAR(Name) = 2025", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE HOUR_IN_DAY(Birthdate) = 1", "MALFORMED_QUERY"),
        ("SELECT Name FROM Account USING SCOPE team", "MALFORMED_QUERY"),
        ("SELECT Name FROM Account WITH NOTHING", "MALFORMED_QUERY"),
        ("SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact", "INVALID_FIELD"),
        ("SELECT TYPEOF What WHEN Account THEN Nothing END FROM Event", "INVALID_FIELD"),
        ("SELECT TYPEOF What WHEN Nothing THEN Name END FROM Event", "INVALID_TYPE"),
        ("SELECT TYPEOF What END FROM Event", "MALFORMED_QUERY"),
        ("SELECT What.Phone FROM Event", None),
        ("SELECT What.Amount FROM Event", "INVALID_FIELD"),
        ("SELECT Owner.Type FROM Account", "INVALID_FIELD"),
        ("SELECT x.Name FROM Account a", "INVALID_FIELD"),
    ],
)
async def test_what_is_refused(org: Client, soql: str, code: str | None) -> None:
    answer = await org.query(soql)
    assert (answer[0]["errorCode"] if isinstance(answer, list) else None) == code


@pytest.mark.parametrize("function", ["TYPEOF What WHEN Account THEN Name END", "CALENDAR_YEAR(ActivityDate) y"])
async def test_query_jobs_have_none_of_it(org: Client, function: str) -> None:
    refused = await org.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT X FROM Event".replace("X", function)})
    assert (refused.status, len(refused.body)) == (400, 1)
