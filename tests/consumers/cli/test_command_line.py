"""The command line: what it says, and with which exit code."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.testing import CliRunner

from consumers.cli.application import Role, app
from consumers.configuration.reference import reference_tables, schema_text

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


def commands(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_has_examples_that_it_understands(names: tuple[str, ...]) -> None:
    text = runner.invoke(app, [*names, "--help"]).output
    shown = [line.strip() for line in text.partition("Examples:\n")[2].splitlines() if line.strip().startswith(("tandem ", "TZ="))]
    assert shown, text
    for line in shown:
        words = shlex.split(line.partition(" > ")[0].partition(" | ")[0])
        arguments = words[words.index("tandem") + 1 :]
        assert tuple(arguments[: len(names)]) == names
        COMMANDS[names].make_context("tandem", arguments[len(names) :])


TELLING = [names for names in COMMANDS if names not in {("run",), ("config", "schema"), ("config", "reference")}]


@pytest.mark.parametrize("names", TELLING, ids=" ".join)
def test_every_command_that_tells_something_tells_it_to_programs(names: tuple[str, ...]) -> None:
    assert "--json" in runner.invoke(app, [*names, "--help"]).output


def test_the_version_is_told() -> None:
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"tandem {version('tandem')}\n")


def test_shells_can_complete_commands() -> None:
    asked = {"_TANDEM_COMPLETE": "complete_bash", "COMP_WORDS": "tandem confi", "COMP_CWORD": "1"}
    result = runner.invoke(app, [], prog_name="tandem", env=asked)
    assert result.output.split() == ["confirm-deletes", "config"]


def test_the_mapping_in_effect_is_shown_with_direction_and_rule(config: str) -> None:
    fields = "lead: {fields: {leadScore: {salesforce: Score__c, type: number, direction: to_salesforce, unwanted: leave}, fax: false}}\n"
    Path(config).write_text(MINIMAL + fields)
    told = json.loads(runner.invoke(app, ["config", "mapping", "--json", "-c", config], env=ENVIRON).output)
    rows = [
        tuple(each.values())
        for each in told
        if each["marketo"] in ("leadScore", "unsubscribed", "fax") and each["object"] in ("lead", "contact")
    ]
    assert rows == [
        ("lead", "HasOptedOutOfEmail", "unsubscribed", "boolean", "both", "true wins"),
        ("lead", "Score__c", "leadScore", "number", "to_salesforce", "leave"),
        ("contact", "HasOptedOutOfEmail", "unsubscribed", "boolean", "both", "true wins"),
        ("contact", "Fax", "fax", "phone", "both", "Salesforce wins"),
    ]
    shown = runner.invoke(app, ["config", "show", "-c", config], env=ENVIRON).output
    assert "# lead: Title <-> title, text, Marketo wins\n" in shown
    assert "# lead: Score__c <-- leadScore, number, leave\n" in shown
    assert "# lead: (Tandem) --> sfLeadId, text, put back\n" in shown
    assert "Title" in runner.invoke(app, ["config", "mapping", "-c", config], env=ENVIRON).output


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
    assert result.stderr.startswith("PostgreSQL at 127.0.0.1:1/nowhere can't be reached (")
    assert "pg-secret" not in result.stderr


def test_an_unknown_role_is_refused_with_the_known_ones(config: str) -> None:
    result = runner.invoke(app, ["run", "-c", config, "--role", "settler"], env=ENVIRON)
    assert result.exit_code == 2
    assert all(role in result.stderr for role in Role)


def test_a_worker_gets_its_settings_and_roles(config: str, tmp_path: Path) -> None:
    program = (
        "import sys, types\n"
        "app = types.ModuleType('consumers.worker.app')\n"
        "app.run = lambda settings, roles: print(settings.web.port, *sorted(roles))\n"
        "sys.modules['consumers.worker.app'] = app\n"
        "from consumers.cli import main\n"
        "main()\n"
    )
    every = "6066 audit copy deliver flow-steps intake observe reconcile relay settle"
    for arguments, told in ((["--role", "settle", "--role", "relay"], "6066 relay settle"), ([], every)):
        done = subprocess.run(
            [sys.executable, "-c", program, "run", "-c", config, *arguments],
            capture_output=True,
            text=True,
            env=ENVIRON,
            cwd=Path.cwd(),
            check=False,
        )
        assert (done.stdout.strip(), done.stderr, done.returncode) == (told, "", 0)
