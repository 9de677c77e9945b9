"""The demo itself, with few people: it passes, and its report says why."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.setup.found import ROOT


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize(("stream", "seed"), [("on", 20), ("off", 8)])
def test_the_demo_passes(tmp_path: Path, stream: str, seed: int) -> None:
    report = tmp_path / "demo.json"
    command = [
        sys.executable,
        "-m",
        "infra.demo",
        "--seed",
        str(seed),
        "--stream",
        stream,
        "--people",
        "150",
        "--run-dir",
        str(tmp_path / "run"),
        "--report",
        str(report),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    told = json.loads(report.read_text())
    assert told["passed"]
    assert (told["differences"], told["lost_edits"], told["duplicates"]) == (0, 0, 0)
    assert told["repaired_by_poll"] >= 30
    assert min(told["conflicts"][name]["decided_by_rule"] for name in ("Lead", "Contact")) >= 30
