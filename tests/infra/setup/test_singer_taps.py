"""How set-up brings the Singer taps: by their locks, again when a lock changes, and going on where one can't be had."""

import sys
from pathlib import Path

import pytest

import infra.setup.__main__ as set_up_module
from infra.setup import found, taps
from infra.setup.missing import SetupError

LOCK = "setuptools==1 \\\n    --hash=sha256:a\ntap-x==2 \\\n    --hash=sha256:b\n"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """One tap with a lock; what would be run is noted instead."""
    ran: list[list[str]] = []

    def run(command: list[str], _: str) -> None:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(taps, "LOCKS", tmp_path)
    monkeypatch.setattr(found, "TAPS", tmp_path / "taps")
    monkeypatch.setattr(taps, "run", run)
    (tmp_path / "tap-x.txt").write_text(LOCK)
    return ran


def test_a_tap_is_installed_by_its_lock_once(commands: list[list[str]], tmp_path: Path) -> None:
    set_up_module.singer_taps()
    home = tmp_path / "taps" / "tap-x"
    assert commands[0] == [sys.executable, "-m", "venv", "--clear", str(home)]
    assert [command[-1] for command in commands[1:]] == [str(home / "first.txt"), str(tmp_path / "tap-x.txt")]
    assert all({"--require-hashes", "--no-build-isolation"} <= set(command) for command in commands[1:])
    assert (home / "first.txt").read_text() == "setuptools==1 \\\n    --hash=sha256:a\n"
    set_up_module.singer_taps()
    assert len(commands) == 3
    (tmp_path / "tap-x.txt").write_text(LOCK.replace("==2", "==3"))
    set_up_module.singer_taps()
    assert len(commands) == 6


def test_a_tap_that_can_not_be_had_is_told_and_tried_again(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: object) -> None:
        raise SetupError("pip could not install tap-x: no network")

    monkeypatch.setattr(taps, "run", unreachable)
    for _ in range(2):
        set_up_module.singer_taps()
        assert "no network; the test with tap-x is left out" in capsys.readouterr().out
    assert not taps.complete("tap-x")
