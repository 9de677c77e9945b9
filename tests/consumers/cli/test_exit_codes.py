"""Exit codes: documented once, the same for every command, and what they say is so."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.cli.application import app
from consumers.cli.terms import EXIT_CODES, Exit, exit_of
from streams.wire.errors import Fatal, Reject, Retry, SyncError, Unknown, Unprepared
from tests.consumers.cli.test_command_line import COMMANDS, ENVIRON, MINIMAL

runner = CliRunner()
ASKS_FIRST = {("run",), ("config", "schema"), ("config", "reference")}
"""Serve, or need no configuration."""


def test_every_code_is_in_the_help() -> None:
    assert [int(each) for each in Exit] == [0, 1, 2, 3, 6]
    for code in Exit:
        assert f"{int(code)} " in EXIT_CODES


@pytest.mark.parametrize(
    ("error", "code"),
    [(Unprepared("x"), 1), (Reject("x"), 1), (Fatal("x"), 2), (Retry("x"), 3), (Unknown("x"), 3)],
)
def test_what_an_adapter_raises_has_its_code(error: SyncError, code: int) -> None:
    assert exit_of(error) == code


@pytest.mark.parametrize("names", [names for names in COMMANDS if names not in ASKS_FIRST], ids=" ".join)
def test_a_wrong_option_is_a_wrong_use(names: tuple[str, ...]) -> None:
    assert runner.invoke(app, [*names, "--no-such-option"]).exit_code == Exit.CONFIGURATION


@pytest.mark.parametrize(
    "words",
    [
        ["status"], ["paused"], ["resume", "--all"], ["holds", "list"], ["dead-letters", "list"], ["conflicts", "list"],
        ["undo", "--actor", "x"], ["reconcile", "now"], ["canary"], ["explain", "1", "title"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_configuration_and_what_can_not_be_reached_are_told_apart(words: list[str], tmp_path: Path) -> None:
    file = tmp_path / "tandem.yaml"
    file.write_text("web: {prot: 1}\n")
    assert runner.invoke(app, [*words, "-c", str(file)], env=ENVIRON).exit_code == Exit.CONFIGURATION
    file.write_text(MINIMAL)
    assert runner.invoke(app, [*words, "-c", str(file)], env=ENVIRON).exit_code == Exit.UNREACHABLE


def test_no_password_is_taken_from_the_command_line(tmp_path: Path) -> None:
    """Whoever lists the processes of the machine would read it."""
    file, dsn = tmp_path / "tandem.yaml", "postgresql://tandem:hidden@127.0.0.1:1/second"
    file.write_text(MINIMAL)
    told = runner.invoke(app, ["rebuild", "--into", dsn, "-c", str(file)], env=ENVIRON)
    assert (told.exit_code, "hidden" in told.output, "TANDEM_REBUILD_DSN" in told.output) == (Exit.CONFIGURATION, False, True)
    asked = runner.invoke(app, ["rebuild", "-c", str(file)], env={**ENVIRON, "TANDEM_REBUILD_DSN": dsn})
    assert asked.exit_code == Exit.UNREACHABLE


def test_shells_are_told_how_to_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    shown = runner.invoke(app, ["--show-completion", "bash"], prog_name="tandem")
    assert (shown.exit_code, "_TANDEM_COMPLETE=complete_bash" in shown.output) == (0, True), shown.output
    asked = {"_TANDEM_COMPLETE": "complete_bash", "COMP_WORDS": "tandem dead-letters re", "COMP_CWORD": "2"}
    assert runner.invoke(app, [], prog_name="tandem", env=asked).output.split() == ["retry"]
