"""`python -m infra.stack` as people run it: up twice, status, down by another process, clean. With real Kafka and PostgreSQL."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.process import Process
from infra.setup.found import ROOT
from infra.stack.command import DEMO, KEPT

pytestmark = pytest.mark.integration


def _stack(run_dir: Path, action: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.stack", action, "--run-dir", str(run_dir), "--parts", "kafka,postgres", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)


def test_up_status_down_clean(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    try:
        up = _stack(run_dir, "up")
        assert up.returncode == 0, up.stderr
        endpoints = run_dir / "endpoints.json"
        assert stat.S_IMODE(endpoints.stat().st_mode) == 0o600
        first = json.loads(endpoints.read_text())
        assert set(first) == {"kafka", "postgres"}
        assert json.loads(_stack(run_dir, "status", "--json").stdout) == {"kafka": "healthy", "postgres": "healthy"}

        again = _stack(run_dir, "up")
        assert "kafka: already running" in again.stdout
        assert json.loads(endpoints.read_text()) == first

        down = _stack(run_dir, "down")
        assert down.stdout.splitlines() == ["postgres: stopped", "kafka: stopped"]
        status = _stack(run_dir, "status")
        assert status.returncode == 3
        assert "nothing is up" in status.stdout
        assert (run_dir / "kafka" / "data").exists(), "down keeps data"
    finally:
        clean = _stack(run_dir, "clean")
    assert clean.returncode == 0
    assert [path.name for path in run_dir.iterdir()] == [".lock"]


def test_what_a_demo_has_left_running_is_stopped_too(tmp_path: Path) -> None:
    """A process that says by its file that it is a worker of the demo's."""
    run_dir, home = tmp_path / "run", tmp_path / "run" / DEMO / "tandem"
    home.mkdir(parents=True)
    (home.parent / KEPT).touch()
    left = Process("console", pidfile=home / "console.pid", log=tmp_path / "log")
    left.start([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        down = _stack(run_dir, "down")
        assert (down.returncode, left.running()) == (0, False), down.stderr
        assert not (home.parent / KEPT).exists()
    finally:
        left.kill()


def test_down_where_nothing_ever_ran_is_quiet(tmp_path: Path) -> None:
    down = _stack(tmp_path / "run", "down")
    assert (down.returncode, down.stdout, down.stderr) == (0, "", "")
