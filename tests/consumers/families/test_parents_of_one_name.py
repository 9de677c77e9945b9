"""Two objects may have a lookup of one name that refers to different kinds: a parent that nobody knows is not taken for another kind's."""

from dataclasses import replace

import pytest

from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.configuration.mapping.defaults import build
from consumers.judging.families.families import _stub
from consumers.merge.terms import Identity, Terms
from tests.consumers.configuration.test_default_mapping import SETTINGS


def terms(**links: dict[str, str]) -> Terms:
    objects = {f"{name}__c": CustomObjectSettings(links=told) for name, told in links.items()}
    identity = Identity(salesforce_user="005000000000001AAA", marketo_user="tandem@example.com", stamp=None)
    return Terms(rules=build(replace(SETTINGS, custom_objects=objects)), identity=identity, lateness_ms=1_000)


@pytest.mark.parametrize(("links", "parent", "found"), [
    ({"One": {"Of__c": "contact"}}, "003000000000001AAA", "contact"),
    ({"One": {"Of__c": "contact"}}, "00Q000000000001AAA", "lead"),
    ({"One": {"Of__c": "account"}, "Two": {"Of__c": "account"}}, "001000000000001AAA", "account"),
    ({"One": {"Of__c": "account"}, "Two": {"Of__c": "Three__c"}, "Three": {}}, "001000000000001AAA", None),
])  # fmt: skip
def test_who_is_read(links: dict[str, dict[str, str]], parent: str, found: str | None) -> None:
    stub = _stub(terms(**links), parent, "Of__c")
    assert (stub.object if stub else None) == found
