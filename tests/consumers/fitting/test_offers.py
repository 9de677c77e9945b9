"""Fields that appeared, vanished or changed, each with the line of the configuration that maps it; and the line does."""

from pathlib import Path
from typing import Any

import pytest

from consumers.configuration.mapping.defaults import build
from consumers.fitting.offers import Offer, Standing, offers
from consumers.mapping.fields import Direction, FieldType
from streams.wire.systems import PERSON, Object, System
from tests.consumers.fitting.test_visibility import BY_DEFAULT, MK, SF, Org, fact, settings


def find(lines: tuple[Offer, ...], obj: str, system: System, field: str) -> Offer:
    found = [each for each in lines if (each.object, each.system, each.field) == (obj, system, field)]
    assert len(found) == 1, found
    return found[0]


def told(org: Org, configured: Any) -> tuple[Offer, ...]:
    return offers(build(configured, org.describes(), unseen=True), org.describes())


def test_where_all_fits_everything_is_mapped(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    assert {each.standing for each in told(Org(configured), configured)} == {Standing.MAPPED}


@pytest.mark.parametrize("obj", BY_DEFAULT)
def test_the_line_of_a_new_field_maps_it(tmp_path: Path, obj: Object) -> None:
    configured = settings(tmp_path)
    org, mapping = Org(configured), build(configured).objects[obj]
    org.sides[SF][obj]["Favourite_Colour__c"] = fact("Favourite_Colour__c", FieldType.PICKLIST)
    org.sides[MK][mapping.marketo]["favouriteColour"] = fact("favouriteColour", system=MK)
    offer = find(told(org, configured), obj, SF, "Favourite_Colour__c")
    assert (offer.standing, offer.other) == (Standing.OFFERED, "favouriteColour")
    item = build(settings(tmp_path, offer.line + "\n")).objects[obj].by_salesforce["Favourite_Colour__c"]
    assert (item.key, item.type, item.direction) == ("favouriteColour", FieldType.PICKLIST, mapping.flow)


def test_what_marketo_lacks_is_said_to_be_made_there_first(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    org = Org(configured)
    org.sides[SF][Object("lead")]["T_Shirt_Size__c"] = fact("T_Shirt_Size__c")
    offer = find(told(org, configured), "lead", SF, "T_Shirt_Size__c")
    assert offer.told.startswith("make tShirtSize in Marketo first")
    assert "T_Shirt_Size__c" in build(settings(tmp_path, offer.line + "\n")).objects[Object("lead")].by_salesforce


def test_a_field_of_marketo_is_offered_where_it_could_flow(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    org = Org(configured)
    org.sides[MK][PERSON]["leadScoreBand"] = fact("leadScoreBand", system=MK)
    org.sides[MK][Object("company")]["grade"] = fact("grade", system=MK)
    lines = told(org, configured)
    offer = find(lines, "lead", MK, "leadScoreBand")
    assert offer.line == "lead: {fields: {leadScoreBand: {salesforce: Lead_Score_Band__c, type: text}}}"
    assert not [each for each in lines if each.field == "grade"], "accounts flow one way"


@pytest.mark.parametrize(
    ("side", "direction"), [(SF, Direction.TO_MARKETO), (MK, Direction.TO_SALESFORCE)], ids=["formula", "kept by Marketo"]
)
def test_what_cannot_be_written_is_offered_one_way(tmp_path: Path, side: System, direction: Direction) -> None:
    configured = settings(tmp_path)
    org = Org(configured)
    org.sides[SF][Object("lead")]["Band__c"] = fact("Band__c", updateable=side is not SF, calculated=side is SF)
    org.sides[MK][PERSON]["band"] = fact("band", system=MK, updateable=side is not MK)
    offer = find(told(org, configured), "lead", SF, "Band__c")
    assert build(settings(tmp_path, offer.line + "\n")).objects[Object("lead")].by_key["band"].direction is direction


@pytest.mark.parametrize("obj", BY_DEFAULT)
def test_a_renamed_field_has_vanished_and_a_new_one_is_offered(tmp_path: Path, obj: Object) -> None:
    configured = settings(tmp_path)
    org, mapping = Org(configured), build(configured).objects[obj]
    item = next(each for each in mapping.fields if each.salesforce and not each.parent)
    del org.sides[SF][obj][item.salesforce]
    org.sides[SF][obj]["New_Name__c"] = fact("New_Name__c", item.type)
    lines = told(org, configured)
    vanished = find(lines, obj, SF, item.salesforce)
    assert vanished.standing is Standing.VANISHED
    assert find(lines, obj, SF, "New_Name__c").standing is Standing.OFFERED
    if item.key != "email":
        without = build(settings(tmp_path, vanished.line + "\n")).objects[obj]
        assert item.salesforce not in without.by_salesforce


def test_a_changed_type_says_what_would_map_it(tmp_path: Path) -> None:
    configured = settings(tmp_path, "lead: {fields: {band: {salesforce: Band__c, type: text}}}\n")
    org = Org(configured)
    org.sides[SF][Object("lead")]["Band__c"] = fact("Band__c", FieldType.NUMBER)
    offer = find(told(org, configured), "lead", SF, "Band__c")
    assert (offer.standing, offer.line) == (Standing.CHANGED, "lead: {fields: {band: {type: number}}}")
    assert "of type double now and mapped as text" in offer.told
    assert find(told(org, configured), "lead", MK, "band").standing is Standing.MAPPED
