"""What queries answer, as a table over one small set of records."""

# ruff: noqa: S608 - queries from the tables of this test, for the sandbox of this test

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.salesforce.wire.errors import ApiError
from tests.infra.sandbox.salesforce.rows import Rows

PEOPLE: list[dict[str, Any]] = [
    {"LastName": "Ångström", "Email": "a@x.example", "AnnualRevenue": 10.0, "DoNotCall": True, "LeadSource": "Web"},
    {"LastName": "O'Neil", "Email": "B@x.example", "AnnualRevenue": 20.5, "LeadSource": "Other"},
    {"LastName": "100% Real_Name", "AnnualRevenue": -3.0, "EmailBouncedDate": "2026-08-11T23:59:59.000+0000"},
    {"LastName": "back\\slash", "Email": "d@x.example", "EmailBouncedDate": "2026-08-12T00:00:00.000+0000"},
    {"LastName": "zeta", "Email": "a@X.example", "AnnualRevenue": 10.0, "EmailBouncedDate": "2026-07-31T10:00:00.000+0000"},
]
NAMES = [str(each["LastName"]) for each in PEOPLE]
A, B, C, D, E = NAMES


@pytest.fixture(scope="module")
def people() -> Rows:
    rows = Rows()
    boss = rows.add("User", Username="boss@x.example", LastName="Boss", Name="Ada Boss", IsActive=True)
    queue = rows.add("Group", Name="The Queue", Type="Queue")
    for number, values in enumerate(PEOPLE):
        rows.add("Lead", **values, Company="Co", OwnerId=boss if number != 2 else queue)
    account = rows.add("Account", Name="Acme", OwnerId=boss)
    rows.add("Contact", LastName="With", AccountId=account)
    rows.add("Contact", LastName="Without")
    gone = rows.add("Lead", LastName="gone", Company="Co")
    rows.change("Lead", gone, {"IsDeleted": True})
    return rows


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Email = 'a@x.example'", [A, E]),
        ("Email != 'a@x.example'", [B, C, D]),  # a null is not that value either
        ("Email <> null", [A, B, D, E]),
        ("Email = NULL", [C]),
        ("Email = ''", [C]),
        ("Email IN ('A@X.EXAMPLE', 'b@x.example')", [A, B, E]),
        ("Email IN ('d@x.example', null)", [C, D]),
        ("Email NOT IN ('a@x.example')", [B, C, D]),
        (r"LastName = 'O\'Neil'", [B]),
        (r"LastName = 'back\\slash'", [D]),
        (r"LastName = '\u00e5ngstr\u00F6m'", [A]),
        ("LastName LIKE '%eTa'", [E]),
        ("LastName LIKE '%a_\\_name'", [C]),
        ("LastName LIKE '%ea\\_name'", []),
        (r"LastName LIKE '100\% %\_name'", [C]),
        (r"LastName LIKE '1_0\%%'", [C]),
        ("LastName LIKE 'o\\'n__l'", [B]),
        ("LastName > 'o'", [B, E, A]),
        ("AnnualRevenue >= 10 AND AnnualRevenue < 20.5", [A, E]),
        ("AnnualRevenue = 1e1", [A, E]),
        ("AnnualRevenue < 0", [C]),
        ("AnnualRevenue IN (10, -3)", [A, C, E]),
        ("NOT AnnualRevenue > 10", [A, C, D, E]),
        ("DoNotCall = true", [A]),
        ("DoNotCall = false", [B, C, D, E]),
        ("DoNotCall != TRUE", [B, C, D, E]),
        ("(Email = null OR AnnualRevenue = 10) AND DoNotCall = FALSE", [C, E]),
        ("NOT (LeadSource = 'Web' OR LeadSource = 'other')", [C, D, E]),
        ("EmailBouncedDate = TODAY", [D]),
        ("EmailBouncedDate = YESTERDAY", [C]),
        ("EmailBouncedDate < TODAY", [C, E]),
        ("EmailBouncedDate >= LAST_N_DAYS:1", [C, D]),
        ("EmailBouncedDate = LAST_N_DAYS:1", [C, D]),
        ("EmailBouncedDate = LAST_MONTH", [E]),
        ("EmailBouncedDate IN (LAST_MONTH, TODAY)", [D, E]),
        ("EmailBouncedDate != THIS_MONTH", [A, B, E]),
        ("EmailBouncedDate > 2026-08-11T23:59:58Z", [C, D]),
        ("EmailBouncedDate <= 2026-08-12T01:59:59+02:00", [C, E]),
        ("EmailBouncedDate = 2026-08-12T00:00:00.999Z", [D]),
        ("Owner.Name = 'the queue'", [C]),
        ("Owner.Username LIKE 'boss%'", [A, B, D, E]),
        ("Lead.LastName = 'zeta'", [E]),
        ("lastname = 'ZETA' and lead.EMAIL != null", [E]),
    ],
)
def test_conditions(people: Rows, where: str, found: list[str]) -> None:
    names = people.column(f"SELECT LastName FROM Lead WHERE {where}")
    assert sorted(names) == sorted(found)
    assert people.count(f"SELECT COUNT() FROM Lead WHERE {where}") == len(found)


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ("ORDER BY LastName", [C, D, B, E, A]),
        ("ORDER BY LastName DESC", [A, E, B, D, C]),
        ("ORDER BY AnnualRevenue, LastName DESC", [D, C, A, E, B]),
        ("ORDER BY AnnualRevenue NULLS LAST, LastName", [C, E, A, B, D]),
        ("ORDER BY AnnualRevenue DESC NULLS LAST, LastName", [B, E, A, C, D]),
        ("ORDER BY AnnualRevenue DESC NULLS FIRST, LastName", [D, B, E, A, C]),
        ("ORDER BY Owner.Name ASC, LastName ASC LIMIT 2", [D, B]),
        ("ORDER BY LastName LIMIT 2 OFFSET 1", [D, B]),
        ("ORDER BY LastName OFFSET 4", [A]),
        ("LIMIT 0", []),
    ],
)
def test_order_and_limits(people: Rows, clause: str, found: list[str]) -> None:
    assert people.column(f"SELECT Id, LastName FROM Lead {clause}") == found


def test_parents_are_nested_and_null_where_missing(people: Rows) -> None:
    with_, without = people.records("SELECT LastName, Account.Name, Account.Owner.Name FROM Contact ORDER BY LastName")
    assert with_["Account"]["Name"] == "Acme"
    assert with_["Account"]["attributes"]["type"] == "Account"
    assert with_["Account"]["Owner"]["Name"] == "Ada Boss"
    assert without["Account"] is None


def test_deleted_records_only_in_query_all(people: Rows) -> None:
    soql = "SELECT Id FROM Lead WHERE LastName = 'gone' AND IsDeleted = TRUE"
    assert people.records(soql) == []
    assert len(people.records(soql, deleted_too=True)) == 1


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("", "MALFORMED_QUERY"),
        ("SELECT", "MALFORMED_QUERY"),
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT * FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FRO Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("SELECT Id, FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead l m", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead;", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = ", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = abc", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email == 'a'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email = 'a' OR Email = 'b' AND Email = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE (Email = 'a'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE Email IN (SELECT Email FROM Contact)", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-02-30", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE CreatedDate > LAST_N_DAYS", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE LastName = 'a\\q'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead LIMIT -1", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead GROUP BY Company", "MALFORMED_QUERY"),
        ("SELECT COUNT(Nothing) FROM Lead", "INVALID_FIELD"),
        ("SELECT SUM(LastName) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Lead", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id, (SELECT Id FROM Tasks) FROM Contacts) FROM Account", "MALFORMED_QUERY"),
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead ORDER LastName", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead FOR UPDATE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE " + "(" * 300 + "Id = null" + ")" * 300, "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE " + "NOT " * 300 + "Id = null", "MALFORMED_QUERY"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Nothing FROM Lead", "INVALID_FIELD"),
        ("SELECT Nobody.Name FROM Lead", "INVALID_FIELD"),
        ("SELECT Owner.Nothing FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Nothing = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Lead ORDER BY Nothing", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE AnnualRevenue = '1'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE LastName = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE DoNotCall = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE DoNotCall > false", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Description = 'long'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead ORDER BY Description", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE LeadSource INCLUDES ('Web')", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE AnnualRevenue LIKE '1%'", "INVALID_FIELD"),
        ("SELECT Id FROM Lead WHERE Id = 'short'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Lead LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_refusals(people: Rows, soql: str, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        people.records(soql)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_a_refusal_points_at_its_place(people: Rows) -> None:
    with pytest.raises(ApiError) as refused:
        people.records("SELECT Id FROM Lead\nWHERE Nothing = 1")
    text, _, rest = refused.value.message.partition("ERROR at ")
    assert rest.startswith("Row:2:Column:7\nNo such column 'Nothing' on entity 'Lead'.")
    excerpt, caret, _ = text.strip("\n").split("\n") if text.count("\n") == 4 else [*text.strip("\n").split("\n"), ""]
    assert excerpt[caret.index("^") :].startswith("Nothing")
