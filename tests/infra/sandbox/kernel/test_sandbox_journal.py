"""The journal: what was appended is what is replayed, also after a kill in the middle of a write."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.faults import FaultBoard, FaultRefusedError
from infra.sandbox.kernel.journal import Entry, Journal, history_line
from infra.sandbox.kernel.system import CLOCK_OP, restore


def entry(number: int, op: str = "create") -> Entry:
    return Entry(1_700_000_000_000 + number, "ann@example.com", op, "Lead", str(number), None, {"email": f"{number}@example.com"}, "r#1")


def opened(path: Path) -> tuple[Journal, list[Entry]]:
    journal = Journal(path)
    return journal, list(journal.replay())


def test_replay_gives_back_every_entry_in_order(tmp_path: Path) -> None:
    journal, nothing = opened(tmp_path / "journal")
    assert nothing == []
    written = [entry(number) for number in range(1000)]
    journal.append(written[:1])
    journal.append(written[1:700])
    for one in written[700:]:
        journal.append([one])
    journal.close()
    again, replayed = opened(tmp_path / "journal")
    assert replayed == written
    assert again.last_n == 1000


def test_history_can_be_read_from_any_number_and_skips_bookkeeping(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    for number in range(2000):
        journal.append([entry(number, "_clock" if number % 3 == 0 else "update")])
    expected = [number for number in range(2000) if number % 3]
    for after in (0, 1, 255, 256, 257, 700, 1331, 1332):
        lines = list(journal.history(after))
        assert [int(found.id) for _, found in lines] == expected[after:]
        assert [n for n, _ in lines] == list(range(after + 1, len(expected) + 1))
    assert [n for n, _ in journal.history(10, 12)] == [11, 12]
    assert journal.stamps[5] == 1_700_000_000_000 + expected[5]


@pytest.mark.parametrize("lost", [1, 7, 8, 9, 40])
def test_a_torn_tail_is_cut_off_and_writing_goes_on(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "journal"
    journal, _ = opened(path)
    journal.append([entry(1)])
    journal.append([entry(2), entry(3)])
    journal.close()
    os.truncate(path, path.stat().st_size - lost)
    again, replayed = opened(path)
    assert replayed == [entry(1)]
    again.append([entry(4)])
    again.close()
    assert opened(path)[1] == [entry(1), entry(4)]


def test_append_before_replay_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="replay"):
        Journal(tmp_path / "journal").append([entry(1)])


WRITER = """
import sys
from pathlib import Path
from infra.sandbox.kernel.journal import Entry, Journal
journal = Journal(Path(sys.argv[1]))
list(journal.replay())
for block in range(1_000_000):
    journal.append([Entry(1, "a", "create", "Lead", f"{block}.{part}", None, {"note": "x" * 5000}) for part in range(3)])
    if block == 20:
        print("writing", flush=True)
"""


def test_killed_while_writing_whole_blocks_survive(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait(10)
    writer.stdout.close()
    journal, replayed = opened(path)
    assert len(replayed) >= 60
    assert len(replayed) % 3 == 0
    assert [one.id for one in replayed] == [f"{n // 3}.{n % 3}" for n in range(len(replayed))]
    assert [found for _, found in journal.history()] == replayed


def test_history_line_has_exactly_the_documented_members() -> None:
    line = orjson.loads(history_line("marketo", 7, entry(1)))
    assert list(line) == ["n", "at", "system", "actor", "op", "object", "id", "before", "after", "request_id"]
    assert line["at"] == "2023-11-14T22:13:20.001Z"


def test_the_clock_survives_a_restart(tmp_path: Path) -> None:
    journal, _ = opened(tmp_path / "journal")
    clock = Clock(lambda: 1000.0)
    clock.advance(90)
    journal.append([Entry(clock.now_ms(), "sandbox", CLOCK_OP, "Clock", "", None, {"offset_ms": clock.offset_ms}), entry(1)])
    journal.close()
    again, seen = Clock(lambda: 2000.0), list[Entry]()
    assert restore(Journal(tmp_path / "journal"), again, seen.append) == 2
    assert again.now_ms() == 2_090_000
    assert seen == [entry(1)]
    with pytest.raises(ValueError, match="forward"):
        again.advance(-1)


def test_a_fault_hits_what_it_matches_as_often_as_it_says() -> None:
    board = FaultBoard("marketo", other_types=frozenset({"mute"}))
    board.post({"match": {"path": "/rest/v1/leads*", "method": "post"}, "action": {"type": "status", "status": 503}, "times": 2})
    board.post({"match": {"actor": "ann"}, "action": "latency", "times": None})
    board.post({"action": {"type": "mute"}, "times": 1})
    assert board.for_call("GET", "/rest/v1/leads.json", "bob").fault is None
    hits = [board.for_call("POST", "/rest/v1/leads.json", "bob").fault for _ in range(3)]
    assert [found.type if found else None for found in hits] == ["status", "status", None]
    assert board.take({"mute"}) is not None
    assert board.take({"mute"}) is None
    assert [fault["action"]["type"] for fault in board.standing()] == ["latency"]


@pytest.mark.parametrize(
    "body", [{}, {"action": {"type": "nonsense"}}, {"action": "reset", "match": {"url": "x"}}, {"action": "reset", "times": 0}]
)
def test_a_senseless_fault_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(FaultRefusedError):
        FaultBoard("marketo").post(body)
