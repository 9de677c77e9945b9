"""Singer taps that others wrote, which the tests run against the sandbox: each in an environment of its own, for they pin what Tandem needs
newer. Nothing but those tests needs them."""

import sys
from collections.abc import Callable

from infra.setup import found
from infra.setup.missing import run

LOCKS = found.ROOT / "infra" / "requirements"
Say = Callable[[str], None]


def names() -> list[str]:
    """Those that there is a lock for."""
    return sorted(path.stem for path in LOCKS.glob("tap-*.txt"))


def install(name: str, entry: Callable[[str, str], str], say: Say) -> None:
    """The tap's environment, anew, by its lock; hashes are checked. `entry` takes one requirement out of a lock. Raises SetupError.

    Some of what taps need comes as source only; it is built with the locked setuptools, which therefore goes before the rest.
    """
    say(f"installing {name}, a client that tests run")
    home, lock = found.TAPS / name, LOCKS / f"{name}.txt"
    run([sys.executable, "-m", "venv", "--clear", str(home)], f"python could not make an environment for {name}")
    first = home / "first.txt"
    first.write_text(entry(lock.read_text(), "setuptools"))
    pip = [str(found.tap(name)), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    for requirements in (first, lock):
        run([*pip, "--require-hashes", "--no-build-isolation", "-r", str(requirements)], f"pip could not install {name}")
    (home / ".complete").write_bytes(lock.read_bytes())


def complete(name: str) -> bool:
    """Whether the environment is there, whole, and by the present lock."""
    mark, lock = found.TAPS / name / ".complete", LOCKS / f"{name}.txt"
    return mark.is_file() and lock.is_file() and mark.read_bytes() == lock.read_bytes()
