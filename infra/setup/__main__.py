"""`python3 -m infra.setup [--check | --tests]`: checks the prerequisites, installs what it can, makes .venv and .tools. A second run only
looks. `--tests` brings what only tests need too, clients of others and a Chromium: where there is none it says so, and that is no failure.

Order: look at everything first; say at once what a person has to install; then packages, the virtual environment, Kafka's jars.
Exit code 0 when all is there, 1 with one sentence otherwise.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.setup import browser, found, jars, strangers, taps
from infra.setup.missing import FROM_PYPI, SetupError, apt_words, by_hand, install_from_pypi, install_with_apt, run, system_certificates

VENV = found.ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
VENV_PIP = VENV / "bin" / "pip"  # comes last when the environment is made: where it is, the environment is whole
REQUIREMENTS = found.ROOT / "infra" / "requirements"
PIP = [str(VENV_PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check"]


def main(arguments: list[str]) -> int:
    found.TOOLS.mkdir(exist_ok=True)
    try:
        if arguments == ["--check"]:
            for name in missing():
                say(f"missing: {name}")
            return 1 if missing() else 0
        with one_at_a_time():
            set_up()
            if arguments == ["--tests"]:
                node_clients()
                singer_taps()
                chromium()
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: stopped; the next run goes on from here.", file=sys.stderr)
        return 130
    return 0


def missing() -> list[str]:
    """The prerequisites that are not on this machine. Maven is one only while Kafka's jars are not here."""
    there = {"java": found.java(), "maven": found.jars() or found.maven(), "postgres": found.postgres(), "venv": venv_possible()}
    return [name for name, what in there.items() if not what]


def set_up() -> None:
    """Everything, in order; each step only where its result is not there yet. Raises SetupError."""
    lacking = missing()
    words = apt_words()
    if words is None:
        beyond_us = [name for name in lacking if name not in FROM_PYPI]
        if beyond_us:
            raise by_hand(beyond_us)
    elif lacking:
        install_with_apt(lacking, words, say)
    virtual_environment()
    if {"java", "postgres"} & set(missing()):
        install_from_pypi(VENV_PYTHON, REQUIREMENTS / "systems.txt", found.SYSTEMS, say)
    still = set(missing()) - {"maven"}
    if still:
        raise by_hand(sorted(still))
    kafka_jars()


def virtual_environment() -> None:
    """.venv with the locked requirements and this project in it."""
    if not VENV_PIP.exists():
        say("making the virtual environment .venv")
        run([sys.executable, "-m", "venv", str(VENV)], "python could not make a virtual environment")
    lock = REQUIREMENTS / "dev.txt"
    with once("requirements", lock.read_bytes() + sys.version.encode()) as needed:
        if needed:
            say("installing the locked requirements")
            install_locked(lock)
    with once("project", (found.ROOT / "pyproject.toml").read_bytes() + str(found.ROOT).encode()) as needed:
        if needed:
            say("installing tandem itself")
            run([*PIP, "--no-deps", "--no-build-isolation", "-e", str(found.ROOT)], "pip could not install tandem")


def install_locked(lock: Path) -> None:
    """The locked requirements, hashes checked, by uv in a tenth of pip's time. It reads no settings of pip: where it fails, pip does it."""
    quick = VENV / ".tandem-uv.txt"
    quick.write_text(entry(lock.read_text(), "uv"))
    run([*PIP, "--require-hashes", "-r", str(quick)], "pip could not install uv")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "-q", "--python", str(VENV_PYTHON), "--require-hashes", "-r", str(lock)]
    environment = {**os.environ, "UV_SYSTEM_CERTS": "true"} if system_certificates() else None
    try:
        run(uv, "uv could not install the requirements", environment)
    except SetupError as error:
        say(f"{error}; pip does it instead (a minute or two)")
        run([*PIP, "--require-hashes", "-r", str(lock)], "pip could not install the requirements")


def entry(lock: str, name: str) -> str:
    """One requirement of a lock, with its hashes. Raises SetupError when it is not there."""
    match = re.search(rf"^{re.escape(name)}==.*(?:\n .*)*", lock, flags=re.MULTILINE)
    if match is None:
        raise SetupError(f"{name} is not in the lock; run `make lock`")
    return match.group() + "\n"


def node_clients() -> None:
    """The clients in Node that tests run against the sandbox. Where there can be no Node, that is found out once for each lock."""
    lock = strangers.locks()
    had = b"no node" if found.node() is None else b"installed" if strangers.installed() else b"bare"
    try:
        with once("node-clients", lock + had) as needed:
            if not needed or not strangers.bring_node(say):
                return
            for folder in strangers.FOLDERS:
                strangers.install_clients(say, folder)
    except SetupError as error:
        say(f"{error}; the tests with jsforce are left out")
        return
    with once("node-clients", lock + b"installed"):
        pass


def singer_taps() -> None:
    """The taps that tests run against the sandbox. One that can't be built here is told, each time, and its test left out."""
    for name in taps.names():
        try:
            if not taps.complete(name):
                taps.install(name, entry, say)
        except SetupError as error:
            say(f"{error}; the test with {name} is left out")


def chromium() -> None:
    """A Chromium for the tests of pages. Where there can be none, that is found out once for each lock, and said each time."""
    lock = (browser.FOLDER / "package-lock.json").read_bytes()
    if found.chromium() is not None:
        return
    with once("chromium", lock + str(apt_words()).encode()) as needed:
        if needed:
            browser.bring(say)
        else:
            say(f"{browser.LEFT_OUT} (remove .venv/.tandem-chromium to look for one again)")


def kafka_jars() -> None:
    """Kafka's jars in .tools/kafka, for the present pom.xml."""
    if not found.jars():
        jars.bring(jars.KAFKA, VENV_PYTHON, REQUIREMENTS / "maven.txt", say)


def venv_possible() -> bool:
    """Whether this Python can make a virtual environment with pip in it, or one is there."""
    if VENV_PIP.exists():
        return True
    return subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


@contextmanager
def once(name: str, content: bytes) -> Iterator[bool]:
    """Yields whether the step has to be done for this content; remembers it in .venv when the step ends well."""
    stamp = VENV / f".tandem-{name}"
    digest = hashlib.sha256(content).hexdigest()
    needed = not stamp.is_file() or stamp.read_text() != digest
    yield needed
    if needed:
        stamp.write_text(digest)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` at once: the second waits for the first."""
    with (found.TOOLS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    print(f"set-up: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
