"""`tandem person`: what is refused before anything is asked for."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.cli.application import app

runner = CliRunner()
FILE = """
salesforce: {url: https://a.example, client_id: a, client_secret: {env: X}}
marketo: {url: https://b.example, client_id: a, client_secret: {env: X}}
kafka: {bootstrap_servers: 'localhost:1'}
postgres: {dsn: {env: DSN}}
"""
WRONG: dict[str, tuple[list[str], str]] = {
    "no number of days": (["create-task", "1001", "--subject", "x", "--due-in", "soon"], "is not a number from 0 to 3650"),
    "two days": (["create-task", "1001", "--subject", "x", "--due-in", "1", "--due", "2026-12-24"], "one of them"),
    "no account": (["convert", "1001", "--account", "Globex"], "is not a Salesforce id"),
    "no subject": (["create-task", "1001"], "Missing option '--subject'"),
    "no campaign": (["add-to-campaign", "1001"], "Missing option '--campaign'"),
    "no owner": (["change-owner", "1001"], "Missing option '--owner'"),
    "blank": (["change-owner", "1001", "--owner", " "], "Owner is missing"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_refused(tmp_path: Path, name: str) -> None:
    arguments, told = WRONG[name]
    config = tmp_path / "tandem.yaml"
    config.write_text(FILE)
    environ = {"X": "secret", "DSN": "postgresql://nobody@127.0.0.1:1/nothing", "COLUMNS": "200", "NO_COLOR": "1"}
    done = runner.invoke(app, ["person", *arguments, "-c", str(config)], env=environ)
    assert done.exit_code == 2
    assert told in done.output


def test_every_command_says_what_it_does() -> None:
    told = runner.invoke(app, ["person", "--help"]).output
    for name in ("push", "add-to-campaign", "change-owner", "create-task", "convert"):
        assert name in told
        assert "--apply" in runner.invoke(app, ["person", name, "--help"]).output
