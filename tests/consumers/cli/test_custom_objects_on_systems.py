"""`tandem custom-objects` against the sandbox: what it plans, makes, refuses, and with which exit code it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.cli.test_command_line_on_systems import config, environ, operate, tandem

__all__ = ["config", "environ"]
pytestmark = pytest.mark.integration


def declared(config: str, text: str) -> None:
    file = Path(config)
    file.write_text(f"{file.read_text()}custom_objects:\n{text}")


def define(sandbox: dict[str, Any], name: str, *fields: dict[str, Any]) -> None:
    operate(
        sandbox, "salesforce/define_object", {"name": name, "label": name.removesuffix("__c").replace("_", " "), "fields": list(fields)}
    )


@pytest.fixture
def without_schema_api(sandbox: dict[str, Any]) -> Iterator[None]:
    operate(sandbox, "marketo/options", {"object_schema_api": False})
    yield
    operate(sandbox, "marketo/options", {"object_schema_api": True})


def test_plan_changes_nothing_and_apply_makes_it(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    lookup = {"name": "Who__c", "type": "reference", "reference_to": ["Contact"]}
    define(sandbox, "Course_A__c", {"name": "Starts__c", "type": "date"})
    define(sandbox, "Seat_A__c", lookup, {"name": "Course__c", "type": "reference", "reference_to": ["Course_A__c"]})
    declared(config, "  Seat_A__c: {links: {Who__c: contact, Course__c: Course_A__c}}\n  Course_A__c: {}\n")
    planned = tandem(config, environ, "custom-objects", "plan")
    assert planned.exit_code == 6
    assert "Course_A__c -> course_a_c (Course A): to be made with 5 fields, and approved" in planned.stdout
    assert "  + Course__c (Course): link to course_a_c salesforceId" in planned.stdout
    assert "2 to be made or changed: tandem custom-objects apply" in planned.stdout
    told = json.loads(tandem(config, environ, "custom-objects", "plan", "--json").stdout)
    assert [(each["name"], each["state"], each["create"]) for each in told["objects"]] == [
        ("Course_A__c", "absent", True), ("Seat_A__c", "absent", True),
    ]  # fmt: skip
    made = tandem(config, environ, "custom-objects", "apply")
    assert made.exit_code == 0, made.output
    assert "2 made and approved." in made.stdout
    again = tandem(config, environ, "custom-objects", "plan", "--all")
    assert again.exit_code == 0, again.output
    assert "Marketo has them all, as they are in Salesforce." in again.stdout
    assert "SystemModstamp: Salesforce's own" in again.stdout


def test_an_apply_that_was_cut_off_is_completed(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    define(sandbox, "Cut__c", {"name": "Note__c", "type": "string"})
    declared(config, "  Cut__c: {}\n")
    fault = {"system": "marketo", "match": {"method": "POST", "path": "/rest/v1/customobjects/schema/cut_c/approve.json"}}
    operate(sandbox, "faults", {**fault, "action": {"type": "lose_request"}, "times": 1})
    assert tandem(config, environ, "custom-objects", "apply").exit_code == 3
    planned = json.loads(tandem(config, environ, "custom-objects", "plan", "--json").stdout)["objects"][0]
    assert (planned["state"], planned["create"], planned["add"], planned["approve"]) == ("draft", False, [], True)
    assert "its draft was approved" in tandem(config, environ, "custom-objects", "apply").stdout
    assert tandem(config, environ, "custom-objects", "plan").exit_code == 0


def test_check_and_apply_wait_where_the_calls_of_the_instance_are_used_up(
    config: str, environ: dict[str, str], sandbox: dict[str, Any]
) -> None:
    """As happens beside a worker: what the object lacks is told all the same."""
    define(sandbox, "Busy__c", {"name": "Note__c", "type": "string"})
    declared(config, "  Busy__c: {}\n")
    fault = {"system": "marketo", "match": {"method": "GET", "path": "/rest/v1/customobjects/schema.json"}}
    operate(sandbox, "faults", {**fault, "action": {"type": "rate_limit"}, "times": 1})
    assert tandem(config, environ, "custom-objects", "apply").exit_code == 0
    operate(sandbox, "salesforce/define_field", {"object": "Busy__c", "field": {"name": "Room__c", "type": "string"}})
    operate(sandbox, "faults", {**fault, "action": {"type": "rate_limit"}, "times": 1})
    checked = json.loads(tandem(config, environ, "check", "--json").stdout)
    assert "Marketo's busy_c lacks Room__c" in [each["message"] for each in checked["findings"]]


def test_more_than_marketo_takes_is_refused_with_what_is_beyond(config: str, environ: dict[str, str], sandbox: dict[str, Any]) -> None:
    define(sandbox, "Wide__c", *({"name": f"F{number:02}__c", "type": "string"} for number in range(60)))
    declared(config, "  Wide__c: {}\n")
    result = tandem(config, environ, "custom-objects", "apply")
    assert result.exit_code == 1
    assert "Wide__c -> wide_c (Wide): can't be made" in result.stdout
    assert "Marketo takes 50: leave some out (custom_objects.Wide__c.fields.NAME: false)" in result.stdout
    assert result.stdout.split("Beyond the limit: ")[1].startswith("F")
    assert "wide_c" not in {each["apiName"] for each in _types(sandbox)}


@pytest.mark.usefixtures("without_schema_api")
def test_without_the_interface_for_types_it_says_what_to_make_by_hand(
    config: str, environ: dict[str, str], sandbox: dict[str, Any]
) -> None:
    define(sandbox, "Hand__c", {"name": "Price__c", "type": "currency"})
    declared(config, "  Hand__c: {}\n")
    result = tandem(config, environ, "custom-objects", "apply")
    assert result.exit_code == 1
    assert ": 616 " in result.stdout
    assert "salesforceId (string)" in result.stdout
    assert "Price__c (currency)" in result.stdout


def test_what_is_not_there_in_salesforce_is_said(config: str, environ: dict[str, str]) -> None:
    declared(config, "  Nowhere__c: {}\n")
    result = tandem(config, environ, "custom-objects", "plan")
    assert result.exit_code == 1
    assert "Nowhere__c is not visible to Tandem's user in Salesforce" in result.stdout


def test_none_are_declared(config: str, environ: dict[str, str]) -> None:
    result = tandem(config, environ, "custom-objects", "plan")
    assert (result.exit_code, result.stdout) == (0, "The configuration names no custom objects (custom_objects).\n")


def _types(sandbox: dict[str, Any]) -> list[dict[str, Any]]:
    import urllib.request  # noqa: PLC0415 - only here

    with urllib.request.urlopen(f"{sandbox['sandbox']['url']}/dump/marketo/CustomObjectType", timeout=10) as answer:  # noqa: S310 - our own
        return [json.loads(line) for line in answer.read().splitlines()]
