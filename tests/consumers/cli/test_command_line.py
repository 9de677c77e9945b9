"""The command line: what it says, and with which exit code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from consumers.cli.application import Role, app
from consumers.configuration_reference import reference_tables, schema_text

MINIMAL = """
salesforce: {url: https://a.my.salesforce.com, client_id: app, client_secret: {env: SF}}
marketo: {url: 'http://127.0.0.1:1', client_id: api, client_secret: {env: SF}}
kafka: {bootstrap_servers: '127.0.0.1:1'}
postgres: {dsn: {env: PG}}
"""
ENVIRON = {"SF": "the-secret", "PG": "postgresql://someone:pg-secret@127.0.0.1:1/nowhere"}
runner = CliRunner()


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "tandem.yaml"
    file.write_text(MINIMAL)
    return str(file)


def test_help_lists_the_commands_and_the_exit_codes() -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    for command in ("run", "status", "check", "setup", "record", "explain", "config"):
        assert f"  {command} " in result.output
    assert "Exit codes: 0" in result.output


@pytest.mark.parametrize("command", ["run", "status", "list", "check", "setup", "record", "explain"])
def test_every_command_says_its_exit_codes(command: str) -> None:
    result = runner.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Exit codes: 0" in result.output


def test_help_brings_in_nothing_heavy() -> None:
    heavy = "faust", "aiokafka", "asyncpg", "aiohttp", "yaml", "rich.table", "msgspec"
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom consumers.cli.application import app\n"
        f"assert CliRunner().invoke(app, ['--help']).exit_code == 0\nprint([name for name in {heavy!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_schema_and_reference_are_printed() -> None:
    assert runner.invoke(app, ["config", "schema"]).output == schema_text().decode()
    assert runner.invoke(app, ["config", "reference"]).output == reference_tables()


def test_the_configuration_in_effect_is_shown_without_secrets(config: str) -> None:
    plain = runner.invoke(app, ["config", "show", "-c", config], env=ENVIRON)
    shown = yaml.safe_load(plain.output)
    assert shown["web"] == {"host": "127.0.0.1", "port": 6066}
    assert shown["salesforce"]["client_secret"] == {"env": "SF"}
    assert "the-secret" not in plain.output
    assert json.loads(runner.invoke(app, ["config", "show", "--json", "-c", config], env=ENVIRON).output) == shown


@pytest.mark.parametrize(
    "command", [["run"], ["status"], ["check"], ["setup"], ["record", "7"], ["explain", "7", "title"], ["list", "owed"], ["config", "show"]]
)
def test_a_wrong_configuration_ends_every_command_with_2(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "tandem.yaml"
    file.write_text(MINIMAL + "web: {prot: 1}\n")
    result = runner.invoke(app, [*command, "-c", str(file)], env=ENVIRON)
    assert result.exit_code == 2
    assert result.stderr == (f"{file}:6:7: web.prot: unknown key; did you mean port?\n1 problem in the configuration; nothing was done.\n")
    assert result.stdout == ""


def test_the_configuration_may_be_named_by_the_environment(tmp_path: Path) -> None:
    result = runner.invoke(app, ["config", "show"], env=ENVIRON | {"TANDEM_CONFIG": str(tmp_path / "elsewhere.yaml")})
    assert result.exit_code == 2
    assert "elsewhere.yaml: can't be read" in result.stderr


@pytest.mark.parametrize("command", [["record", "7"], ["explain", "7", "title"], ["list", "held"]])
def test_a_database_that_is_away_is_said_with_3(config: str, command: list[str]) -> None:
    result = runner.invoke(app, [*command, "-c", config], env=ENVIRON)
    assert result.exit_code == 3
    assert result.stderr.startswith("PostgreSQL can't be reached (")
    assert "pg-secret" not in result.stderr


def test_an_unknown_role_is_refused_with_the_known_ones(config: str) -> None:
    result = runner.invoke(app, ["run", "-c", config, "--role", "settler"], env=ENVIRON)
    assert result.exit_code == 2
    assert all(role in result.stderr for role in Role)


def test_a_worker_gets_its_settings_and_roles(config: str, tmp_path: Path) -> None:
    program = (
        "import sys, types\n"
        "app = types.ModuleType('consumers.app')\n"
        "app.run = lambda settings, roles: print(settings.web.port, *sorted(roles))\n"
        "sys.modules['consumers.app'] = app\n"
        "from consumers.cli import main\n"
        "main()\n"
    )
    for arguments, told in ((["--role", "settle", "--role", "relay"], "6066 relay settle"), ([], "6066 observe reconcile relay settle")):
        done = subprocess.run(
            [sys.executable, "-c", program, "run", "-c", config, *arguments],
            capture_output=True,
            text=True,
            env=ENVIRON,
            cwd=Path.cwd(),
            check=False,
        )
        assert (done.stdout.strip(), done.stderr, done.returncode) == (told, "", 0)
