"""What a worker keeps of its mapping: for reports that don't ask Salesforce, and to know what is mapped anew."""

from dataclasses import replace

import pytest

from consumers.ledger.findings import keep_mapped, mapped, newly_mapped
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Rule, RuleName, SyncRules
from streams.wire.systems import LEAD, Object, System

pytestmark = pytest.mark.integration
RULE = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)
THING = Object("custom-thing")


def field(name: str, kind: FieldType = FieldType.TEXT, parent: str = "") -> FieldMapping:
    return FieldMapping(key=name, salesforce=name, marketo=name, type=kind, direction=Direction.TO_MARKETO, rule=RULE, parent=parent)


def rules(*fields: FieldMapping) -> SyncRules:
    thing = ObjectMapping(object=THING, fields=fields, kind="Thing__c", marketo=THING, flow=Direction.TO_MARKETO)
    person = ObjectMapping(object=LEAD, fields=tuple(replace(each, direction=Direction.BOTH) for each in fields))
    return SyncRules(objects={LEAD: person, THING: thing})


async def test_what_is_mapped_is_kept_and_what_is_new_is_found(postgres_ledger: PostgresLedger) -> None:
    pool = postgres_ledger._pool
    first = rules(field("Name"), field("Price__c", FieldType.CURRENCY), field("Who__c", FieldType.REFERENCE, parent="person"))
    assert await newly_mapped(pool, first) == {}, "of what was never mapped everything is copied anyway"
    await keep_mapped(pool, first, 1)
    kept = (await mapped(pool))[THING]
    assert {line.marketo: line.type for line in kept.values()} == {"Name": FieldType.TEXT, "Price__c": FieldType.CURRENCY}
    assert await newly_mapped(pool, first) == {}
    more = rules(*first.objects[THING].fields, field("Room__c"))
    assert await newly_mapped(pool, more) == {THING: ("Room__c",)}, "people flow both ways, and are not read as a whole for a field"
    await keep_mapped(pool, more, 2)
    assert await newly_mapped(pool, more) == {}
    assert await newly_mapped(pool, rules(field("Name"))) == {}, "one that is gone just stops"
