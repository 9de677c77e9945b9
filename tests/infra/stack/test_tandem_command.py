"""`./tandem`: from any folder, with its own exit code and usage line; told where the stack is when one is up."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.process import StartError
from infra.setup.found import ROOT
from infra.stack.command import DEMO, KEPT, environment
from infra.stack.stack import Stack

TOLD = {"TANDEM_POSTGRES_DSN_FILE": "/somewhere/postgres_dsn", "TANDEM_KAFKA_BOOTSTRAP": "127.0.0.1:9"}


def tandem(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TANDEM_") and name != "PYTHONPATH"}
    return subprocess.run([str(ROOT / "tandem"), *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_it_works_from_any_folder_and_by_a_link(tmp_path: Path) -> None:
    assert tandem(tmp_path, "--help").stdout.lstrip().startswith("Usage: tandem [OPTIONS] COMMAND")
    link = tmp_path / "linked"
    link.symlink_to(ROOT / "tandem")
    done = subprocess.run([str(link), "config", "schema"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:1]) == (0, "{")


def test_exit_codes_and_usage_lines_are_the_commands_own(tmp_path: Path) -> None:
    wrong = tandem(tmp_path, "explain")
    assert wrong.returncode == 2
    assert "Usage: tandem explain" in wrong.stderr
    (tmp_path / "tandem.yaml").write_text("web: {prot: 1}\n")
    refused = tandem(tmp_path, "status", "--config", "tandem.yaml")
    assert refused.returncode == 2
    assert "tandem.yaml:1:7: web.prot: unknown key" in refused.stderr, "a path counts from the folder where it was typed"


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "told", lambda _: TOLD)


@pytest.mark.usefixtures("up")
def test_a_stack_that_is_up_is_told(tmp_path: Path) -> None:
    told = environment(["status"], {"PATH": "/bin"}, tmp_path, Path("/stack.yaml"))
    assert told == {"PATH": "/bin", **TOLD, "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0", "TANDEM_CONFIG": "/stack.yaml"}


@pytest.mark.usefixtures("up")
def test_what_a_demo_has_left_running_is_told_where_nothing_else_is_up(tmp_path: Path) -> None:
    (tmp_path / DEMO).mkdir()
    (tmp_path / DEMO / KEPT).touch()
    assert environment(["status"], {}, tmp_path)["TANDEM_CONFIG"] == str(tmp_path / DEMO / "tandem.yaml")
    (tmp_path / "endpoints.json").touch()
    assert environment(["status"], {}, tmp_path, Path("/stack.yaml"))["TANDEM_CONFIG"] == "/stack.yaml"


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize("arguments", [["status", "--config", "x.yaml"], ["status", "--config=x.yaml"], ["status", "-c", "x.yaml"]])
def test_a_configuration_that_is_named_goes_first(tmp_path: Path, arguments: list[str]) -> None:
    assert environment(arguments, {"PATH": "/bin"}, tmp_path) == {"PATH": "/bin"}
    assert environment(["status"], {"TANDEM_CONFIG": "y.yaml"}, tmp_path) == {"TANDEM_CONFIG": "y.yaml"}


def test_nothing_is_told_where_nothing_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: Stack) -> dict[str, str]:
        raise StartError("not here")

    monkeypatch.setattr(Stack, "told", nowhere)
    assert environment(["status"], {"PATH": "/bin"}, tmp_path) == {"PATH": "/bin"}
