"""A typical person for the benchmarks: the default lead with its links, 27 fields, as it stands in the ledger after some months in step.

Names and values are as long as real ones. Marketo's feed has named the last of its activities, Salesforce's the places of its last
changes, as observe keeps them. An edit changes two fields.
"""

from consumers.kinds.registry import SORTS
from consumers.mapping.fields import Direction, FieldMapping, FieldType, LinkFields, ObjectMapping, Rule, RuleName, SyncRules
from consumers.merge.lives.link import link_values
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Identity, Terms
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, System

NOW = 1_700_000_000_000
_LINKS = LinkFields()
_REFS = 6
"""Activities of Marketo that the pair has seen: each has a GUID."""
_LATELY = 4
_FIRST = ("Zoë", "Maximilian", "Siobhán", "José", "Aleksandra", "Li", "Priya", "Thorbjørn")
_LAST = ("Müller-Lüdenscheidt", "O'Sullivan", "García Hernández", "Wang", "Kowalczyk", "Venkataraman", "Smith", "Sørensen")
_CITIES = (
    ("Berlin", "Berlin", "10115", "Germany"),
    ("San Francisco", "CA", "94105", "United States"),
    ("Manchester", "Greater Manchester", "M1 4BT", "United Kingdom"),
    ("Guadalajara", "Jalisco", "44100", "Mexico"),
)
_TITLES = ("Head of Procurement", "Senior Vice President, Marketing Operations", "CTO", "Regional Sales Manager EMEA")
_INDUSTRIES = ("Manufacturing", "Technology", "Financial Services", "Healthcare")


def terms() -> Terms:
    """The default mapping of a lead, with the links; a lead's conflict goes to Marketo."""
    rule, ours = Rule(name=RuleName.MARKETO, default=System.MARKETO), Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)
    mapped = [
        FieldMapping(
            key=each.marketo, salesforce=each.salesforce, marketo=each.marketo, type=each.type, direction=Direction.BOTH, rule=rule
        )
        for each in SORTS[LEAD].fields
        if not each.parent
    ]
    kinds = dict.fromkeys((_LINKS.lead_id, _LINKS.contact_id, _LINKS.type), FieldType.TEXT) | {_LINKS.is_deleted: FieldType.BOOLEAN}
    links = [
        FieldMapping(key=name, salesforce="", marketo=name, type=kind, direction=Direction.TO_MARKETO, rule=ours)
        for name, kind in kinds.items()
    ]
    rules = SyncRules(objects={LEAD: ObjectMapping(object=LEAD, fields=(*mapped, *links))}, links=_LINKS)
    return Terms(rules=rules, identity=Identity(salesforce_user="005000000000001AAA", marketo_user="tandem@example.com"))


def facts(number: int) -> dict[str, Value]:
    """What both sides say of that person, by Marketo's names."""
    first, last = _FIRST[number % 8], _LAST[number // 8 % 8]
    city, state, postal, country = _CITIES[number // 3 % 4]
    return {
        "salutation": "Ms." if number % 2 else "Dr.",
        "firstName": first,
        "lastName": last,
        "title": _TITLES[number % 4],
        "email": f"{first.lower()}.{number}@example-{number % 997}.com",
        "unsubscribed": False,
        "phone": f"+49 30 {number:07}",
        "mobilePhone": f"+49 170 {number:07}",
        "fax": None if number % 3 else f"+49 30 {number:07}-99",
        "leadSource": "Trade Show" if number % 5 else "Web",
        "mktoPersonNotes": f"Met at the fair in {city}; asked for a quote for {number % 90 + 10} seats and a call back in spring.",
        "address": f"{number % 300 + 1} Unter den Linden",
        "city": city,
        "state": state,
        "postalCode": postal,
        "country": country,
        "leadStatus": "Working - Contacted",
        "rating": "Warm",
        "company": f"{last} Manufacturing {number % 20_000} GmbH & Co. KG",
        "industry": _INDUSTRIES[number // 5 % 4],
        "annualRevenue": 1_250_000.5 + number,
        "numberOfEmployees": 240 + number % 5_000,
        "website": f"https://www.example-{number % 997}.com/",
    }


def pair(number: int) -> PairState:
    """A pair in step."""
    told = {**facts(number), **link_values(_LINKS, LEAD, salesforce_id(number), deleted=False)}
    fields = {}
    for place, (key, value) in enumerate(told.items()):
        at = NOW - 86_400_000 * (number % 200 + place)
        side = Side(seen=value, seen_at=at, shows=2)
        fields[key] = Field(value=value, version=2, agreed_at=at, salesforce=side, marketo=side)
    lately = tuple(1_000 - _LATELY + 1 + place for place in range(_LATELY))
    refs = prints(",".join(f"{number:08x}-0b3a-4c5d-8e9f-{place:04x}{number:08x}" for place in range(_REFS)))
    return PairState(
        object=LEAD,
        fields=fields,
        salesforce=Record(id=salesforce_id(number), complete=True, seq=1_000, at=NOW, lately=lately),
        marketo=Record(id=str(1_000_000 + number), complete=True, at=NOW, refs=refs, origin="tandem"),
    )


def columns() -> dict[str, FieldType]:
    """The columns of a plain table of such people, by Marketo's names in small letters."""
    return {field.key.lower(): field.type for field in terms().rules.objects[LEAD].fields}


def row(number: int) -> tuple[Value, ...]:
    """That person in such a table."""
    return (*facts(number).values(), *link_values(_LINKS, LEAD, salesforce_id(number), deleted=False).values())


def salesforce_id(number: int) -> str:
    """The id of that person's lead."""
    return f"00Q{number:015}"


def edited(turn: int) -> dict[str, Value]:
    """What somebody changes in Salesforce, by Salesforce's names: a title and a phone number."""
    return {"Title": f"Head of Procurement {turn}", "Phone": f"+49 30 {turn:07}"}


def edit(number: int, turn: int) -> ChangeEvent:
    """Somebody changes those two fields of a person in Salesforce."""
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
        fields=edited(turn),
        relayed_at=NOW,
    )
