"""The demo's people: the same from the same seed, nobody twice, within what both systems take."""

import re
import unicodedata
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from consumers.configuration.loading import load
from consumers.configuration.mapping.defaults import build
from consumers.merge.edits.values import NOBODY
from infra.demo.checker.latency import percentiles
from infra.demo.checker.sameness import normal
from infra.demo.checker.table import (
    ACCOUNT,
    CONTACT,
    DELETED_FLAG,
    LEAD,
    LINKS,
    NO_COMPANY,
    NO_PART,
    OPT_OUT,
    PLACEHOLDER,
    QUALIFIER,
    REFERENCES,
    TABLE,
    USER,
    VALUES,
    Kind,
)  # fmt: skip
from infra.demo.scenario.administrator import write_configuration
from infra.demo.scenario.population import NOTES_BYTES_MAX, Newcomer, Populace, marketo_record, salesforce_record

LENGTHS = {"FirstName": 40, "LastName": 80, "Title": 128, "Company": 255, "Phone": 40, "Fax": 40, "MobilePhone": 40, "Email": 80,
           "Street": 255, "MailingStreet": 255, "City": 40, "MailingCity": 40, "State": 80, "MailingState": 80, "PostalCode": 20,
           "MailingPostalCode": 20, "BillingPostalCode": 20, "BillingCity": 40, "BillingState": 80, "Sic": 20, "Site": 80, "Department": 80,
            "Country": 80, "MailingCountry": 80, "Website": 255}  # fmt: skip
"""What the org's own describe says (Object Reference, Lead and Contact)."""
KINDS = {Kind.REWRITTEN_PHONE: {"phone"}, Kind.DEMANDED: {"text"}, Kind.CHOICES: {"multipicklist"}, Kind.EMAIL: {"email"},
         Kind.NUMBER: {"number", "currency", "percent"}, Kind.BOOLEAN: {"boolean"}, Kind.DATE: {"date"}, Kind.DATETIME: {"datetime"},
         Kind.TEXT: {"text", "phone", "url", "picklist"}, Kind.OWNER: {"owner"}, Kind.ACCOUNT: {"reference"},
         Kind.DEAL: {"reference"}, Kind.PLAN: {"reference"}, Kind.COMPANY: {"reference"},
         Kind.CONTACT: {"reference"}, Kind.PART: {"picklist"}, Kind.COSTS: {"currency"}, Kind.CAMPAIGN: {"reference"},
         Kind.EITHER: {"reference"}}  # fmt: skip


@pytest.fixture(scope="module")
def newcomers() -> list[Newcomer]:
    return Populace(Random(7)).newcomers(600)


def test_the_same_seed_brings_the_same_people(newcomers: list[Newcomer]) -> None:
    assert Populace(Random(7)).newcomers(600) == newcomers
    assert Populace(Random(8)).newcomers(600) != newcomers


def test_half_of_them_are_in_both_systems_and_nobody_twice_in_one(newcomers: list[Newcomer]) -> None:
    for told in ([each.salesforce for each in newcomers], [each.marketo for each in newcomers]):
        people = [facts for facts in told if facts is not None]
        assert len(people) == 600
        emails = Counter(normal(Kind.EMAIL, facts["email"]) for facts in people if "email" in facts)
        assert max(emails.values()) == 1
    assert sum(each.salesforce is not None and each.marketo is not None for each in newcomers) == 300
    assert {each.object for each in newcomers} == {LEAD, CONTACT}


def test_they_have_names_of_many_scripts_blanks_and_long_texts(newcomers: list[Newcomer]) -> None:
    everyone = [facts for each in newcomers for facts in (each.salesforce, each.marketo) if facts is not None]
    scripts = {unicodedata.name(facts["lastName"][0]).split()[0] for facts in everyone if "lastName" in facts}
    assert {"LATIN", "CJK", "HANGUL", "ARABIC", "HEBREW", "CYRILLIC", "GREEK", "DEVANAGARI"} <= scripts
    assert any("firstName" not in facts for facts in everyone)
    assert any("email" not in facts for facts in everyone)
    assert any("company" not in facts for facts in everyone)
    assert any(len(facts.get("mktoPersonNotes", "")) > 5_000 for facts in everyone)


def test_everything_fits_into_both_systems(newcomers: list[Newcomer]) -> None:
    for each in newcomers:
        for name, value in salesforce_record(each.object, each.salesforce or {}).items():
            assert len(str(value)) <= LENGTHS.get(name, 32_000), name
        notes = marketo_record(each.object, each.marketo or {}).get("mktoPersonNotes", "")
        assert len(notes.encode()) <= NOTES_BYTES_MAX


def test_no_text_comes_twice() -> None:
    """An edit's value tells which edit it was; the judgement rests on it."""
    populace = Populace(Random(1))
    for name in ("title", "city", "phone", "mobilePhone", "firstName", "mktoPersonNotes", "postalCode"):
        each = next(field for field in VALUES[LEAD] if field.marketo == name)
        values = [normal(each.kind, populace.value(each)) for _ in range(300)]
        assert len(set(values)) == 300, name


def test_the_checks_own_table_says_what_the_demos_configuration_means(tmp_path: Path) -> None:
    """They are written down twice; here they are held against each other."""
    file = tmp_path / "tandem.yaml"
    write_configuration(file)
    told = dict.fromkeys(re.findall(r"TANDEM_[A-Z_]+", file.read_text()), "x")
    addresses = {"TANDEM_SALESFORCE_URL": "http://localhost:1", "TANDEM_MARKETO_URL": "http://localhost:2"}
    addresses |= {"TANDEM_POSTGRES_DSN": "postgresql://localhost:5/x", "TANDEM_FLOW_STEPS_PORT": "6", "TANDEM_CONSOLE_PORT": "7"}
    settings = load(
        file,
        {
            **told,
            **addresses,
            "TANDEM_KAFKA_BOOTSTRAP": "localhost:3",
            "TANDEM_WEB_PORT": "4",
            "TANDEM_FLOW_STEPS_PORT": "6",
            "TANDEM_CONSOLE_PORT": "7",
        },
    )
    rules = build(settings)
    assert NO_COMPANY == NOBODY
    for entry in TABLE:
        mapping = next(each for each in rules.objects.values() if each.api_name == entry.salesforce)
        mapped = {item.salesforce: item for item in mapping.fields if item.salesforce}
        said = {each.salesforce: each.marketo for each in entry.mapped if not mapping.described or each.salesforce in mapped}
        assert said == {name: item.marketo for name, item in mapped.items()}, "what Salesforce describes is no part of the file"
        assert (
            mapping.resource is None
            or entry.alike
            or mapping.resource.key == ((entry.link,) if entry.link else tuple(each.marketo for each in entry.key))
        )
        for each in entry.mapped:
            if mapping.described and each.salesforce not in mapped:
                continue
            item = mapped[each.salesforce]
            assert str(item.type) in KINDS[each.kind], each
            assert str(item.rule.default) == entry.winner
            assert str(item.rule.name) == ("true_wins" if each.marketo == OPT_OUT else entry.winner)
            assert (item.required_default == PLACEHOLDER) == (each.kind is Kind.DEMANDED)
            assert bool(item.parent) == (each.kind in (*REFERENCES, Kind.CONTACT, Kind.COMPANY, Kind.CAMPAIGN, Kind.EITHER))
            assert (item.blank == NO_PART) == (each.kind is Kind.PART)
    assert (rules.links.lead_id, rules.links.contact_id, rules.links.is_deleted) == (LINKS[LEAD], LINKS[CONTACT], DELETED_FLAG)
    assert [clause.field for group in rules.qualification.groups for clause in group] == [QUALIFIER]


def test_accounts_and_users_fit_into_both_systems_and_no_two_are_alike() -> None:
    populace = Populace(Random(3))
    for object_name in (ACCOUNT, USER):
        told = [salesforce_record(object_name, populace.facts(object_name, sparse=False)) for _ in range(50)]
        assert {each.salesforce for each in VALUES[object_name]} == told[0].keys()
        for facts in told:
            assert all(len(str(value)) <= LENGTHS.get(name, 255) for name, value in facts.items()), facts
        named = "Name" if object_name == ACCOUNT else "Email"
        assert len({facts[named] for facts in told}) == 50


def test_percentiles_are_of_nearest_rank() -> None:
    assert percentiles(range(1, 101)) == {"p50": 50, "p95": 95, "p99": 99, "n": 100}
    assert percentiles([7]) == {"p50": 7, "p95": 7, "p99": 7, "n": 1}
    assert percentiles([]) == {}
