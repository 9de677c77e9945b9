"""How jars get here, with Maven and without, and that nothing but what is locked is taken."""

import hashlib
import re
import stat
import sys
from pathlib import Path

import pytest

from infra.setup import __main__ as set_up_module
from infra.setup import found, jars
from infra.setup.missing import SetupError

FIRST, SECOND = b"first", b"second"
LOCK = f"""# jars
org.example:first:1.0 sha256:{hashlib.sha256(FIRST).hexdigest()}
org.example.more:second_2.13:4.4.0 sha256:{hashlib.sha256(SECOND).hexdigest()}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of PATH; the lock names two jars."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    (tmp_path / "jars.txt").write_text(LOCK)
    (tmp_path / "pom.xml").write_text("<project/>")
    monkeypatch.setattr(jars, "CLIENT", tmp_path / "client")
    return directory


def client(folder: Path, second: bytes) -> None:
    """A stand-in for the client from PyPI: notes what it is asked for, and gives it."""
    module = folder / "maven_artifact"
    module.mkdir(parents=True)
    given = {"org.example:first:1.0": FIRST.decode(), "org.example.more:second_2.13:4.4.0": second.decode()}
    lines = [
        "import sys",
        f"open({str(folder / 'asked')!r}, 'a').write(sys.argv[1] + '\\n')",
        f"open(sys.argv[2], 'w').write({given!r}[sys.argv[1]])",
    ]
    (module / "main.py").write_text("\n".join(lines))
    (module / "__init__.py").touch()


def bring(folder: Path) -> jars.Bundle:
    bundle = jars.Bundle(name="Kafka", about="Kafka (a few bytes)", pom=folder.with_name("pom.xml"), folder=folder)
    said: list[str] = []
    jars.bring(bundle, Path(sys.executable), Path("maven.txt"), said.append)
    assert said == ["fetching Kafka (a few bytes)"]
    return bundle


def test_a_lock_names_jars_and_nothing_else() -> None:
    first, second = jars.locked(LOCK)
    assert first.name == "first-1.0.jar"
    assert second.name == "second_2.13-4.4.0.jar"
    with pytest.raises(SetupError, match="make lock"):
        jars.locked("org.example:first:1.0 md5:abc\n")


def test_without_maven_a_client_from_pypi_fetches_what_is_not_here_yet(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Path] = []
    monkeypatch.setattr(jars, "install_requirements", lambda _python, _requirements, target, _complaint: installed.append(target))
    client(tmp_path / "client", SECOND)
    folder = tmp_path / "kafka"
    folder.mkdir()
    (folder / "first-1.0.jar").write_bytes(FIRST)
    (folder / "second_2.13-4.4.0.jar").write_bytes(b"half of i")
    (folder / "older-0.9.jar").touch()
    assert not (folder / ".complete").exists()
    assert bring(folder).complete
    (folder / ".complete").unlink()
    assert installed == [tmp_path / "client"]
    assert (tmp_path / "client" / "asked").read_text() == "org.example.more:second_2.13:4.4.0\n"
    assert {jar.name: jar.read_bytes() for jar in folder.iterdir()} == {"first-1.0.jar": FIRST, "second_2.13-4.4.0.jar": SECOND}


def test_what_is_not_the_locked_jar_is_refused(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "install_requirements", lambda *_: None)
    client(tmp_path / "client", b"something else")
    with pytest.raises(SetupError, match=r"second_2\.13-4\.4\.0\.jar is not what jars\.txt has locked"):
        bring(tmp_path / "kafka")


def test_maven_is_taken_where_it_is(path: Path, tmp_path: Path) -> None:
    program = path / "mvn"
    folder = tmp_path / "kafka"
    copies = f"printf first > {folder}/first-1.0.jar; printf second > {folder}/second_2.13-4.4.0.jar"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked; {copies}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    bring(folder)
    assert "dependency:copy-dependencies" in (tmp_path / "asked").read_text()
    program.write_text(f"#!/bin/sh\n{copies}; echo more > {folder}/stranger-1.jar\n")
    with pytest.raises(SetupError, match=r"stranger-1\.jar is not"):
        bring(folder)
    program.write_text("#!/bin/sh\necho '[ERROR] no network'; exit 1\n")
    with pytest.raises(SetupError, match=r"Maven could not fetch Kafka: .*no network"):
        bring(folder)


def test_a_jar_keeps_its_coordinates_in_mavens_repository(tmp_path: Path) -> None:
    there = tmp_path / "org" / "example" / "more" / "second_2.13" / "4.4.0" / "second_2.13-4.4.0.jar"
    there.parent.mkdir(parents=True)
    there.touch()
    assert jars.coordinates(there.name, tmp_path) == "org.example.more:second_2.13:4.4.0"
    with pytest.raises(SetupError, match="not in Maven's repository"):
        jars.coordinates("other-1.jar", tmp_path)


def test_what_runs_here_is_what_is_locked() -> None:
    locked = jars.locked(jars.KAFKA.lock.read_text())
    assert jars.differing(locked, found.JARS) == []


@pytest.mark.parametrize("bundle", [jars.KAFKA, jars.DEBEZIUM], ids=lambda bundle: bundle.name)
def test_a_lock_is_for_the_present_pom(bundle: jars.Bundle) -> None:
    names = {jar.coordinates for jar in jars.locked(bundle.lock.read_text())}
    direct = re.findall(
        r"<dependency>\s*<groupId>(.+?)</groupId>\s*<artifactId>(.+?)</artifactId>\s*<version>(.+?)</version>", bundle.pom.read_text()
    )
    assert direct
    assert {":".join(each) for each in direct} <= names


def test_both_bundles_run_on_the_same_kafka() -> None:
    """Observe and the sink beside it are measured with clients of one version."""
    clients = [
        {jar.coordinates for jar in jars.locked(bundle.lock.read_text()) if ":kafka-clients:" in jar.coordinates}
        for bundle in (jars.KAFKA, jars.DEBEZIUM)
    ]
    assert clients[0] == clients[1] != set()


def test_set_up_brings_no_jars_that_only_a_benchmark_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brought: list[str] = []
    monkeypatch.setattr(found, "JARS", tmp_path)
    monkeypatch.setattr(jars, "bring", lambda bundle, *_: brought.append(bundle.name))
    set_up_module.kafka_jars()
    assert brought == ["Kafka"]
