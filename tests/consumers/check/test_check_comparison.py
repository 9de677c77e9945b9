"""The comparison of the mapping with what both systems say about their fields."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from consumers.fitting.check import Finding, Level, compare, link_fields
from consumers.fitting.setup.fields import plan_setup
from consumers.mapping.describes import Describes, FieldFacts, described
from consumers.mapping.fields import (
    Clause,
    Direction,
    FieldMapping,
    FieldType,
    LinkFields,
    ObjectMapping,
    Overlong,
    Qualification,
    Rule,
    RuleName,
    SyncRules,
)
from streams.marketo.api.wire import FieldInfo, Schema
from streams.wire.systems import LEAD, System

TITLE = FieldMapping(
    key="title",
    salesforce="Title",
    marketo="title",
    type=FieldType.TEXT,
    direction=Direction.BOTH,
    rule=Rule(name=RuleName.MARKETO, default=System.MARKETO),
)
KEY = {"name": "Marketo_Person_Id__c", "type": "string", "length": 40, "externalId": True, "unique": True}
LINKS = [
    FieldInfo(name="sfLeadId", label="", type="string", length=255),
    FieldInfo(name="sfContactId", label="", type="string", length=255),
    FieldInfo(name="sfType", label="", type="string", length=255),
    FieldInfo(name="sfIsDeleted", label="", type="boolean"),
]


def rules(*fields: FieldMapping, **changes: Any) -> SyncRules:
    return SyncRules(objects={LEAD: ObjectMapping(object=LEAD, fields=fields or (TITLE,))}, **changes)


def facts(salesforce: Mapping[str, Any] | None, marketo: FieldInfo | None, *more: Mapping[str, Any]) -> Describes:
    fields = [KEY, *more, *([salesforce] if salesforce else [])]
    schema = Schema(fields=[*LINKS, *([marketo] if marketo else [])], searchable=[["sfLeadId"], ["sfContactId"], ["email"]])
    return described({LEAD: {"fields": fields}}, schema)


SALESFORCE: dict[str, Any] = {"name": "Title", "type": "string", "length": 255}
MARKETO = FieldInfo(name="title", label="Job Title", type="string", length=255)


def told(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(str(each.level), each.field, each.message) for each in findings]


def test_what_fits_is_not_told() -> None:
    assert compare(rules(), facts(SALESFORCE, MARKETO), {LEAD: frozenset({"Title", "Marketo_Person_Id__c"})}) == ()


CASES: dict[str, tuple[FieldMapping, Describes, list[tuple[str, str, str]]]] = {
    "hidden in Salesforce": (
        TITLE,
        facts(None, MARKETO),
        [("problem", "title", "Salesforce: Title is not there, or hidden from Tandem's user by field-level security")],
    ),
    "absent in Marketo": (
        TITLE,
        facts(SALESFORCE, None),
        [("problem", "title", "Marketo: title is not there, or not visible to Tandem's API user")],
    ),
    "read-only in Salesforce": (
        TITLE,
        facts({**SALESFORCE, "updateable": False, "createable": False}, MARKETO),
        [("problem", "title", "Salesforce: Title can't be written by Tandem's user")],
    ),
    "read-only is enough where nothing is written": (
        replace(TITLE, direction=Direction.TO_MARKETO),
        facts({**SALESFORCE, "updateable": False, "createable": False}, MARKETO),
        [],
    ),
    "told only when a record is made": (
        replace(TITLE, is_key=True, fixed=True),
        facts({**SALESFORCE, "updateable": False}, replace(MARKETO, updateable=False)),
        [],
    ),
    "not at creation": (
        TITLE,
        facts({**SALESFORCE, "createable": False}, MARKETO),
        [("warning", "title", "Salesforce: Title can't be set when a record is created, only later")],
    ),
    "read-only in Marketo": (
        TITLE,
        facts(SALESFORCE, replace(MARKETO, updateable=False)),
        [("problem", "title", "Marketo: title can't be written by Tandem's user")],
    ),
    "another type": (
        TITLE,
        facts(SALESFORCE, FieldInfo(name="title", label="", type="integer")),
        [("problem", "title", "Marketo: title is of type integer, mapped as text")],
    ),
    "a date is not a moment": (
        replace(TITLE, type=FieldType.DATE),
        facts({"name": "Title", "type": "datetime"}, FieldInfo(name="title", label="", type="date")),
        [("problem", "title", "Salesforce: Title is of type datetime, mapped as date")],
    ),
    "a type that can't be synced": (
        TITLE,
        facts({"name": "Title", "type": "address"}, MARKETO),
        [("problem", "title", "Salesforce: Title is of type address, mapped as text")],
    ),
    "a picklist is text to Marketo": (
        replace(TITLE, type=FieldType.PICKLIST),
        facts({**SALESFORCE, "type": "picklist", "picklistValues": [{"value": "a", "active": True}]}, MARKETO),
        [],
    ),
    "shorter in Salesforce": (
        TITLE,
        facts({**SALESFORCE, "length": 40}, MARKETO),
        [("note", "title", "Salesforce takes 40 characters, Marketo holds 255: longer text is refused, and the field held")],
    ),
    "shorter in Marketo, cut": (
        replace(TITLE, overlong=Overlong.CUT),
        facts({**SALESFORCE, "type": "textarea", "length": 32_000}, FieldInfo(name="title", label="", type="text")),
        [("note", "title", "Marketo takes 30,000 characters, Salesforce holds 32,000: longer text is cut")],
    ),
    "shorter where nothing is written": (
        replace(TITLE, direction=Direction.TO_MARKETO),
        facts({**SALESFORCE, "length": 40}, MARKETO),
        [],
    ),
    "fewer decimals": (
        replace(TITLE, type=FieldType.NUMBER),
        facts({"name": "Title", "type": "double", "scale": 2}, FieldInfo(name="title", label="", type="integer")),
        [("note", "title", "Marketo keeps 0 decimals, Salesforce keeps more: numbers are rounded to 0")],
    ),
    "a restricted picklist": (
        replace(TITLE, type=FieldType.PICKLIST),
        facts(
            {
                **SALESFORCE,
                "type": "picklist",
                "restrictedPicklist": True,
                "picklistValues": [{"value": name, "active": name != "x"} for name in "abcdefgx"],
            },
            MARKETO,
        ),
        [
            (
                "warning",
                "title",
                (
                    "Salesforce takes only the values of its picklist (a, b, c, d, e and 2 more); "
                    "Marketo may hold others, which are refused and held"
                ),
            )
        ],
    ),
    "an order that the picklist doesn't know": (
        replace(
            TITLE, type=FieldType.PICKLIST, rule=Rule(name=RuleName.NEVER_BACKWARDS, default=System.MARKETO, order=("Open", "Done", "Gone"))
        ),
        facts(
            {**SALESFORCE, "type": "picklist", "picklistValues": [{"value": name, "active": True} for name in ("open", "Done", "New")]},
            MARKETO,
        ),
        [
            ("warning", "title", "never_backwards names values that Salesforce's picklist does not have: Gone"),
            ("note", "title", "never_backwards does not place these values of Salesforce's picklist: New"),
        ],
    ),
    "a field of Marketo's alone": (
        replace(TITLE, salesforce="", direction=Direction.TO_SALESFORCE),
        facts(None, replace(MARKETO, updateable=False)),
        [],
    ),
}


@pytest.mark.parametrize(("field", "describes", "expected"), CASES.values(), ids=CASES)
def test_each_misfit(field: FieldMapping, describes: Describes, expected: list[tuple[str, str, str]]) -> None:
    assert told(compare(rules(field), describes)) == expected


def test_every_problem_has_a_remedy() -> None:
    findings = [each for field, describes, _ in CASES.values() for each in compare(rules(field), describes)]
    problems = [each for each in findings if each.level is Level.PROBLEM]
    assert len(problems) > 5
    assert all(each.remedy for each in problems)


def test_an_object_that_can_not_be_seen_is_one_problem() -> None:
    describes = replace(facts(None, MARKETO), salesforce={})
    assert told(compare(rules(), describes, {})) == [("problem", "", "Lead is not visible to Tandem's user")]


def test_what_salesforce_demands_at_creation() -> None:
    demanded = {"name": "Region__c", "type": "string", "length": 10, "nillable": False}
    given = {"name": "Kind__c", "type": "string", "length": 10, "nillable": False, "defaultedOnCreate": True}
    describes = facts(SALESFORCE, MARKETO, demanded, given)
    assert compare(rules(), describes) == ()
    qualified = rules(qualification=Qualification(groups=((Clause(field="title", filled=True),),)))
    assert told(compare(qualified, describes)) == [
        (
            "warning",
            "Region__c",
            "Salesforce demands Region__c when a lead is created, and nothing is mapped to it: creations will be refused",
        )
    ]


def without(describes: Describes, name: str, facts_instead: FieldFacts | None = None) -> Describes:
    marketo = {key: value for key, value in describes.marketo.items() if key != name}
    return replace(describes, marketo=marketo | ({name: facts_instead} if facts_instead else {}))


def test_link_fields() -> None:
    whole = facts(SALESFORCE, MARKETO)
    text = FieldFacts(name="sfIsDeleted", wire_type="string", type=FieldType.TEXT)
    locked = FieldFacts(name="sfType", wire_type="string", type=FieldType.TEXT, updateable=False)
    assert told(compare(rules(), without(whole, "sfLeadId"))) == [
        ("problem", "sfLeadId", "Marketo: sfLeadId (id of the Salesforce lead) is not there")
    ]
    assert told(compare(rules(), without(whole, "sfIsDeleted", text))) == [
        ("problem", "sfIsDeleted", "Marketo: sfIsDeleted is of type string, it must be boolean")
    ]
    assert told(compare(rules(), without(whole, "sfType", locked))) == [
        ("problem", "sfType", "Marketo: sfType can't be written by Tandem's API user")
    ]
    assert told(compare(rules(), replace(whole, searchable=frozenset({"sfLeadId"})))) == [
        (
            "warning",
            "sfContactId",
            "Marketo: people can't be looked up by sfContactId; existing links are not found again after a loss of the ledger",
        )
    ]


def test_the_stamp_is_asked_for_where_it_is_in_use() -> None:
    stamped = rules(links=LinkFields(stamp="tandemStamp"))
    assert told(compare(stamped, facts(SALESFORCE, MARKETO))) == [
        ("problem", "tandemStamp", "Marketo: tandemStamp (id of Tandem's last write) is not there")
    ]
    assert [field.name for field in link_fields(rules(), stamp="later")][-1] == "later"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "Salesforce: Marketo_Person_Id__c is not there, or hidden from Tandem's user"),
        (
            {**KEY, "unique": False},
            "Salesforce: Marketo_Person_Id__c must be a unique external id, so that a repeated creation can't make a second person",
        ),
        ({**KEY, "updateable": False}, "Salesforce: Marketo_Person_Id__c can't be written by Tandem's user"),
        ({**KEY, "type": "double"}, "Salesforce: Marketo_Person_Id__c is of type double, it must be text"),
    ],
)
def test_the_external_key(key: dict[str, Any] | None, message: str) -> None:
    schema = Schema(fields=[*LINKS, MARKETO], searchable=[])
    describes = described({LEAD: {"fields": [SALESFORCE, *([key] if key else [])]}}, schema)
    assert told(compare(rules(), describes)) == [("problem", "Marketo_Person_Id__c", message)]


def test_the_change_stream() -> None:
    name = replace(TITLE, key="lastName", salesforce="LastName", marketo="title")
    street = replace(TITLE, key="address", salesforce="Street", marketo="title")
    describes = facts(SALESFORCE, MARKETO, {**SALESFORCE, "name": "LastName"}, {**SALESFORCE, "name": "Street"})
    whole = rules(TITLE, name, street)
    assert told(compare(whole, describes, {LEAD: None})) == [
        ("warning", "", "Salesforce: Lead's change events are not visible: changes are found by the poll only, minutes later")
    ]
    assert told(compare(whole, describes, {LEAD: frozenset({"Name", "Address"})})) == [
        ("note", "title", "Salesforce: Title is not part of the change events: its changes are found by the poll only")
    ]


def test_problems_come_first() -> None:
    field = replace(TITLE, key="x", salesforce="X__c", marketo="x")
    levels = [each.level for each in compare(rules(TITLE, field), facts({**SALESFORCE, "length": 9, "createable": False}, MARKETO))]
    assert levels == [Level.PROBLEM, Level.PROBLEM, Level.WARNING, Level.NOTE]


def test_setup_names_what_is_missing() -> None:
    schema = Schema(fields=LINKS[1:], searchable=[])
    plan = plan_setup(rules(), described({LEAD: {"fields": [SALESFORCE]}}, schema), stamp="tandemStamp")
    assert [(field.name, field.data_type) for field in plan.marketo] == [("sfLeadId", "string"), ("tandemStamp", "string")]
    assert plan.for_admin == (
        (
            "Create the custom field Marketo_Person_Id__c on Lead: text, length 18, external id, unique (case-insensitive); "
            "make it visible to and editable by Tandem's user."
        ),
    )
    assert plan_setup(rules(), facts(SALESFORCE, MARKETO), stamp=None).for_admin == ()
    assert plan_setup(rules(), facts(SALESFORCE, MARKETO), stamp=None).marketo == ()
