"""Custom objects in the configuration: the kinds that they make, how their fields are mapped, and what contradicts itself."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.configuration.groups.records import KindSettings
from consumers.configuration.groups.rules import FieldEntry
from consumers.configuration.loading import ConfigurationError, load
from consumers.configuration.mapping.defaults import build, sorts, synced
from consumers.configuration.mapping.registered import custom_problems, registry_of
from consumers.configuration.settings import Settings
from consumers.kinds.custom import TYPES_MAX, kind_of, marketo_name, object_of
from consumers.kinds.custom import Declared as Custom
from consumers.kinds.registry import KINDS
from consumers.mapping.describes import Describes, FieldFacts
from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default
from streams.marketo.api.resource import Resource
from streams.wire.systems import MARKETO, SALESFORCE, Object
from tests.consumers.configuration.test_default_mapping import SETTINGS

COURSE = CustomObjectSettings(stream=False)
ENROLLMENT = CustomObjectSettings(links={"Contact__c": "contact", "Lead__c": "lead", "Account__c": "account", "Course__c": "Course__c"})
BOTH = {"Enrollment__c": ENROLLMENT, "Course__c": COURSE}
ENROLLMENTS, COURSES = Object("custom-enrollment"), Object("custom-course")


def settings(objects: Mapping[str, CustomObjectSettings]) -> Settings:
    return replace(SETTINGS, custom_objects=objects)


THERE = ("salesforceId", "Contact__c", "Lead__c", "Account__c", "Course__c", "Grade__c", "Fee__c")


def describes(*names: str) -> Describes:
    """What both systems show of enrollments; `names`: what only Salesforce has."""
    here = {name: FieldFacts(name=name, wire_type="string", type=FieldType.TEXT, length=80) for name in (*THERE[1:], *names)}
    here["Fee__c"] = FieldFacts(name="Fee__c", wire_type="currency", type=FieldType.CURRENCY, scale=2)
    shown = {name: FieldFacts(name=name, wire_type="string", type=FieldType.TEXT, length=255) for name in THERE}
    return Describes(salesforce={ENROLLMENTS: here, COURSES: {}}, marketo_records={ENROLLMENTS: shown})


def test_parents_come_first_and_everybody_else_before() -> None:
    registry = registry_of(settings(BOTH))
    assert registry.kinds == (*KINDS, *registry.kinds[len(KINDS) :])
    assert [kind.name for kind in registry.kinds[len(KINDS) :]] == ["Course__c", "Enrollment__c"]
    assert set(registry.objects) >= {(SALESFORCE, ENROLLMENTS), (SALESFORCE, COURSES)}
    assert (MARKETO, ENROLLMENTS) not in registry.objects, "Marketo tells of no change of such records"
    assert {"crm.salesforce.custom-enrollment.v1", "crm.salesforce.custom-course.v1"} <= set(registry.change_topics)
    assert synced(settings(BOTH))[-2:] == (COURSES, ENROLLMENTS)
    assert synced(settings({**BOTH, "Course__c": replace(COURSE, sync=False)}))[-1] == ENROLLMENTS
    streamed = [(sort.entity.name, sort.entity.stream) for sort, _ in sorts(settings(BOTH))[-2:]]
    assert streamed == [("Course__c", False), ("Enrollment__c", True)]
    assert (registry.called("enrollment__C"), registry.called("Lead"), registry.called("x")) == (ENROLLMENTS, "lead", None)


@pytest.mark.parametrize(("name", "obj", "there"), [
    ("Subscription__c", "custom-subscription", "subscription_c"), ("Account__c", "custom-account", "account_c"),
    ("My_Thing__c", "custom-my-thing", "my_thing_c"), ("acme__My_Thing__c", "custom-acme--my-thing", "acme_my_thing_c"),
])  # fmt: skip
def test_names(name: str, obj: str, there: str) -> None:
    assert (object_of(name), marketo_name(name)) == (obj, there)
    kind = kind_of(Custom(name=name, marketo=there))
    assert isinstance(kind.resource, Resource)
    assert (kind.marketo, kind.resource.path) == (obj, f"customobjects/{there}")


def test_links_are_references_that_wait_and_companies_go_by_number() -> None:
    mapping = build(settings(BOTH)).objects[ENROLLMENTS]
    assert {item.key: (item.parent, item.parent_required, item.parent_number) for item in mapping.references} == {
        "Contact__c": ("person", True, False), "Lead__c": ("person", True, False), "Account__c": ("account", True, True),
        "Course__c": ("Course__c", True, False),
    }  # fmt: skip
    assert (mapping.delete_in_marketo, mapping.answer_is_witness, mapping.section) == (True, True, "custom_objects.Enrollment__c")


def test_what_salesforce_describes_and_marketo_has_is_mapped() -> None:
    mapping = build(settings(BOTH), describes("New__c")).objects[ENROLLMENTS]
    mapped = {item.key: item.type for item in mapping.fields if not item.parent}
    assert mapped == {"Grade__c": FieldType.TEXT, "Fee__c": FieldType.CURRENCY}, "New__c is not in Marketo yet"
    assert all(item.overlong is Overlong.CUT for item in mapping.fields if not item.parent)
    told = {**BOTH, "Enrollment__c": replace(ENROLLMENT, fields={"Grade__c": None, "Fee__c": FieldEntry(overlong=Overlong.REFUSE)})}
    changed = build(settings(told), describes()).objects[ENROLLMENTS]
    assert [(item.key, item.type, item.overlong) for item in changed.fields if not item.parent] == [
        ("Fee__c", FieldType.CURRENCY, Overlong.REFUSE)
    ]  # fmt: skip
    chosen = {**BOTH, "Enrollment__c": replace(ENROLLMENT, all_fields=False, fields={"Grade__c": FieldEntry()})}
    assert [item.key for item in build(settings(chosen), describes()).objects[ENROLLMENTS].fields if not item.parent] == ["Grade__c"]


def test_who_does_not_ask_salesforce_is_told_what_a_worker_has_mapped() -> None:
    known = {ENROLLMENTS: {"Grade__c": Default("Grade__c", "Grade__c", FieldType.PICKLIST)}}
    mapping = build(settings(BOTH), known=known).objects[ENROLLMENTS]
    assert [(item.key, item.type) for item in mapping.fields if not item.parent] == [("Grade__c", FieldType.PICKLIST)]


def test_an_object_that_marketo_has_not_is_left_out() -> None:
    assert ENROLLMENTS in build(settings(BOTH), describes()).objects
    assert COURSES not in build(settings(BOTH), describes()).objects


@pytest.mark.parametrize(("objects", "key", "word"), [
    ({"A__c": CustomObjectSettings(links={"B__c": "B__c"})}, "custom_objects.A__c.links.B__c", "B__c is no custom object of this section"),
    ({"A__c": CustomObjectSettings(links={"A__c": "A__c"})}, "custom_objects.A__c.links.A__c", "no custom object to itself"),
    ({"A__c": CustomObjectSettings(links={"B__c": "B__c"}), "B__c": CustomObjectSettings(links={"C__c": "contact"})},
     "custom_objects.A__c.links.B__c", "one that has links itself, and B__c has (C__c)"),
    ({"A__c": CustomObjectSettings(links={"B__c": "B__c"}), "B__c": CustomObjectSettings(sync=False)}, "custom_objects.A__c.links.B__c",
     "B__c is not kept in step"),
    ({"A__c": CustomObjectSettings(marketo="same_c"), "B__c": CustomObjectSettings(marketo="Same_c")}, "custom_objects.B__c",
     "A__c is called Same_c in Marketo, too"),
    ({"A__c": CustomObjectSettings(links={"C__c": "contact"}, fields={"C__c": FieldEntry()})}, "custom_objects.A__c.links.C__c",
     "it can't stand under fields as well"),
    ({f"O{number}__c": CustomObjectSettings() for number in range(TYPES_MAX + 1)}, "custom_objects.O10__c", "Marketo allows 10"),
])  # fmt: skip
def test_what_contradicts_itself(objects: dict[str, CustomObjectSettings], key: str, word: str) -> None:
    ((found, message),) = custom_problems(settings(objects))
    assert found == key
    assert word in message


def test_nothing_is_linked_to_accounts_that_are_not_kept_in_step() -> None:
    linked = settings({"A__c": CustomObjectSettings(links={"B__c": "account"})})
    off = replace(linked, kinds={**SETTINGS.kinds, "account": KindSettings(sync=False)})
    assert [key for key, _ in custom_problems(off)] == ["custom_objects.A__c.links.B__c"]
    assert list(custom_problems(settings(BOTH))) == []


def test_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tandem.yaml"
    head = (
        "salesforce: {url: 'http://localhost:1', client_id: a, client_secret: {env: S}}\n"
        "marketo: {url: 'http://localhost:1', client_id: a, client_secret: {env: S}}\n"
        "kafka: {bootstrap_servers: 'a:1'}\npostgres: {dsn: {env: DSN}}\n"
    )
    environ = {"S": "s", "DSN": "postgresql://a/b"}
    file.write_text(head + "custom_objects:\n  A__c: {links: {Contact__c: Contact}, fields: {Secret__c: false}, stream: false}\n")
    told = load(file, environ).custom_objects["A__c"]
    assert (dict(told.links), dict(told.fields), told.stream) == ({"Contact__c": "contact"}, {"Secret__c": None}, False)
    file.write_text(head + "custom_objects:\n  A: {}\n  B__c: {link: {}}\n  C__c: {links: {D__c: D__c}}\n")
    with pytest.raises(ConfigurationError) as found:
        load(file, environ)
    assert [problem.key for problem in found.value.problems] == [
        "custom_objects.A", "custom_objects.B__c.link", "custom_objects.C__c.links.D__c",
    ]  # fmt: skip
