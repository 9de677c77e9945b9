"""What is published about the configuration agrees with its definition, and with the example."""

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from consumers.configuration.loading import ConfigurationError, load
from consumers.configuration.mapping.defaults import build
from consumers.configuration.reference import reference_tables, schema, schema_text, shown
from consumers.mapping.fields import Direction
from streams.wire.systems import LEAD

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "infra/config/example.yaml"
NAMES = ("SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET", "MARKETO_CLIENT_ID", "MARKETO_CLIENT_SECRET", "POSTGRES_DSN")
ENVIRON = {f"TANDEM_{name}": "something" for name in NAMES} | {"TANDEM_POSTGRES_DSN": "postgresql://someone:secret@localhost/tandem"}
SECTIONS: dict[str, Any] = {
    "salesforce": {"url": "https://a.b", "client_id": "a", "client_secret": {"env": "TANDEM_POSTGRES_DSN"}},
    "marketo": {"url": "https://a.b", "client_id": "a", "client_secret": {"env": "TANDEM_POSTGRES_DSN"}},
    "kafka": {"bootstrap_servers": "a:1"},
    "postgres": {"dsn": {"env": "TANDEM_POSTGRES_DSN"}},
}


def test_the_published_schema_is_up_to_date() -> None:
    published = (ROOT / "consumers/configuration/schema.json").read_bytes()
    assert published == schema_text(), "write it anew: tandem config schema > consumers/configuration/schema.json"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_reference_is_up_to_date() -> None:
    text = (ROOT / "infra/docs/configuration.md").read_text()
    assert text.endswith(reference_tables()), "replace what follows the comment by what tandem config reference prints"


def test_every_setting_says_what_it_is_for() -> None:
    rows = [line for line in reference_tables().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert all(len(row.split("|")[-2].strip()) > 3 for row in rows)


def test_the_example_loads_and_makes_rules() -> None:
    settings = load(EXAMPLE, ENVIRON)
    rules = build(settings)
    lead = rules.objects[LEAD].by_key
    assert lead["leadScore"].direction is Direction.TO_SALESFORCE
    assert "fax" not in lead
    assert lead["syncToSalesforce"].salesforce == ""


def test_the_example_fits_the_schema() -> None:
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), schema())


def test_what_config_show_prints_is_a_configuration(tmp_path: Path) -> None:
    told = shown(load(EXAMPLE, ENVIRON))
    assert told["salesforce"]["client_secret"] == {"env": "TANDEM_SALESFORCE_CLIENT_SECRET"}
    jsonschema.validate(told, schema())
    again = tmp_path / "tandem.yaml"
    again.write_text(yaml.safe_dump(told, sort_keys=False))
    assert load(again, ENVIRON) == load(EXAMPLE, ENVIRON)
    assert told["lead"]["fields"]["fax"] is False
    assert told["intervals"]["poll"] == "5m"


REFUSED: dict[str, dict[str, Any]] = {
    "unknown section": {"peple": {}},
    "literal secret": {"postgres": {"dsn": "postgresql://t:t@h/t"}},
    "unknown key": {"web": {"hots": "x"}},
    "choice": {"echo": "both"},
    "duration": {"intervals": {"poll": 300}},
    "number": {"web": {"port": 70_000}},
    "rule": {"lead": {"fields": {"title": {"rule": "newst"}}}},
    "field name": {"lead": {"fields": {"x y": False}}},
    "empty group": {"people": {"qualify": [{}]}},
    "order of one": {"contact": {"fields": {"title": {"rule": {"never_backwards": ["a"]}}}}},
}


@pytest.mark.parametrize("part", REFUSED.values(), ids=REFUSED)
def test_schema_and_program_refuse_the_same(tmp_path: Path, part: dict[str, Any]) -> None:
    whole = SECTIONS | part
    assert not jsonschema.Draft202012Validator(schema()).is_valid(whole)
    file = tmp_path / "tandem.yaml"
    file.write_text(orjson.dumps(whole).decode())
    with pytest.raises(ConfigurationError):
        load(file, ENVIRON)


def test_schema_and_program_take_the_same_least(tmp_path: Path) -> None:
    jsonschema.validate(SECTIONS, schema())
    file = tmp_path / "tandem.yaml"
    file.write_text(orjson.dumps(SECTIONS).decode())
    assert load(file, ENVIRON).kafka.bootstrap_servers == "a:1"
