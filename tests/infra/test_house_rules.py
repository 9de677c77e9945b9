"""The house: commands that exist, rules that say why they are off, and a CI script that fails when `make test` fails."""

import ast
import importlib
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from infra.setup.found import ROOT

EVERYDAY = {"help", "setup", "clients", "demo", "up", "down", "clean", "status"}
TARGETS = EVERYDAY | {"lint", "format", "unit", "test", "bench", "nightly", "lock", "pictures"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_console_script_is_there(project: dict[str, Any]) -> None:
    for name, target in project["project"]["scripts"].items():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), name


def test_help_lists_every_target() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in said.splitlines()} == TARGETS


def test_every_target_that_runs_something_of_ours_sets_the_machine_up_first() -> None:
    rules = re.findall(r"^([a-z]+):(.*?)## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    needs = {name: before.split() for name, before in rules}
    exempt = {"help", "setup", "down", "clean"}
    assert {name for name, before in needs.items() if not {"setup", "lint"} & set(before)} == exempt


def test_every_lint_rule_that_is_off_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    section = text[text.index("ignore = [") : text.index("[tool.mypy]")]
    switched_off = re.findall(r'^ *"[A-Z]+\d+",.*$', section, flags=re.MULTILINE)
    assert switched_off
    assert [line for line in switched_off if "# " not in line] == []


@pytest.mark.parametrize("exit_code", [0, 3])
def test_ci_ends_as_make_test_ends(tmp_path: Path, exit_code: int) -> None:
    stand_in = tmp_path / "make"
    stand_in.write_text(f'#!/bin/sh\necho "make $* in $PWD"\nexit {exit_code}\n')
    stand_in.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", str(ROOT / ".ci" / "run")], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == exit_code
    assert done.stdout == f"make test in {ROOT}\n"


def test_the_version_is_the_same_everywhere(project: dict[str, Any]) -> None:
    version = project["project"]["version"]
    assert f"image: tandem:{version}\n" in (ROOT / "docker-compose.yml").read_text()


def test_whatever_a_person_must_act_on_says_what_to_do() -> None:
    """Each error that no retry mends is raised with a remedy."""
    raised, silent = 0, []
    for path in (each for room in ("consumers", "streams") for each in sorted((ROOT / room).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Fatal", "Unprepared"):
                raised += 1
                if not any(each.arg == "remedy" for each in node.keywords):
                    silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert raised > 30, "the errors have another name?"
    assert silent == []
