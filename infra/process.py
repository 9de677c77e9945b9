"""One background process of ours: started in a session of its own, known again by pid and start time, stopped by nobody else's name."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.02


class StartError(Exception):
    """A process did not become ready; the message ends with the last lines of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What tells one process from a later one with the same pid: the kernel's start time, in clock ticks since boot (proc(5), field 22)."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The system user under whom a process runs."""

    uid: int
    gid: int


class Process:
    """A process in the background that outlives its starter. Its identity stands in `pidfile`, its output in `log`.

    Every signal is sent only after the start time was compared, so a recycled pid is never hit. The process leads its own
    session, hence its own group: what it leaves behind when it dies can be ended with it.
    """

    def __init__(self, name: str, *, pidfile: Path, log: Path) -> None:
        self.name = name
        self.pidfile = pidfile
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, run_as: RunAs | None = None
    ) -> None:
        """Starts it and records who it is. Raises StartError when it runs already."""
        if self.running():
            raise StartError(f"{self.name} is already running (pid {self._recorded_pid()})")
        self.pidfile.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
                user=run_as.uid if run_as else None,
                group=run_as.gid if run_as else None,
                extra_groups=[] if run_as else None,
            )
        identity = identify(self._child.pid)
        if identity is None:
            raise StartError(self.describe_failure("ended at once"))
        self.pidfile.write_text(json.dumps({"name": self.name, "pid": identity.pid, "started": identity.started}))

    def wait_until_ready(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Returns when `ready` says so. Raises StartError when the process ends first, or when time is up; then it is ended."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running():
                raise StartError(self.describe_failure("ended while starting"))
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(self.describe_failure(f"was not ready within {timeout_seconds:.0f} s"))
            time.sleep(POLL_SECONDS)

    def identity(self) -> Identity | None:
        """Who runs now, or None."""
        recorded = self._recorded()
        return recorded if recorded is not None and self._alive(recorded) else None

    def running(self) -> bool:
        return self.identity() is not None

    def send(self, signum: signal.Signals) -> bool:
        """Sends it to the process alone; False when there is none."""
        identity = self.identity()
        if identity is None:
            return False
        try:
            os.kill(identity.pid, signum)
        except ProcessLookupError:
            return False
        return True

    def stop(self, *, signum: signal.Signals = signal.SIGTERM, timeout_seconds: float = 20.0) -> bool:
        """Asks it to end, waits, and ends the whole group if it does not. True when it ended by itself or was not there."""
        identity = self.identity()
        if identity is None:
            self._forget()
            return True
        self.send(signum)
        orderly = self._wait_for_end(identity, timeout_seconds)
        self._end_group(identity)
        if not orderly:
            self._wait_for_end(identity, timeout_seconds)
        self._forget()
        return orderly

    def kill(self) -> bool:
        """`kill -9` for the process and everything in its group; waits until it is gone. False when there was none."""
        identity = self.identity()
        if identity is None:
            return False
        self._end_group(identity)
        self._wait_for_end(identity, 20.0)
        self._forget()
        return True

    def describe_failure(self, what: str, *, lines_max: int = 15) -> str:
        """One message for a person: what happened and the end of the log."""
        try:
            tail = self.log.read_text(errors="replace").splitlines()[-lines_max:]
        except OSError:
            tail = []
        return "\n  ".join([f"{self.name} {what}; its log is {self.log}", *tail])

    def _alive(self, identity: Identity) -> bool:
        if self._child is not None and self._child.pid == identity.pid:
            return self._child.poll() is None
        return identify(identity.pid) == identity

    def _wait_for_end(self, identity: Identity, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        while self._alive(identity):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _end_group(self, identity: Identity) -> None:
        try:
            os.killpg(identity.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # nobody of the group is left

    def _recorded(self) -> Identity | None:
        try:
            record = json.loads(self.pidfile.read_text())
            return Identity(pid=int(record["pid"]), started=int(record["started"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _recorded_pid(self) -> int | None:
        recorded = self._recorded()
        return recorded.pid if recorded else None

    def _forget(self) -> None:
        self.pidfile.unlink(missing_ok=True)
        self._child = None


def identify(pid: int) -> Identity | None:
    """The process that has this pid now; None when there is none or only its exit status is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return Identity(pid=pid, started=int(fields[19]))
