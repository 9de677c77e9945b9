"""The part of the configuration that makes the rules: taken out, put into other settings, put back into a file."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.configuration.loading import ConfigurationError, load
from consumers.configuration.mapping.defaults import build
from consumers.configuration.reading.sections import settings as keys
from consumers.configuration.reference import shown
from consumers.configuration.rules import NOT_RULES, put_back, rules_part, with_rules, without_defaults
from consumers.configuration.settings import Settings
from tests.consumers.configuration.test_configuration_published import ENVIRON, EXAMPLE, SECTIONS

OTHER = {
    "lead": {"fields": {"title": {"rule": "salesforce"}, "fax": False}},
    "opportunity": {"sync": False},
}


def loaded(folder: Path, told: dict[str, Any]) -> Settings:
    file = folder / "tandem.yaml"
    file.write_text(yaml.safe_dump(told))
    return load(file, ENVIRON)


def test_it_has_what_makes_the_rules_and_nothing_else(tmp_path: Path) -> None:
    told = loaded(tmp_path, SECTIONS)
    part = rules_part(told)
    assert keys(Settings).keys() >= NOT_RULES
    assert part.keys() | NOT_RULES >= {key for key, value in shown(told).items() if value is not None}
    assert "TANDEM" not in yaml.safe_dump(part), "no secret, and no name of one"


def test_settings_with_the_rules_of_others_make_their_rules(tmp_path: Path) -> None:
    plain, other = loaded(tmp_path, SECTIONS), loaded(tmp_path, {**SECTIONS, **OTHER, "web": {"port": 1}})
    assert build(plain).version != build(other).version
    mixed = with_rules(plain, rules_part(other))
    assert build(mixed).version == build(other).version
    assert (mixed.web.port, rules_part(mixed)) == (plain.web.port, rules_part(other))
    assert with_rules(other, rules_part(other)) == other
    example = load(EXAMPLE, ENVIRON)
    assert with_rules(plain, rules_part(example)).kinds == example.kinds


def test_what_is_so_anyway_is_left_out_and_means_the_same(tmp_path: Path) -> None:
    plain, example = loaded(tmp_path, SECTIONS), load(EXAMPLE, ENVIRON)
    assert without_defaults(rules_part(plain)) == {}
    short = without_defaults(rules_part(example))
    assert rules_part(with_rules(plain, short)) == rules_part(example)
    assert len(yaml.safe_dump(short)) < len(yaml.safe_dump(rules_part(example)))


FILE = """# Tandem of ACME
salesforce: {url: 'https://a.b', client_id: a, client_secret: {env: TANDEM_POSTGRES_DSN}}   # ours

# how leads go
lead:
  fields:
    title: {rule: newest}   # since May

# the other side
marketo:
  url: https://a.b
  client_id: a
  client_secret: {env: TANDEM_POSTGRES_DSN}
kafka: {bootstrap_servers: 'a:1'}
postgres: {dsn: {env: TANDEM_POSTGRES_DSN}}
opportunity: {sync: false}
"""


def test_a_file_gets_other_rules_and_keeps_the_rest_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "tandem.yaml"
    file.write_text(FILE)
    present = load(file, ENVIRON)
    before = rules_part(loaded(tmp_path, {**SECTIONS, **OTHER}))
    told = put_back(FILE, before, "The rules of version 1, put back.")
    file.write_text(told)
    assert rules_part(load(file, ENVIRON)) == before
    assert "since May" not in told
    for line in ("# Tandem of ACME", "# ours", "# the other side", "# The rules of version 1, put back."):
        assert line in told, line
    again = put_back(told, rules_part(present), "Back again.")
    file.write_text(again)
    assert load(file, ENVIRON) == present
    assert again.count("marketo:") == 1


def test_what_can_not_be_put_back_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="block of keys"):
        put_back("{salesforce: {}}", {}, "x")
    with pytest.raises(ConfigurationError, match="no part of the rules"):
        with_rules(loaded(tmp_path, SECTIONS), {"web": {"port": 7}})
    with pytest.raises(ConfigurationError):
        with_rules(loaded(tmp_path, SECTIONS), {"lead": {"fields": {"title": {"rule": "nonsense"}}}})
