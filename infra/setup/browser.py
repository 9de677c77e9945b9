"""Chromium, in which tests look at the sandbox's pages. Nothing but those tests needs it: where it can't be had they are skipped.

Debian's package comes first; where there is none (Ubuntu's only names a snap) or apt may not be used, Playwright's build of Chromium is
fetched into .tools by the version of Playwright that is locked.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.setup import found
from infra.setup.missing import SetupError, apt_words, install_packages

FOLDER = found.ROOT / "tests" / "infra" / "sandbox" / "browser"
LEFT_OUT = "there is no Chromium here; the tests that look at pages in a browser are skipped"
_FETCH_SECONDS = 600
Say = Callable[[str], None]


def bring(say: Say) -> bool:
    """Whether a Chromium that runs is here, after an attempt to get one without asking. What went wrong is said in one line."""
    if found.chromium() is not None:
        return True
    complaints = []
    for way in (_from_apt, _from_playwright):
        try:
            way(say)
        except SetupError as error:
            complaints.append(str(error))
        if found.chromium() is not None:
            return True
    say("; ".join([LEFT_OUT, *complaints]))
    return False


def _from_apt(say: Say) -> None:
    words = apt_words()
    if words is None:
        raise SetupError("apt-get can't be used without asking")
    shown = subprocess.run(["apt-cache", "show", "chromium"], capture_output=True, text=True, check=False).stdout
    if "snap" in shown:
        raise SetupError("the package chromium is a snap here")
    install_packages(["chromium"], words, say)


def _from_playwright(say: Say, folder: Path = FOLDER) -> None:
    node, npm = found.node(), found.npm()
    if node is None or npm is None:
        raise SetupError("there is no Node to run Playwright's download")
    say("fetching Playwright's Chromium into .tools")
    _run([str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, "npm could not install playwright-core")
    command = [str(node.path), "node_modules/playwright-core/cli.js", "install", "--only-shell", "chromium"]
    _run(command, folder, "Playwright could not fetch Chromium")


def _run(command: list[str], folder: Path, complaint: str) -> None:
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(found.BROWSERS)}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{complaint}: it took more than {_FETCH_SECONDS} s") from error
    if done.returncode != 0:
        words = [line for line in (done.stderr or done.stdout).splitlines() if "Error" in line or "ERR" in line]
        raise SetupError(f"{complaint}: {words[0].strip() if words else 'no reason given'}")
