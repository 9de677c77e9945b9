"""Jars in .tools: by Maven where it is there, else by a client of Maven's repository from PyPI. Their hashes are locked.

Two bundles: Kafka, which everyone needs, and the sink of Debezium that `make bench ARGS="--only peers"` measures observe beside; that one
is brought when it is first asked for. `python -m infra.setup.jars` writes both locks anew for the present pom.xml (`make lock`).
"""

import hashlib
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.setup import found
from infra.setup.missing import SetupError, install_requirements, run, system_certificates

CLIENT = found.TOOLS / "maven-client"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Jars that belong together: what `pom` names and all that those need, in `folder`. `about` is what is said of it while it comes."""

    name: str
    about: str
    pom: Path
    folder: Path

    @property
    def lock(self) -> Path:
        """Every jar with its hash, as Maven resolved the pom."""
        return self.pom.with_name("jars.txt")

    @property
    def complete(self) -> bool:
        """Whether the folder was filled for the present pom."""
        stamp = self.folder / ".complete"
        return stamp.is_file() and stamp.read_text() == self.pom.read_text()


KAFKA = Bundle(name="Kafka", about="Kafka (about 45 MB)", pom=found.POM, folder=found.JARS)
DEBEZIUM = Bundle(
    name="Debezium",
    about="Debezium's JDBC sink and Kafka Connect (about 75 MB)",
    pom=found.ROOT / "tests" / "benchmarks" / "debezium" / "pom.xml",
    folder=found.TOOLS / "debezium",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One jar of the lock."""

    coordinates: str
    sha256: str

    @property
    def name(self) -> str:
        _group, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def locked(lock: str) -> list[Jar]:
    """The jars that a lock names. Raises SetupError for a line that is none."""
    lines = [line for line in lock.splitlines() if line and not line.startswith("#")]
    matches = [re.fullmatch(r"([^\s:]+:[^\s:]+:[^\s:]+) sha256:([0-9a-f]{64})", line) for line in lines]
    if None in matches:
        raise SetupError(f"{lines[matches.index(None)]!r} in a lock of jars is no jar; run `make lock`")
    return [Jar(coordinates=match[1], sha256=match[2]) for match in matches if match]


def differing(jars: list[Jar], folder: Path) -> list[str]:
    """Names of what is missing in the folder, or is there and not what was locked."""
    wanted = {jar.name: jar.sha256 for jar in jars}
    there = {path.name: digest(path) for path in folder.glob("*.jar")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def bring(bundle: Bundle, python: Path, requirements: Path, say: Say) -> None:
    """Fills the bundle's folder with exactly the locked jars. Raises SetupError. What an earlier run fetched whole is kept."""
    jars, folder = locked(bundle.lock.read_text()), bundle.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in differing(jars, folder):
        (folder / name).unlink(missing_ok=True)
    maven = found.maven()
    say(f"fetching {bundle.about}")
    if maven is not None:
        with_maven(maven, bundle)
    else:
        with_client(python, requirements, [jar for jar in jars if jar.name in differing(jars, folder)], folder)
    wrong = differing(jars, folder)
    if wrong:
        raise SetupError(f"{wrong[0]} is not what {bundle.lock.name} has locked; if pom.xml has changed, run `make lock`")
    (folder / ".complete").write_text(bundle.pom.read_text())


def with_maven(maven: Path, bundle: Bundle) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={bundle.folder}", "-Dmdep.overWriteReleases=true"]
    run([str(maven), "-q", "-B", "-f", str(bundle.pom), *goal], f"Maven could not fetch {bundle.name}")


def with_client(python: Path, requirements: Path, jars: list[Jar], folder: Path) -> None:
    """One call of maven-artifact a jar; it is installed beside .venv, where nothing else sees it."""
    install_requirements(python, requirements, CLIENT, "pip could not install a client of Maven's repository")
    environment = {**os.environ, "PYTHONPATH": str(CLIENT)}
    certificates = system_certificates()
    if certificates:
        environment.setdefault("REQUESTS_CA_BUNDLE", certificates)
    for jar in jars:
        command = [str(python), "-m", "maven_artifact.main", jar.coordinates, str(folder / jar.name)]
        run(command, f"{jar.coordinates} could not be fetched", environment)


def write_lock(bundle: Bundle, repository: Path) -> None:
    """Asks Maven anew, and takes the group of each jar from where Maven keeps it on this machine. Raises SetupError."""
    maven = found.maven()
    if maven is None:
        raise SetupError(f"the lock of {bundle.name}'s jars is written with Maven, and it is not here")
    for path in bundle.folder.glob("*.jar"):
        path.unlink()
    with_maven(maven, bundle)
    lines = [f"{coordinates(path.name, repository)} sha256:{digest(path)}" for path in bundle.folder.glob("*.jar")]
    head = f"# {bundle.name}'s jars, as Maven resolves pom.xml, with their hashes; `make lock` writes this file anew."
    bundle.lock.write_text("\n".join([head, *sorted(lines)]) + "\n")


def coordinates(name: str, repository: Path) -> str:
    """Group, artifact and version of a jar in Maven's own copy of its repository. Raises SetupError when it is not in there."""
    for path in repository.rglob(name):
        *group, artifact, version = path.parent.relative_to(repository).parts
        return f"{'.'.join(group)}:{artifact}:{version}"
    raise SetupError(f"{name} is not in Maven's repository on this machine")


if __name__ == "__main__":
    try:
        for each in (KAFKA, DEBEZIUM):
            write_lock(each, Path.home() / ".m2" / "repository")
    except SetupError as error:
        sys.exit(f"lock: {error}")
