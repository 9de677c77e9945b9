"""Node and the clients that others wrote for it, which the tests run against the sandbox. Nothing but those tests needs them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.setup import found
from infra.setup.missing import SetupError, apt_words, install_packages

FOLDER = found.ROOT / "tests" / "infra" / "sandbox" / "node"
FOLDERS = (FOLDER, found.ROOT / "infra" / "examples" / "node")
"""Whose packages the tests need: clients of the sandbox, and the examples for who subscribes."""
NODE_PACKAGES = ("nodejs", "npm")
Say = Callable[[str], None]


def locks() -> bytes:
    """What is to be installed, to the byte."""
    return b"".join((folder / "package-lock.json").read_bytes() for folder in FOLDERS)


def installed() -> bool:
    """Whether something has been, everywhere."""
    return all((folder / "node_modules").is_dir() for folder in FOLDERS)


def bring_node(say: Say) -> bool:
    """Whether Node and npm are here, after an attempt to install them where apt may be used without asking."""
    if found.node() is not None:
        return True
    words = apt_words()
    if words is not None:
        try:
            install_packages(NODE_PACKAGES, words, say)
        except SetupError as error:
            say(f"{error}; the tests with jsforce are left out")
    return found.node() is not None


def install_clients(say: Say, folder: Path = FOLDER) -> None:
    """The clients of package-lock.json, checked against its hashes; none of their install scripts is run. Raises SetupError."""
    npm = found.npm()
    if npm is None:
        raise SetupError("npm is missing")
    say("installing the Node clients that tests run")
    command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd=folder)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise SetupError(f"npm could not install the Node clients: {words[-1] if words else 'no reason given'}")
