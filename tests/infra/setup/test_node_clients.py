"""How set-up brings the Node clients, and that it goes on where there can be no Node."""

import stat
from pathlib import Path

import pytest

import infra.setup.__main__ as set_up_module
from infra.setup import found, strangers
from infra.setup.missing import SetupError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    return directory


def program(directory: Path, name: str, body: str) -> None:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(("version", "major"), [("v20.20.2", 20), ("v16.1.0", None), ("junk", None)])
def test_node_must_be_recent_and_have_npm(path: Path, version: str, major: int | None) -> None:
    program(path, "node", f"echo {version}")
    assert found.node() is None
    program(path, "npm", "true")
    node = found.node()
    assert (node.major if node else None) == major


def test_without_node_and_without_apt_set_up_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "apt_words", lambda: None)
    assert strangers.bring_node(lambda _: None) is False


def test_a_failing_apt_is_told_and_no_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    program(path, "apt-get", "exit 1")
    program(path, "env", 'shift; exec "$@"')
    monkeypatch.setattr(strangers, "apt_words", list)
    assert strangers.bring_node(said.append) is False
    assert any("left out" in line for line in said)


def test_npm_installs_what_is_locked_without_scripts(path: Path, tmp_path: Path) -> None:
    program(path, "npm", f'echo "$@" > {tmp_path}/asked')
    strangers.install_clients(lambda _: None, tmp_path)
    assert (tmp_path / "asked").read_text().split()[:2] == ["ci", "--ignore-scripts"]
    program(path, "npm", "echo no network >&2; exit 1")
    with pytest.raises(SetupError, match="no network"):
        strangers.install_clients(lambda _: None, tmp_path)


def test_the_lock_names_no_address() -> None:
    assert b'"resolved"' not in strangers.locks()


def test_npm_without_a_network_leaves_those_tests_out_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    said: list[str] = []

    def unreachable(_: object, folder: Path) -> None:
        assert folder in strangers.FOLDERS
        tried.append("npm")
        raise SetupError("npm could not install the Node clients: no network")

    monkeypatch.setattr(set_up_module, "VENV", tmp_path)
    monkeypatch.setattr(set_up_module, "say", said.append)
    monkeypatch.setattr(strangers, "bring_node", lambda _: True)
    monkeypatch.setattr(strangers, "install_clients", unreachable)
    set_up_module.node_clients()
    set_up_module.node_clients()
    assert len(tried) == 2
    assert all("left out" in line for line in said)
