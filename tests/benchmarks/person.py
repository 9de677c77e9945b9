"""A typical person for the benchmarks: mapping, terms, a pair in step on both sides, and an edit of two of its fields."""

from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Rule, RuleName, SyncRules
from consumers.merge.setting import Identity
from consumers.merge.state import Field, PairState, Record, Side
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, System

NOW = 1_700_000_000_000
_FIELDS: dict[str, tuple[str, FieldType, Value]] = {
    "firstName": ("FirstName", FieldType.TEXT, "Zoë"),
    "lastName": ("LastName", FieldType.TEXT, "Müller-Lüdenscheidt"),
    "email": ("Email", FieldType.EMAIL, "zoe.mueller@example.com"),
    "phone": ("Phone", FieldType.PHONE, "+49 30 1234567"),
    "title": ("Title", FieldType.TEXT, "Head of Procurement"),
    "company": ("Company", FieldType.TEXT, "Example Manufacturing GmbH"),
    "website": ("Website", FieldType.URL, "https://www.example.com/"),
    "city": ("City", FieldType.TEXT, "Berlin"),
    "country": ("Country", FieldType.TEXT, "Germany"),
    "postalCode": ("PostalCode", FieldType.TEXT, "10115"),
    "industry": ("Industry", FieldType.PICKLIST, "Manufacturing"),
    "annualRevenue": ("AnnualRevenue", FieldType.CURRENCY, 1_250_000.5),
    "numberOfEmployees": ("NumberOfEmployees", FieldType.NUMBER, 240),
    "doNotCall": ("DoNotCall", FieldType.BOOLEAN, False),
    "leadStatus": ("Status", FieldType.PICKLIST, "Working"),
}


def terms(count: int = 15) -> Terms:
    """The first `count` fields, both ways, a lead's conflict goes to Marketo."""
    rule = Rule(name=RuleName.MARKETO, default=System.MARKETO)
    fields = tuple(
        FieldMapping(key=key, salesforce=name, marketo=key, type=kind, direction=Direction.BOTH, rule=rule)
        for key, (name, kind, _) in list(_FIELDS.items())[:count]
    )
    rules = SyncRules(objects={LEAD: ObjectMapping(object=LEAD, fields=fields)})
    return Terms(rules=rules, identity=Identity(salesforce_user="005000000000001AAA", marketo_user="tandem@example.com"))


def pair(number: int, count: int = 15) -> PairState:
    """A pair in step."""
    fields = {}
    for key, (_, _, typical) in list(_FIELDS.items())[:count]:
        value = f"{number}@example.com" if key == "email" else typical
        side = Side(seen=value, seen_at=NOW, shows=2)
        fields[key] = Field(value=value, version=2, agreed_at=NOW, salesforce=side, marketo=side)
    return PairState(
        object=LEAD,
        fields=fields,
        salesforce=Record(id=salesforce_id(number), complete=True, seq=1_000, at=NOW),
        marketo=Record(id=str(1_000_000 + number), complete=True, at=NOW),
    )


def salesforce_id(number: int) -> str:
    """The id of that person's lead."""
    return f"00Q{number:015}"


def edit(number: int, turn: int) -> ChangeEvent:
    """Somebody changes a title and a phone number in Salesforce."""
    return ChangeEvent(
        system=System.SALESFORCE,
        object=LEAD,
        id=salesforce_id(number),
        kind=Happened.UPDATED,
        source="cdc",
        at=NOW + 1_000 * turn,
        seq=1_000 + turn,
        author="005000000000042AAA",
        call="0000a1b2-c3d4-e5f6-a7b8-c9d0e1f20304",
        origin="com/salesforce/api/soap/66.0;client=SfdcInternalAPI/",
        fields={"Title": f"Head of Procurement {turn}", "Phone": f"+49 30 {turn:07}"},
        relayed_at=NOW,
    )
