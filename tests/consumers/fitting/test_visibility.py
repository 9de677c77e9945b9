"""What is synced of each object, what is hidden, and why."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.configuration.groups.records import kinds_by_default
from consumers.configuration.loading import Settings, load
from consumers.configuration.mapping.defaults import build, synced
from consumers.fitting.visibility import Seen, Sight, Why, visibility
from consumers.kinds.registry import KIND_OF, SORTS
from consumers.mapping.describes import Describes, FieldFacts
from consumers.mapping.fields import FieldType
from streams.wire.systems import PERSON, Object, System

BY_DEFAULT = [obj for obj, kind in KIND_OF.items() if kind.is_person or kinds_by_default()[kind.name].sync]
"""What is kept in step unless somebody says otherwise."""
SF, MK = System.SALESFORCE, System.MARKETO
WIRE = {
    FieldType.BOOLEAN: ("boolean", "boolean"),
    FieldType.DATE: ("date", "date"),
    FieldType.DATETIME: ("datetime", "datetime"),
    FieldType.NUMBER: ("double", "float"),
    FieldType.CURRENCY: ("currency", "currency"),
    FieldType.PERCENT: ("percent", "percent"),
}


def settings(folder: Path, extra: str = "") -> Settings:
    file = folder / "tandem.yaml"
    file.write_text(
        "salesforce: {url: 'https://a.my.salesforce.com/', client_id: app, client_secret: {env: S}}\n"
        "marketo: {url: https://1-A-2.mktorest.com, client_id: app, client_secret: {env: S}}\n"
        "kafka: {bootstrap_servers: 'k:1'}\npostgres: {dsn: {env: PG}}\n" + extra
    )
    return load(file, {"S": "secret", "PG": "postgresql://t:s@localhost/t"})


def fact(name: str, kind: FieldType | None = FieldType.TEXT, system: System = SF, **more: Any) -> FieldFacts:
    wire = WIRE.get(kind, ("string", "string"))[system is MK] if kind else "address"
    return FieldFacts(**{"name": name, "wire_type": wire, "type": kind, "label": name, **more})


class Org:
    """Both systems with every field that is mapped; what a test hides or adds is on top."""

    def __init__(self, configured: Settings) -> None:
        rules = build(configured)
        self.sides: dict[System, dict[Object, dict[str, FieldFacts]]] = {SF: {}, MK: {}}
        for mapping in rules.objects.values():
            for system in System:
                there = self.sides[system].setdefault(mapping.named_on(system), {})
                for item in mapping.fields:
                    if item.name_on(system):
                        there[item.name_on(system)] = fact(item.name_on(system), item.type, system)

    def describes(self) -> Describes:
        people: Mapping[str, FieldFacts] = self.sides[MK].get(PERSON, {})
        rest = {obj: fields for obj, fields in self.sides[MK].items() if obj != PERSON}
        return Describes(salesforce=self.sides[SF], marketo=people, marketo_records=rest)


def find(lines: tuple[Seen, ...], obj: str, system: System, field: str) -> Seen:
    found = [each for each in lines if (each.object, each.system, each.field) == (obj, system, field)]
    assert len(found) == 1, found
    return found[0]


def test_every_mapped_field_of_every_kind_is_told_on_both_sides(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    lines = visibility(configured, Org(configured).describes())
    assert {each.object for each in lines} == set(SORTS)
    for obj, mapping in build(configured).objects.items():
        for item in mapping.fields:
            for system in System:
                if item.name_on(system):
                    assert find(lines, obj, system, item.name_on(system)).sight is Sight.SYNCED
    assert find(lines, "lead", SF, "Title").why is Why.BOTH_WAYS
    assert find(lines, "account", SF, "Name").told == "Salesforce to Marketo"
    assert find(lines, "lead", MK, "sfLeadId").why is Why.KEPT


@pytest.mark.parametrize("obj", BY_DEFAULT)
@pytest.mark.parametrize("system", list(System))
def test_a_field_without_permission_is_hidden_and_its_like_is_stopped(tmp_path: Path, obj: Object, system: System) -> None:
    configured = settings(tmp_path)
    org, mapping = Org(configured), build(configured).objects[obj]
    item = next(each for each in mapping.fields if each.salesforce and not each.parent)
    del org.sides[system][mapping.named_on(system)][item.name_on(system)]
    lines = visibility(configured, org.describes())
    hidden, like = find(lines, obj, system, item.name_on(system)), find(lines, obj, system.other, item.name_on(system.other))
    assert (hidden.sight, hidden.why) == (Sight.HIDDEN, Why.NO_FIELD)
    assert (like.sight, like.why) == (Sight.STOPPED, Why.OTHER_SIDE)
    assert item.name_on(system) in like.told


@pytest.mark.parametrize("obj", BY_DEFAULT)
@pytest.mark.parametrize("system", list(System))
def test_an_object_without_permission_is_hidden_as_a_whole(tmp_path: Path, obj: Object, system: System) -> None:
    configured = settings(tmp_path)
    org, mapping = Org(configured), build(configured).objects[obj]
    del org.sides[system][mapping.named_on(system)]
    lines = visibility(configured, org.describes())
    told = find(lines, obj, system, "")
    assert (told.sight, told.why) == (Sight.HIDDEN, Why.NO_OBJECT)
    rest = [each for each in lines if each.object == obj and each.system == system.other and each.sight is Sight.SYNCED]
    assert all(each.why in (Why.KEPT, Why.WATCHED) for each in rest), "nothing flows any more"


def test_each_reason_for_not_being_synced(tmp_path: Path) -> None:
    configured = settings(tmp_path, "lead: {fields: {rating: false}}\nrole: {sync: false}\n")
    org = Org(configured)
    lead, person = org.sides[SF][Object("lead")], org.sides[MK][PERSON]
    lead |= {
        "Rating": fact("Rating"),
        "Address": fact("Address", None),
        "Score__c": fact("Score__c", FieldType.NUMBER, calculated=True, updateable=False),
        "Colour__c": fact("Colour__c"),
        "SystemModstamp": fact("SystemModstamp", FieldType.DATETIME),
        "Marketo_Person_Id__c": fact("Marketo_Person_Id__c"),
        "Title": fact("Title", FieldType.BOOLEAN),
        "City": fact("City", updateable=False),
    }
    person["phone"] = fact("phone", updateable=False)
    lines = visibility(configured, org.describes())

    def stands(system: System, field: str, obj: str = "lead") -> tuple[Sight, Why]:
        line = find(lines, obj, system, field)
        return line.sight, line.why

    assert stands(SF, "Rating") == (Sight.UNSYNCED, Why.LEFT_OUT)
    assert stands(SF, "Address") == (Sight.UNSYNCED, Why.TYPE)
    assert stands(SF, "Score__c") == (Sight.UNSYNCED, Why.FORMULA)
    assert stands(SF, "Colour__c") == (Sight.UNSYNCED, Why.NOT_MAPPED)
    assert stands(SF, "SystemModstamp") == (Sight.UNSYNCED, Why.SYSTEM)
    assert stands(SF, "Marketo_Person_Id__c") == (Sight.UNSYNCED, Why.KEPT)
    assert stands(SF, "Title") == (Sight.STOPPED, Why.TYPE)
    assert stands(MK, "title") == (Sight.STOPPED, Why.OTHER_SIDE)
    assert stands(SF, "City") == (Sight.STOPPED, Why.NO_EDIT)
    assert stands(SF, "Phone") == stands(MK, "phone") == (Sight.STOPPED, Why.NO_EDIT)
    assert stands(SF, "", "role") == (Sight.UNSYNCED, Why.OFF)
    assert Object("role") not in synced(configured)
