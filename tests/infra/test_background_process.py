"""A background process of ours: known by pid and start time, ended with its group, never mistaken for another."""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.ports import LOOPBACK, free_port, is_free
from infra.process import Identity, Process, StartError, identify

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
PARENT = f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(600)"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process("sleeper", pidfile=tmp_path / "sleeper.pid", log=tmp_path / "sleeper.log")
    yield made
    made.kill()


def _log_says_up(process: Process) -> bool:
    return "up" in process.log.read_text()


def test_it_runs_until_stopped_and_leaves_no_pidfile(process: Process) -> None:
    process.start(SLEEPER)
    identity = process.identity()
    assert identity is not None
    assert identify(identity.pid) == identity
    assert process.stop()
    assert not process.running()
    assert identify(identity.pid) is None
    assert not process.pidfile.exists()


def test_another_object_with_the_same_pidfile_can_stop_it(process: Process) -> None:
    process.start(SLEEPER)
    other = Process("sleeper", pidfile=process.pidfile, log=process.log)
    assert other.identity() == process.identity()
    assert other.stop()
    assert not process.running()


def test_a_second_start_is_refused(process: Process) -> None:
    process.start(SLEEPER)
    with pytest.raises(StartError, match="already running"):
        process.start(SLEEPER)


def test_a_recycled_pid_is_left_alone(process: Process) -> None:
    """The pidfile names a pid that lives, with another start time: a process of somebody else's."""
    me = identify(os.getpid())
    assert me is not None
    process.pidfile.write_text(json.dumps({"name": "sleeper", "pid": me.pid, "started": me.started - 1}))
    assert not process.running()
    assert not process.send(signal.SIGTERM)
    assert not process.kill()
    assert process.stop()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x", "started": 1}'])
def test_an_unreadable_pidfile_means_nobody(process: Process, content: str) -> None:
    process.pidfile.write_text(content)
    assert process.identity() is None


def test_one_that_ignores_the_request_is_ended_by_force(process: Process) -> None:
    process.start([sys.executable, "-c", STUBBORN])
    process.wait_until_ready(lambda: _log_says_up(process), timeout_seconds=20)
    assert not process.stop(timeout_seconds=0.3)
    assert not process.running()


def test_kill_ends_the_children_too(process: Process) -> None:
    process.start([sys.executable, "-c", PARENT])
    process.wait_until_ready(lambda: _log_says_up(process), timeout_seconds=20)
    group = process.identity()
    assert group is not None
    children = _children(group)
    assert children
    process.kill()
    process.start([sys.executable, "-c", "import time; time.sleep(600)"])
    process.wait_until_ready(lambda: not any(identify(child.pid) == child for child in children), timeout_seconds=20)


def test_ending_while_starting_is_told_with_the_end_of_the_log(process: Process) -> None:
    process.start([sys.executable, "-c", "import sys; sys.exit('no such port')"])
    with pytest.raises(StartError, match=r"ended while starting(.|\n)*no such port"):
        process.wait_until_ready(lambda: False, timeout_seconds=20)


def test_one_that_never_gets_ready_is_ended(process: Process) -> None:
    process.start(SLEEPER)
    with pytest.raises(StartError, match="was not ready within 0 s"):
        process.wait_until_ready(lambda: False, timeout_seconds=0.1)
    assert not process.running()


def test_a_free_port_can_be_listened_on_and_is_no_port_for_outgoing_connections() -> None:
    port = free_port()
    assert is_free(port)
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not low <= port <= high
    assert free_port(taken=frozenset({port})) != port


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        assert not is_free(listener.getsockname()[1])


def _children(parent: Identity) -> list[Identity]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            group = int((directory / "stat").read_text().rpartition(")")[2].split()[2])
        except (OSError, ValueError):
            continue
        identity = identify(int(directory.name))
        if group == parent.pid and identity and identity != parent:
            found.append(identity)
    return found
