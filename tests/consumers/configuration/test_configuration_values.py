"""What a good configuration file becomes."""

from pathlib import Path

import pytest

from consumers.configuration.loading import Flow, Settings, load
from consumers.configuration.reading.times import duration, duration_text
from consumers.configuration.reading.types import Secret
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.mapping.fields import Clause, Conflict, Qualification, RuleName
from streams.salesforce.api.access.settings import ClientCredentials, Credentials, JwtBearer, Password, RefreshToken
from streams.wire.systems import LEAD, System

ENVIRON = {
    "SF": "salesforce-secret",
    "MK": "marketo-secret",
    "PG": "postgresql://t:pg-secret@localhost/t",
    "PORT": "7001",
    "HOST": "k:1, k:2",
}
SALESFORCE = "salesforce: {url: 'https://a.my.salesforce.com/', client_id: app, client_secret: {env: SF}}"
REST = """
marketo: {url: https://1-A-2.mktorest.com, client_id: {env: MK}, client_secret: {env: MK}}
kafka: {bootstrap_servers: {env: HOST}}
postgres: {dsn: {env: PG}}
"""


def loaded(tmp_path: Path, extra: str = "", *, salesforce: str = SALESFORCE, environ: dict[str, str] | None = None) -> Settings:
    file = tmp_path / "tandem.yaml"
    file.write_text(f"{salesforce}{REST}{extra}")
    return load(file, ENVIRON if environ is None else environ)


def test_defaults_are_those_of_the_native_sync(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert (settings.lead.winner, settings.contact.winner) == (System.MARKETO, System.SALESFORCE)
    assert settings.people.qualify == Qualification()
    assert settings.people.new == LEAD
    assert not settings.people.delete_in_salesforce
    assert not settings.people.delete_in_marketo
    assert settings.intervals.poll_seconds == 300.0
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 6066)


def test_any_value_may_come_from_the_environment(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "web: {port: {env: PORT}}")
    assert settings.web.port == 7001
    assert settings.kafka.bootstrap_servers == "k:1,k:2"
    assert settings.marketo.client_id == "marketo-secret"


def test_a_variable_may_name_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://from-a-file\n")
    environ = {name: value for name, value in ENVIRON.items() if name != "PG"} | {"PG_FILE": str(secret)}
    assert loaded(tmp_path, environ=environ).postgres.dsn.reveal() == "postgresql://from-a-file"


def test_a_variable_goes_before_the_file_of_its_name(tmp_path: Path) -> None:
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://from-a-file\n")
    assert loaded(tmp_path, environ=ENVIRON | {"PG_FILE": str(secret)}).postgres.dsn.reveal() == ENVIRON["PG"]


def test_files_are_looked_up_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("  refresh-me\n")
    told = loaded(tmp_path, salesforce="salesforce: {url: https://a.b, client_id: app, refresh_token: {file: token}}")
    assert told.salesforce.refresh_token == Secret("refresh-me", "elsewhere")


def test_secrets_show_where_they_come_from_and_never_what_they_are(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    shown = repr(settings)
    assert "Secret(env: SF)" in shown
    assert "salesforce-secret" not in shown
    assert "pg-secret" not in shown


def test_a_version_needs_no_quotes(tmp_path: Path) -> None:
    told = loaded(tmp_path, salesforce="salesforce: {url: https://a.b, client_id: 0123, client_secret: {env: SF}, api_version: 60.0}")
    assert (told.salesforce.api_version, told.salesforce.client_id) == ("60.0", "0123")


FLOWS: dict[str, tuple[str, Flow, Credentials]] = {
    "client credentials": (
        "client_secret: {env: SF}",
        Flow.CLIENT_CREDENTIALS,
        ClientCredentials(client_id="app", client_secret="salesforce-secret"),
    ),
    "jwt": (
        "private_key: {env: SF}, username: u@example.com, login_url: 'https://test.salesforce.com'",
        Flow.JWT,
        JwtBearer(client_id="app", username="u@example.com", private_key_pem="salesforce-secret", audience="https://test.salesforce.com"),
    ),
    "refresh": (
        "refresh_token: {env: SF}",
        Flow.REFRESH,
        RefreshToken(client_id="app", refresh_token="salesforce-secret"),
    ),
    "password": (
        "client_secret: {env: SF}, username: u@example.com, password: {env: MK}",
        Flow.PASSWORD,
        Password(client_id="app", username="u@example.com", client_secret="salesforce-secret", password="marketo-secret"),
    ),
}


@pytest.mark.parametrize(("given", "flow", "credentials"), FLOWS.values(), ids=FLOWS)
def test_the_credentials_say_how_to_sign_in(tmp_path: Path, given: str, flow: Flow, credentials: Credentials) -> None:
    settings = loaded(tmp_path, salesforce=f"salesforce: {{url: https://a.b, client_id: app, {given}}}")
    assert settings.salesforce.flow is flow
    assert salesforce_settings(settings).credentials == credentials


def test_the_adapters_get_what_the_file_says(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert salesforce_settings(settings).base_url == "https://a.my.salesforce.com"
    assert marketo_settings(settings).client_secret == "marketo-secret"
    assert marketo_settings(settings).time_zone == "America/Chicago"


def test_qualification(tmp_path: Path) -> None:
    rule = (
        "[{score: {at_least: 50}, country: [FR, 'no', 7]}, {sync: true}, {phone: {filled: true}, kind: {equals: a}, tier: {any_of: [1.5]}}]"
    )
    assert loaded(tmp_path, f"people: {{qualify: {rule}}}").people.qualify == Qualification(
        groups=(
            (Clause(field="score", at_least=50.0), Clause(field="country", any_of=("FR", "no", 7))),
            (Clause(field="sync", any_of=(True,)),),
            (Clause(field="phone", filled=True), Clause(field="kind", any_of=("a",)), Clause(field="tier", any_of=(1.5,))),
        )
    )
    assert loaded(tmp_path, "people: {qualify: everyone}").people.qualify.everyone


def test_a_conflict_function_is_imported_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "our_conflict_rules.py").write_text("def longest(conflict):\n    return 'marketo'\n")
    settings = loaded(tmp_path, "lead: {fields: {title: {rule: {function: 'our_conflict_rules:longest'}}}}")
    entry = settings.lead.fields["title"]
    assert entry is not None
    assert entry.rule is not None
    assert entry.rule.name is RuleName.FUNCTION
    assert entry.rule.function is not None
    conflict = Conflict(field="title", object=LEAD, salesforce="a", marketo="b", salesforce_at=1, marketo_at=2)
    assert entry.rule.function(conflict) == "marketo"


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("1.5m", 90), ("2h", 7200), ("14d", 1_209_600)])
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["250ms", "5s", "90s", "5m", "2h", "14d"])
def test_durations_are_shown_as_they_are_written(text: str) -> None:
    assert duration_text(duration(text)) == text
