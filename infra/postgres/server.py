"""A PostgreSQL server as a process: initdb, start, wait, restart, stop."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from infra.ports import LOOPBACK, free_port, kept_port
from infra.process import Process, RunAs, StartError
from infra.setup import found

ROLE = "tandem"
DATABASE = "tandem"
POLL_SECONDS = 0.02
ELSEWHERE = Path("/var/tmp")  # noqa: S108 - the directory in it is 0700 and its name comes from ours

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_cost_delay": "1ms",
    "password_encryption": "scram-sha-256",
    "log_min_duration_statement": "2000",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""For two cores and short transactions. fsync, full_page_writes and synchronous_commit stay on: the ledger's commits must hold.

No values of parameters reach the log: they are people's data. There is no Unix socket, so no path can be too long for one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """Encryption, and a role that signs in by certificate alone: for tests of how Tandem reaches such servers. All are PEM files."""

    certificate: Path
    key: Path
    authority: Path
    role: str


HBA = "# nobody without a password, nobody from elsewhere\nhost all all 127.0.0.1/32 scram-sha-256\n"


HBA_GUARDED = """hostssl all {role} 127.0.0.1/32 cert
host all {role} 127.0.0.1/32 reject
"""


class Server:
    """One PostgreSQL server with its data under `home`, or under /var/tmp where the system user that runs it can't reach `home`.

    PostgreSQL refuses to run as root: then the user `postgres` (else `nobody`) runs it. The password is random, in `home/password`
    (mode 0600). The port is chosen with the data and kept while it is free. Methods block; use a thread from asynchronous code.
    """

    def __init__(self, home: Path, *, log: Path | None = None, guarded: Guarded | None = None) -> None:
        self.home = home
        self._guarded = guarded
        self.process = Process("postgres", pidfile=home / "postgres.pid", log=log or home / "postgres.log")
        self._password_file = home / "password"
        self._port_file = home / "port"
        self._data_file = home / "data-is-in"
        self._created = home / "created"

    @property
    def port(self) -> int:
        """The port. Raises StartError before the first start."""
        return int(self._recorded(self._port_file))

    def dsn(self, database: str = DATABASE) -> str:
        """`postgresql://…` with the password in it: a secret."""
        return f"postgresql://{ROLE}:{quote(self._recorded(self._password_file), safe='')}@{LOOPBACK}:{self.port}/{database}"

    def start(self, *, timeout_seconds: float = 120.0) -> None:
        """Starts it and returns when it accepts connections. Raises StartError with the end of the log."""
        if self.process.running():
            return
        run_as = _run_as()
        fresh = not self._created.exists()
        if fresh:
            self._create(run_as)
        data = self._data()
        _wait_for_former_children(data, timeout_seconds)
        self._port_file.write_text(str(kept_port(self.port)))
        settings = SETTINGS | {"port": str(self.port), "wal_compression": _compression(data, run_as)}
        if self._guarded:
            settings |= {"ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key", "ssl_ca_file": "authority.pem"}
        arguments = [f"-c{key}={value}" for key, value in settings.items()]
        self.process.start([str(_bin() / "postgres"), "-D", str(data), *arguments], env=_environment(), cwd=data, run_as=run_as)
        self.process.wait_until_ready(self.ready, timeout_seconds=timeout_seconds)
        if fresh:
            self._create_database()
            self._created.touch()

    def stop(self, *, timeout_seconds: float = 30.0) -> bool:
        """PostgreSQL's fast shutdown (SIGINT): sessions are cut, a checkpoint is written. True when it needed no force."""
        return self.process.stop(signum=signal.SIGINT, timeout_seconds=timeout_seconds)

    def kill(self) -> None:
        """`kill -9`; the next start recovers from the log."""
        self.process.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def running(self) -> bool:
        return self.process.running()

    def ready(self) -> bool:
        identity = self.process.identity()
        return identity is not None and _says_ready(self._data(), identity.pid)

    def remove(self) -> None:
        """Stops it and deletes its data."""
        self.stop()
        if self._data_file.exists():
            shutil.rmtree(self._data().parent, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _create(self, run_as: RunAs | None) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        place = self._place(run_as)
        data = place / "data"
        shutil.rmtree(data, ignore_errors=True)
        password = secrets.token_urlsafe(24)
        with tempfile.NamedTemporaryFile("w", dir=place, prefix="pw-") as pwfile:
            pwfile.write(password)
            pwfile.flush()
            if run_as:
                os.chown(pwfile.name, run_as.uid, run_as.gid)
            options = ["-U", ROLE, "-A", "scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums", "--no-sync"]
            command = [str(_bin() / "initdb"), "-D", str(data), f"--pwfile={pwfile.name}", *options]
            _run(command, cwd=place, run_as=run_as)
        (data / "pg_hba.conf").write_text((HBA_GUARDED.format(role=self._guarded.role) if self._guarded else "") + HBA)
        if self._guarded:
            _bring(self._guarded, data, run_as)
        self._data_file.write_text(str(data))
        self._port_file.write_text(str(free_port()))
        _write_secret(self._password_file, password)

    def _place(self, run_as: RunAs | None) -> Path:
        """The parent of the data directory: `home` itself where the server's user can get there."""
        place = self.home.resolve()
        if run_as and not _reachable(place, run_as):
            place = ELSEWHERE / f"tandem-postgres-{sha256(str(place).encode()).hexdigest()[:16]}"
            place.mkdir(mode=0o700, exist_ok=True)
            if place.is_symlink() or place.stat().st_uid not in {0, run_as.uid}:
                raise StartError(f"{place} belongs to somebody else; remove it")
        if run_as:
            os.chown(place, run_as.uid, run_as.gid)
        return place

    def _data(self) -> Path:
        return Path(self._recorded(self._data_file))

    def _recorded(self, file: Path) -> str:
        try:
            return file.read_text().strip()
        except FileNotFoundError:
            raise StartError("postgres has not been started here yet") from None

    def _create_database(self) -> None:
        environment = _environment() | {"PGPASSWORD": self._recorded(self._password_file)}
        address = ["-h", LOOPBACK, "-p", str(self.port), "-U", ROLE]
        _run([str(_bin() / "createdb"), *address, "--maintenance-db=postgres", DATABASE], cwd=self.home, env=environment)


def _bring(guarded: Guarded, data: Path, run_as: RunAs | None) -> None:
    """The server reads its key only where nobody else can."""
    for name, source in (("server.pem", guarded.certificate), ("server.key", guarded.key), ("authority.pem", guarded.authority)):
        _write_secret(data / name, source.read_text())
        if run_as:
            os.chown(data / name, run_as.uid, run_as.gid)


def _compression(data: Path, run_as: RunAs | None) -> str:
    """How the first image of a page after a checkpoint is packed: `lz4` takes a quarter off what observe costs the database, where the
    server was built with it; PostgreSQL's own is slower."""
    command = [str(_bin() / "postgres"), "-D", str(data), "-cwal_compression=lz4", "-C", "wal_compression"]
    try:
        _run(command, cwd=data, run_as=run_as)
    except StartError:
        return "on"
    return "lz4"


def _bin() -> Path:
    postgres = found.postgres()
    if postgres is None:
        raise StartError("PostgreSQL 15 or later is not here; run `make setup`")
    return postgres.path


def _run_as() -> RunAs | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(uid=entry.pw_uid, gid=entry.pw_gid)
    raise StartError("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it")


def _reachable(place: Path, run_as: RunAs) -> bool:
    """Whether that user may pass through every directory on the way to `place`."""
    command = ["test", "-x", str(place.parent)]
    done = subprocess.run(command, user=run_as.uid, group=run_as.gid, extra_groups=[], check=False, cwd="/")
    return done.returncode == 0


def _environment() -> dict[str, str]:
    """PostgreSQL's own variables in ours would reach into the server."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"}


def _says_ready(data: Path, pid: int) -> bool:
    """PostgreSQL writes its pid into the first line of postmaster.pid and its state into the eighth; `pg_ctl --wait` looks there too."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _wait_for_former_children(data: Path, timeout_seconds: float) -> None:
    """After a `kill -9` sessions of the dead server may live for a moment; a new one refuses to start beside them."""
    deadline = time.monotonic() + timeout_seconds
    while _working_in(data) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _working_in(data: Path) -> bool:
    """Whether any process has the data directory as its working directory, as every process of PostgreSQL does."""
    wanted = str(data.resolve())
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(link.readlink()) == wanted:
                return True
        except OSError:
            continue
    return False


def _write_secret(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)


def _run(command: list[str], *, cwd: Path, env: dict[str, str] | None = None, run_as: RunAs | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env or _environment(),
        capture_output=True,
        text=True,
        check=False,
        user=run_as.uid if run_as else None,
        group=run_as.gid if run_as else None,
        extra_groups=[] if run_as else None,
    )
    if done.returncode != 0:
        raise StartError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")
