"""The locked requirements: every one pinned and hashed, nothing about the machine that locked them, and no direct one left out."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from infra.setup import taps
from infra.setup.__main__ import entry
from infra.setup.found import ROOT
from infra.setup.missing import SetupError

LOCKS = ROOT / "infra" / "requirements"
NAMES = ["runtime", "dev", "systems", "maven", *taps.names()]


def _pins(name: str) -> dict[str, str]:
    text = (LOCKS / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split("==")[0].strip(): line for line in lines}


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _name(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement)[0].lower()


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    pins = _pins(name)
    assert pins
    for pin in pins.values():
        assert re.match(r"\S+==\S+", pin), pin
        assert "--hash=sha256:" in pin, pin


@pytest.mark.parametrize("name", NAMES)
def test_no_address_and_no_path_is_in_a_lock(name: str) -> None:
    text = (LOCKS / f"{name}.txt").read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    assert str(Path.home()) not in text
    assert str(ROOT) not in text


def test_every_direct_requirement_is_in_the_locks() -> None:
    project = _project()
    assert {_name(requirement) for requirement in project["dependencies"]} <= _pins("runtime").keys()
    assert {_name(requirement) for requirement in project["optional-dependencies"]["dev"]} <= _pins("dev").keys()
    assert _pins("runtime").keys() <= _pins("dev").keys()
    assert "setuptools" in _pins("runtime"), "the project itself is built with it"


def test_one_requirement_is_taken_out_of_a_lock_with_its_hashes() -> None:
    lock = "uuid==1 \\\n    --hash=sha256:a\nuv==2 \\\n    --hash=sha256:b \\\n    --hash=sha256:c\nuvloop==3 \\\n    --hash=sha256:d\n"
    assert entry(lock, "uv") == "uv==2 \\\n    --hash=sha256:b \\\n    --hash=sha256:c\n"
    with pytest.raises(SetupError, match="pip is not in the lock"):
        entry(lock, "pip")


def test_the_same_version_is_in_both_locks() -> None:
    dev = _pins("dev")
    assert {name: pin for name, pin in _pins("runtime").items() if dev[name] != pin} == {}


def test_the_versions_our_adapters_are_written_for() -> None:
    runtime = _pins("runtime")
    assert runtime["faust-streaming"].startswith("faust-streaming==0.15.3")
    assert runtime["aiosfstream-ng"].startswith("aiosfstream-ng==0.7.5")
    assert runtime["aiokafka"].startswith("aiokafka==0.14.")
