"""How set-up brings a Chromium for the tests of pages, and that it goes on where there can be none."""

import json
import stat
from pathlib import Path

import pytest

from infra.setup import __main__ as set_up_module
from infra.setup import browser, found


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of PATH; nothing was fetched before, and Playwright's folder is a bare one."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr(found, "BROWSERS", tmp_path / "browsers")
    return directory


def program(directory: Path, name: str, body: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("body", "major"),
    [
        ('echo "Chromium 156.0.8078.79 built on Debian GNU/Linux 12"', 156),
        ('echo "Chromium 90.0.1.1"', None),
        ('echo "requires the chromium snap to be installed" >&2; exit 1', None),
    ],
)
def test_a_chromium_must_start(path: Path, body: str, major: int | None) -> None:
    program(path, "chromium", body)
    there = found.chromium()
    assert (there.major if there else None) == major


def test_apt_brings_it(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(browser, "apt_words", list)
    program(path, "apt-cache", "echo 'Package: chromium'")
    program(path, "env", 'shift; exec "$@"')
    brought = f"printf '#!/bin/sh\\necho Chromium 150.0.1.1\\n' > {path}/chromium; /bin/chmod +x {path}/chromium"
    program(path, "apt-get", f'echo "$@" >> {tmp_path}/asked; [ "$1" = update ] || {{ {brought}; }}')
    said: list[str] = []
    assert browser.bring(said.append) is True
    assert (tmp_path / "asked").read_text().split()[-1] == "chromium"
    assert not any("skipped" in line for line in said)


def test_where_the_package_is_a_snap_playwright_fetches_one(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(browser, "apt_words", list)
    monkeypatch.setattr(browser._from_playwright, "__defaults__", (tmp_path,))
    program(path, "apt-cache", "echo 'Depends: snapd'")
    program(path, "npm", f'echo "$@" > {tmp_path}/npm')
    shell = tmp_path / "browsers" / "chromium_headless_shell-1255" / "linux" / "headless_shell"
    program(shell.parent, "made", "echo Google Chrome for Testing 159.0.1.1")
    program(path, "node", f'[ "$1" = --version ] && echo v20.1.1 && exit; echo "$@" > {tmp_path}/node; /bin/mv {shell.parent}/made {shell}')
    assert browser.bring(lambda _: None) is True
    assert (tmp_path / "npm").read_text().split()[:2] == ["ci", "--ignore-scripts"]
    assert (tmp_path / "node").read_text().split()[1:] == ["install", "--only-shell", "chromium"]
    there = found.chromium()
    assert there is not None
    assert there.path == shell


def test_without_any_way_one_line_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "apt_words", list)
    program(path, "apt-cache", "true")
    program(path, "env", 'shift; exec "$@"')
    program(path, "apt-get", "echo 'no network' >&2; exit 1")
    said: list[str] = []
    assert browser.bring(said.append) is False
    (line,) = [each for each in said if browser.LEFT_OUT in each]
    assert "no network" in line
    assert "\n" not in line


def test_playwright_is_locked_and_its_lock_names_no_address() -> None:
    text = (browser.FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert json.loads(text)["packages"]["node_modules/playwright-core"]["integrity"].startswith("sha512-")


def test_set_up_looks_once_and_says_so_each_time(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looked: list[bool] = []
    monkeypatch.setattr(set_up_module, "VENV", tmp_path)
    monkeypatch.setattr(set_up_module, "apt_words", lambda: None)
    monkeypatch.setattr(browser, "bring", lambda _: looked.append(False))
    set_up_module.chromium()
    set_up_module.chromium()
    assert looked == [False]
    assert capsys.readouterr().out.count(browser.LEFT_OUT) == 1
    program(path, "chromium", "echo Chromium 150.0.1.1")
    set_up_module.chromium()
    assert browser.LEFT_OUT not in capsys.readouterr().out
