"""A pair of records with a few fields, as the tests of the merge and of the loops need it."""

from typing import Any

from consumers.mapping.fields import (
    Direction,
    FieldMapping,
    FieldType,
    LinkFields,
    ObjectMapping,
    Qualification,
    Rule,
    RuleName,
    SyncRules,
)
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.writes import Patience
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, PERSON, System

SF, MK = System.SALESFORCE, System.MARKETO
T = 1_700_000_000_000
SF_ID, MK_ID = "00Q000000000001EAA", "1001"
SF_USER, MK_USER = "005000000000001AAA", "tandem@example.com"
LINKS = LinkFields()


def mapped(key: str, name: str, kind: FieldType = FieldType.TEXT, **changes: Any) -> FieldMapping:
    """One field, Marketo wins."""
    made: dict[str, Any] = {"direction": Direction.BOTH, "rule": Rule(name=RuleName.MARKETO, default=MK)}
    return FieldMapping(key=key, salesforce=name, marketo=key, type=kind, **(made | changes))


FIELDS = (
    mapped("email", "Email", FieldType.EMAIL),
    mapped("lastName", "LastName", required_default="[not provided]"),
    mapped("title", "Title"),
    mapped("phone", "Phone", FieldType.PHONE, salesforce_length=5),
    mapped("leadScore", "Score__c", FieldType.NUMBER, rule=Rule(name=RuleName.SUM_DELTAS, default=MK)),
    mapped("unsubscribed", "HasOptedOutOfEmail", FieldType.BOOLEAN),
    mapped("website", "Website", FieldType.URL, direction=Direction.TO_MARKETO),
    mapped(LINKS.lead_id, "", direction=Direction.TO_MARKETO),
    mapped(LINKS.type, "", direction=Direction.TO_MARKETO),
    mapped(LINKS.is_deleted, "", FieldType.BOOLEAN, direction=Direction.TO_MARKETO),
)


def rules(**changes: Any) -> SyncRules:
    """Leads only; everybody qualifies."""
    mapping = ObjectMapping(object=LEAD, fields=FIELDS)
    made: dict[str, Any] = {"objects": {LEAD: mapping}, "links": LINKS, "qualification": Qualification(everyone=True)}
    return SyncRules(**(made | changes))


def terms(**changes: Any) -> Terms:
    """Terms with short waits."""
    identity = Identity(salesforce_user=SF_USER, marketo_user=MK_USER, stamp=changes.pop("stamp", None))
    patience = Patience(call_ms=30_000, silent_ms=60_000, lost_ms=600_000)
    return Terms(rules=rules(**changes), identity=identity, salesforce=patience, marketo=patience, lateness_ms=30_000)


def agreed(value: Value, version: int = 1, **sides: Side) -> Field:
    """A field that both sides show, but for the sides given."""
    shown = Side(seen=value, seen_at=T, shows=version)
    salesforce, marketo = sides.get("salesforce", shown), sides.get("marketo", shown)
    return Field(value=value, version=version, agreed_at=T, salesforce=salesforce, marketo=marketo)


def paired(**fields: Field) -> PairState:
    """A pair whose records are known on both sides, in step but for the fields given."""
    linked: dict[str, Value] = {LINKS.lead_id: SF_ID, LINKS.type: "Lead", LINKS.is_deleted: False}
    start: dict[str, Value] = {"email": "ada@example.com", "lastName": "Lovelace", "title": "a", "leadScore": 10, "unsubscribed": False}
    return PairState(
        fields={**{key: agreed(value) for key, value in {**start, **linked}.items()}, **fields},
        salesforce=Record(id=SF_ID, complete=True, seq=1, at=T),
        marketo=Record(id=MK_ID, complete=True, at=T, refs=prints("g1")),
    )


def event(system: System, fields: dict[str, Value], at: int = T + 9_000, **changes: Any) -> ChangeEvent:
    """A change by a person, in the feed."""
    salesforce = system is SF
    made: dict[str, Any] = {
        "object": LEAD if salesforce else PERSON,
        "id": SF_ID if salesforce else MK_ID,
        "kind": Happened.UPDATED,
        "source": "cdc" if salesforce else "activities",
        "seq": at - T if salesforce else 0,
        "ref": "" if salesforce else f"g{at - T}",
        "author": "person",
    }
    return ChangeEvent(system=system, at=at, fields=fields, **(made | changes))


def reading(system: System, fields: dict[str, Value], at: int = T + 9_100, **changes: Any) -> ChangeEvent:
    """A reading of a record: what is not given is empty."""
    names = rules().objects[LEAD].by_name(system)
    whole: dict[str, Value] = {**dict.fromkeys(names), **fields}
    made: dict[str, Any] = {"kind": Happened.READ, "source": "poll", "seq": 0, "ref": "", "author": None, "until": at + 100}
    return event(system, whole, at, **(made | changes))
