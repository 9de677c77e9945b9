"""What Marketo's custom objects lack, what can't be made there, and what `tandem check` says of it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from consumers.configuration.groups.custom import CustomObjectSettings, declared
from consumers.configuration.groups.rules import FieldEntry
from consumers.fitting.custom.objects import Planned, absent, findings
from consumers.fitting.custom.plan import Known, ObjectPlan, planned
from consumers.kinds.custom import FIELDS_MAX, KEY, TYPES_MAX
from consumers.mapping.describes import FieldFacts, salesforce_fields
from streams.marketo.api.object_types import ObjectType, TypeField
from tests.consumers.configuration.test_default_mapping import SETTINGS

NAME = "Subscription__c"
OBJECTS = {
    NAME: CustomObjectSettings(links={"Contact__c": "contact", "Account__c": "account", "Plan__c": "Plan__c"}),
    "Plan__c": CustomObjectSettings(),
}
TYPED = {
    "Text__c": ("string", 80), "Long__c": ("textarea", 32_000), "Short__c": ("textarea", 255), "Pick__c": ("picklist", 255),
    "Multi__c": ("multipicklist", 4099), "Whole__c": ("int", 0), "Float__c": ("double", 0), "Money__c": ("currency", 0),
    "Share__c": ("percent", 0), "Day__c": ("date", 0), "Moment__c": ("datetime", 0), "Mail__c": ("email", 80), "Call__c": ("phone", 40),
    "Page__c": ("url", 255), "Box__c": ("boolean", 0), "OwnerId": ("reference", 18), "Formula__c": ("double", 0),
}  # fmt: skip
WANTED = {
    "Text__c": "string", "Long__c": "text", "Short__c": "string", "Pick__c": "string", "Multi__c": "text", "Whole__c": "integer",
    "Float__c": "float", "Money__c": "currency", "Share__c": "float", "Day__c": "date", "Moment__c": "datetime", "Mail__c": "email",
    "Call__c": "phone", "Page__c": "string", "Box__c": "boolean", "OwnerId": "string", "Formula__c": "float",
}  # fmt: skip


def facts(**types: tuple[str, int]) -> Mapping[str, FieldFacts]:
    """As Salesforce describes them; beside them what every record has, and what can't be kept in step."""
    more = {"Id": ("id", 18), "SystemModstamp": ("datetime", 0), "LastViewedDate": ("datetime", 0), "Place__c": ("location", 0)}
    lookups = {"Contact__c": ("reference", 18), "Account__c": ("reference", 18), "Plan__c": ("reference", 18)}
    told = {**more, **lookups, **types}
    labelled = ((name, kind, length, name.removesuffix("__c")) for name, (kind, length) in told.items())
    return salesforce_fields({"name": name, "type": kind, "length": length, "label": label} for name, kind, length, label in labelled)


def approved(plan: ObjectPlan, state: str = "approved") -> ObjectType:
    """What Marketo has once a plan was applied: links show as what they hold."""
    shown = {each.name: replace(each, type="integer") if each.related and each.related[1] == "id" else each for each in plan.add}
    return ObjectType(name=plan.marketo, label=plan.label, state=state, key=(KEY,), fields=shown)


def plan(known: Known, told: CustomObjectSettings | None = None, types: tuple[str, ...] = ()) -> ObjectPlan:
    objects = {**OBJECTS, NAME: told or OBJECTS[NAME]}
    plans = planned(declared(objects), objects, {NAME: known, "Plan__c": Known(facts=facts())}, types)
    assert [each.name for each in plans] == ["Plan__c", NAME], "parents come first"
    return plans[1]


def test_a_type_for_each_type_and_links_to_what_lookups_name() -> None:
    made = plan(Known(facts=facts(**TYPED), label="Subscription", plural="Subscriptions"))
    assert (made.create, made.approve, made.state, made.marketo, made.plural) == (True, True, "absent", "subscription_c", "Subscriptions")
    assert {each.name: each.type for each in made.add if each.related is None} == {KEY: "string", **WANTED}
    assert {each.name: each.related for each in made.add if each.related} == {
        "Contact__c": ("lead", "id"), "Account__c": ("company", "id"), "Plan__c": ("plan_c", KEY),
    }  # fmt: skip
    assert made.add[0].name == KEY, "what names a record comes first"
    assert {each.field: each.why for each in made.left_out} == {
        "Id": "Salesforce's own", "SystemModstamp": "Salesforce's own", "LastViewedDate": "Salesforce's own",
        "Place__c": "its type (location) can't be kept in step",
    }  # fmt: skip


def test_what_was_applied_is_in_step() -> None:
    first = plan(Known(facts=facts(**TYPED)))
    again = plan(Known(facts=facts(**TYPED), approved=approved(first)))
    assert (again.changes, again.problems, again.differs, again.unused) == (False, (), (), ())


def test_a_new_field_is_added_and_one_that_is_gone_is_told() -> None:
    there = approved(plan(Known(facts=facts(Old__c=("string", 80)))))
    again = plan(Known(facts=facts(New__c=("date", 0)), approved=there))
    assert ([each.name for each in again.add], again.approve, again.unused, again.create) == (["New__c"], True, ("Old__c",), False)


def test_a_draft_that_was_begun_is_completed() -> None:
    made = plan(Known(facts=facts(**TYPED)))
    begun = ObjectType(name=made.marketo, label="", state="draft", key=(), fields={each.name: each for each in made.add[:5]})
    again = plan(Known(facts=facts(**TYPED), draft=begun))
    assert (again.create, again.approve, again.state) == (False, True, "draft")
    assert [each.name for each in again.add] == [each.name for each in made.add[5:]]
    whole = plan(Known(facts=facts(**TYPED), draft=replace(begun, fields={each.name: each for each in made.add})))
    assert (whole.add, whole.approve, whole.changes) == ((), True, True)


@pytest.mark.parametrize(("change", "word"), [
    ({"Contact__c": TypeField(name="Contact__c", label="", type="string", related=None)}, "Contact__c is linked to nothing in Marketo"),
    ({"Plan__c": TypeField(name="Plan__c", label="", type="string", related=("car_c", "vin"))}, "Plan__c is linked to car_c vin"),
    ({"Text__c": TypeField(name="Text__c", label="", type="date")}, "Text__c is of type date in Marketo and would be string"),
])  # fmt: skip
def test_what_can_not_be_changed_any_more_is_told(change: dict[str, TypeField], word: str) -> None:
    there = approved(plan(Known(facts=facts(**TYPED))))
    again = plan(Known(facts=facts(**TYPED), approved=replace(there, fields={**there.fields, **change})))
    assert (again.changes, len(again.differs)) == (False, 1)
    assert again.differs[0].startswith(word)


def test_a_link_that_is_missing_in_an_approved_object_can_not_be_added() -> None:
    there = approved(plan(Known(facts=facts(**TYPED))))
    again = plan(
        Known(
            facts=facts(**TYPED), approved=replace(there, fields={name: each for name, each in there.fields.items() if name != "Plan__c"})
        )
    )
    assert (again.add, len(again.differs)) == ((), 1)
    assert "Plan__c is a link and is missing in Marketo" in again.differs[0]
    other = plan(Known(facts=facts(**TYPED), approved=replace(there, key=("vin",))))
    assert other.differs[0].startswith("Marketo tells its records apart by vin")


def test_more_fields_than_marketo_takes_are_named() -> None:
    many = {f"F{number:02}__c": ("string", 80) for number in range(FIELDS_MAX)}
    made = plan(Known(facts=facts(**many)))
    assert len(made.problems) == 1
    assert "it has 54 fields, Marketo takes 50" in made.problems[0]
    assert made.problems[0].endswith("Beyond the limit: F46__c, F47__c, F48__c, F49__c")
    chosen = replace(OBJECTS[NAME], all_fields=False, fields={"F01__c": FieldEntry(), "amount": FieldEntry(salesforce="F02__c")})
    fewer = plan(Known(facts=facts(**many)), chosen)
    assert (fewer.problems, [each.name for each in fewer.add][4:]) == ((), ["F01__c", "amount"])
    there = approved(plan(Known(facts=facts())))
    later = plan(Known(facts=facts(**dict(list(many.items())[:21])), approved=there))
    assert "21 fields are new, Marketo takes 20 more" in later.problems[0]
    assert later.problems[0].endswith("Beyond the limit: F20__c")


def test_more_objects_than_marketo_takes_are_told() -> None:
    full = plan(Known(facts=facts()), types=tuple(f"t{number}_c" for number in range(TYPES_MAX)))
    assert any(why.startswith("Marketo allows 10 custom objects, and has t0_c") for why in full.problems)
    assert any("Plan__c, to which it is linked, can't be made" in why for why in full.problems)


def test_what_salesforce_does_not_show_is_a_problem() -> None:
    assert "is not visible to Tandem's user in Salesforce" in plan(Known(facts=None)).problems[0]
    without = {name: each for name, each in facts().items() if name != "Contact__c"}
    assert plan(Known(facts=without)).problems == ("Contact__c, a link, is no field that Tandem's user can see in Salesforce",)


def test_fields_of_one_label_are_told_apart() -> None:
    told = {**facts(A__c=("string", 80), B__c=("string", 80))}
    told |= {name: replace(told[name], label="Rate (%)") for name in ("A__c", "B__c")}
    labels = {each.name: each.label for each in plan(Known(facts=told)).add}
    assert (labels["A__c"], labels["B__c"]) == ("Rate A__c", "Rate B__c")


def test_what_check_says() -> None:
    settings = replace(SETTINGS, custom_objects=OBJECTS)
    new = plan(Known(facts=facts()))
    made = Planned(objects=(new,))
    (problem,) = findings(settings, made)
    assert (problem.level, problem.object, problem.remedy) == (
        "problem", "custom-subscription", "Run tandem custom-objects apply. Then start the workers again.",
    )  # fmt: skip
    assert absent(settings, made) == {"custom-subscription"}
    more = Planned(objects=(plan(Known(facts=facts(New__c=("date", 0)), approved=approved(new))),))
    (warning,) = findings(settings, more)
    assert (warning.level, warning.message) == ("warning", "Marketo's subscription_c lacks New__c")
    assert absent(settings, more) == frozenset()
    alone = replace(settings, custom_objects={NAME: CustomObjectSettings()})
    assert (
        "is linked to nothing"
        in findings(alone, Planned(objects=(replace(new, create=False, add=(), approve=False, state="approved"),)))[0].message
    )
