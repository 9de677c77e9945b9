"""The default mapping is the native sync's, and the configuration changes it where it says so."""

from dataclasses import replace

import pytest

from consumers.configuration.groups.connections import KafkaSettings, MarketoSettings, PostgresSettings, SalesforceSettings
from consumers.configuration.groups.records import ContactSettings, LeadSettings, PeopleSettings
from consumers.configuration.groups.rules import FieldEntry, RuleEntry
from consumers.configuration.mapping.defaults import build
from consumers.configuration.reading.types import Secret
from consumers.configuration.settings import Echo, Settings
from consumers.kinds.person import NOT_PROVIDED
from consumers.mapping.describes import Describes, FieldFacts
from consumers.mapping.fields import Clause, Direction, FieldMapping, FieldType, ObjectMapping, Overlong, Qualification, RuleName, Unwanted
from streams.wire.systems import CONTACT, LEAD, Object, System

SETTINGS = Settings(
    salesforce=SalesforceSettings(url="https://a.b", client_id="a", client_secret=Secret("s", "env: S")),
    marketo=MarketoSettings(url="https://a.b", client_id="a", client_secret=Secret("s", "env: S")),
    kafka=KafkaSettings(bootstrap_servers="a:1"),
    postgres=PostgresSettings(dsn=Secret("s", "env: S")),
)
LEAD_FIELDS = {
    "AnnualRevenue": "annualRevenue", "City": "city", "Company": "company", "Country": "country", "Description": "mktoPersonNotes",
    "Email": "email", "Fax": "fax", "FirstName": "firstName", "HasOptedOutOfEmail": "unsubscribed", "Industry": "industry",
    "LastName": "lastName", "LeadSource": "leadSource", "MobilePhone": "mobilePhone", "NumberOfEmployees": "numberOfEmployees",
    "Phone": "phone", "PostalCode": "postalCode", "Rating": "rating", "Salutation": "salutation", "State": "state", "Status": "leadStatus",
    "Street": "address", "Title": "title", "Website": "website",
}  # fmt: skip
CONTACT_FIELDS = {
    "Birthdate": "dateOfBirth", "Description": "mktoPersonNotes", "Email": "email", "Fax": "fax", "FirstName": "firstName",
    "HasOptedOutOfEmail": "unsubscribed", "LastName": "lastName", "LeadSource": "leadSource", "MailingCity": "city",
    "MailingCountry": "country", "MailingPostalCode": "postalCode", "MailingState": "state", "MailingStreet": "address",
    "MobilePhone": "mobilePhone", "Phone": "phone", "Salutation": "salutation", "Title": "title",
}  # fmt: skip


def with_lead(**entries: FieldEntry | None) -> Settings:
    return replace(SETTINGS, lead=LeadSettings(fields=entries))


def of_both(mapping: ObjectMapping) -> list[FieldMapping]:
    """Without the links, which Salesforce has no field for, and without references to other kinds, which flow one way."""
    return [item for item in mapping.fields if item.salesforce and not item.parent]


@pytest.mark.parametrize(("obj", "pairs"), [(LEAD, LEAD_FIELDS), (CONTACT, CONTACT_FIELDS)])
def test_the_fields_of_the_native_sync(obj: Object, pairs: dict[str, str]) -> None:
    fields = of_both(build(SETTINGS).objects[obj])
    assert {item.salesforce: item.marketo for item in fields} == pairs
    assert all(item.direction is Direction.BOTH for item in fields)
    assert all(item.key == item.marketo for item in fields)


@pytest.mark.parametrize("obj", [LEAD, CONTACT])
def test_the_links_are_kept_in_marketo_alone(obj: Object) -> None:
    links = [item for item in build(SETTINGS).objects[obj].fields if not item.salesforce]
    assert [(item.key, item.type) for item in links] == [
        ("sfLeadId", FieldType.TEXT),
        ("sfContactId", FieldType.TEXT),
        ("sfType", FieldType.TEXT),
        ("sfIsDeleted", FieldType.BOOLEAN),
    ]
    assert {(item.direction, item.rule.default, item.unwanted) for item in links} == {
        (Direction.TO_MARKETO, System.SALESFORCE, Unwanted.PUT_BACK)
    }


def test_conflicts_of_leads_go_to_marketo_and_of_contacts_to_salesforce() -> None:
    rules = build(SETTINGS)
    winners = {LEAD: (RuleName.MARKETO, System.MARKETO), CONTACT: (RuleName.SALESFORCE, System.SALESFORCE)}
    for obj, winner in winners.items():
        fields = [item for item in of_both(rules.objects[obj]) if item.key != "unsubscribed"]
        assert {(item.rule.name, item.rule.default) for item in fields} == {winner}


@pytest.mark.parametrize("obj", [LEAD, CONTACT])
def test_a_conflict_never_lifts_an_opt_out_unless_configured(obj: Object) -> None:
    added = {
        "doNotCall": FieldEntry(salesforce="Call_Me_Not__c", type=FieldType.BOOLEAN),
        "noFax": FieldEntry(salesforce="HasOptedOutOfFax", type=FieldType.BOOLEAN),
        "newsletter": FieldEntry(salesforce="Newsletter__c", type=FieldType.BOOLEAN),
        "blackListed": FieldEntry(salesforce="Why_Listed__c", type=FieldType.TEXT),
    }
    told = replace(SETTINGS, lead=LeadSettings(fields=added), contact=ContactSettings(fields=added))
    rules = {item.key: item.rule.name for item in build(told).objects[obj].fields}
    assert {key for key, name in rules.items() if name is RuleName.TRUE_WINS} == {"unsubscribed", "doNotCall", "noFax"}
    chosen = {"unsubscribed": FieldEntry(rule=RuleEntry(name=RuleName.NEWEST))}
    told = replace(SETTINGS, lead=LeadSettings(fields=chosen), contact=ContactSettings(fields=chosen))
    assert build(told).objects[obj].by_key["unsubscribed"].rule.name is RuleName.NEWEST


def test_what_salesforce_demands_has_a_default() -> None:
    rules = build(SETTINGS)
    lead, contact = (
        {item.salesforce: item.required_default for item in rules.objects[obj].fields if item.required_default} for obj in (LEAD, CONTACT)
    )
    assert lead == {"LastName": NOT_PROVIDED, "Company": NOT_PROVIDED}
    assert contact == {"LastName": NOT_PROVIDED}


def test_an_entry_changes_only_what_it_says() -> None:
    told = FieldEntry(overlong=Overlong.CUT, rule=RuleEntry(name=RuleName.NEWEST, tolerance_ms=10_000))
    title = build(with_lead(title=told)).objects[LEAD].by_key["title"]
    assert (title.salesforce, title.type, title.direction) == ("Title", FieldType.TEXT, Direction.BOTH)
    assert (title.overlong, title.rule.name, title.rule.tolerance_ms, title.rule.default) == (
        Overlong.CUT,
        RuleName.NEWEST,
        10_000,
        System.MARKETO,
    )


def test_fields_are_added_and_left_out() -> None:
    added = FieldEntry(salesforce="Score__c", type=FieldType.NUMBER, direction=Direction.TO_SALESFORCE, unwanted=Unwanted.LEAVE)
    mapping = build(with_lead(leadScore=added, fax=None)).objects[LEAD]
    assert "fax" not in mapping.by_key
    assert mapping.by_salesforce["Score__c"].unwanted is Unwanted.LEAVE
    assert of_both(mapping)[-1].key == "leadScore"


def test_the_two_objects_are_configured_apart() -> None:
    settings = replace(SETTINGS, contact=ContactSettings(winner=System.MARKETO, fields={"fax": None}))
    rules = build(settings)
    assert "fax" in rules.objects[LEAD].by_key
    assert "fax" not in rules.objects[CONTACT].by_key
    assert rules.objects[CONTACT].by_key["email"].rule.name is RuleName.MARKETO


def test_lengths_and_scales_come_from_the_describes() -> None:
    describes = Describes(
        salesforce={
            LEAD: {
                "Title": FieldFacts(name="Title", wire_type="string", type=FieldType.TEXT, length=128),
                "AnnualRevenue": FieldFacts(name="AnnualRevenue", wire_type="currency", type=FieldType.CURRENCY, scale=2),
                "NumberOfEmployees": FieldFacts(name="NumberOfEmployees", wire_type="double", type=FieldType.NUMBER, scale=3),
            }
        },
        marketo={
            "title": FieldFacts(name="title", wire_type="string", type=FieldType.TEXT, length=255),
            "annualRevenue": FieldFacts(name="annualRevenue", wire_type="currency", type=FieldType.CURRENCY),
            "numberOfEmployees": FieldFacts(name="numberOfEmployees", wire_type="integer", type=FieldType.NUMBER, scale=0),
        },
    )
    lead = build(SETTINGS, describes).objects[LEAD].by_key
    assert (lead["title"].salesforce_length, lead["title"].marketo_length, lead["title"].scale) == (128, 255, None)
    assert (lead["annualRevenue"].scale, lead["numberOfEmployees"].scale) == (2, 0)
    assert build(SETTINGS, describes).objects[CONTACT].by_key["title"].salesforce_length is None


def test_a_field_that_only_the_qualification_asks_for_is_followed_and_never_written() -> None:
    groups = ((Clause(field="syncNow", any_of=(True,)), Clause(field="score", at_least=5), Clause(field="kind", any_of=("a",))),)
    settings = replace(SETTINGS, people=PeopleSettings(qualify=Qualification(groups=groups)))
    lead = build(settings).objects[LEAD]
    assert {name: lead.by_key[name].type for name in ("syncNow", "score", "kind")} == {
        "syncNow": FieldType.BOOLEAN,
        "score": FieldType.NUMBER,
        "kind": FieldType.TEXT,
    }
    watched = lead.by_marketo["score"]
    assert watched.salesforce == ""
    assert not watched.direction.reaches(System.MARKETO)
    assert "" not in lead.by_salesforce
    described = Describes(marketo={"score": FieldFacts(name="score", wire_type="percent", type=FieldType.PERCENT)})
    assert build(settings, described).objects[LEAD].by_key["score"].type is FieldType.PERCENT


@pytest.mark.parametrize(
    ("echo", "found", "stamp"),
    [
        (Echo.AUTO, None, None),
        (Echo.AUTO, True, "tandemStamp"),
        (Echo.AUTO, False, None),
        (Echo.STAMP, None, "tandemStamp"),
        (Echo.USER, True, None),
    ],
)
def test_the_stamp_is_kept_only_where_it_is_needed(echo: Echo, found: bool | None, stamp: str | None) -> None:
    assert build(replace(SETTINGS, echo=echo), stamp=found).links.stamp == stamp


def test_the_version_moves_with_the_rules_and_with_nothing_else() -> None:
    first = build(SETTINGS)
    assert build(SETTINGS).version == first.version
    assert build(replace(SETTINGS, kafka=KafkaSettings(bootstrap_servers="b:2"))).version == first.version
    ordered = [RuleEntry(name=RuleName.NEVER_BACKWARDS, order=order) for order in (("a", "b"), ("b", "a"))]
    others = [
        build(with_lead(title=FieldEntry(rule=RuleEntry(name=RuleName.NEWEST)))),
        build(with_lead(title=FieldEntry(rule=RuleEntry(name=RuleName.NEWEST, tolerance_ms=1)))),
        *(build(with_lead(title=FieldEntry(rule=rule))) for rule in ordered),
        build(with_lead(title=None)),
    ]
    assert len({first.version, *(each.version for each in others)}) == 1 + len(others)
    versions = [each.objects[LEAD].by_key["title"].rule.version for each in others[:4]]
    assert versions[:2] == ["1", "1"]
    assert versions[2] != versions[3]


@pytest.mark.parametrize("follow", [False, True])
def test_whether_people_deleted_in_salesforce_are_deleted_in_marketo_is_configured(follow: bool) -> None:
    told = build(replace(SETTINGS, people=PeopleSettings(delete_in_marketo=follow)))
    assert {mapping.delete_in_marketo for mapping in told.people.values()} == {follow}
    assert told.objects[Object("account")].delete_in_marketo, "companies go in any case"
    assert (told.version == build(SETTINGS).version) is not follow
