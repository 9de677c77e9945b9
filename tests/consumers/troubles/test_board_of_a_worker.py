"""What a worker knows to be wrong, and since when."""

from consumers.troubles.board import STALE_MS, Board
from consumers.troubles.trouble import Grade, Trouble, unready, worst_first


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000

    def __call__(self) -> int:
        return self.ms


def test_a_role_is_in_trouble_since_it_first_was_whatever_it_says_now() -> None:
    clock, reasons = Clock(), {"observe": "Kafka is away"}
    board = Board(clock)
    board.watch(lambda: reasons)
    assert board.all() == (Trouble(where="observe", what="Kafka is away", since_ms=1_000),)
    clock.ms, reasons["observe"] = 2_000, "Kafka is still away"
    assert board.all() == (Trouble(where="observe", what="Kafka is still away", since_ms=1_000),)
    del reasons["observe"]
    assert board.all() == ()
    clock.ms, reasons["observe"] = 3_000, "Kafka is away again"
    assert board.all()[0].since_ms == 3_000


def test_what_the_ledger_shows_makes_a_worker_unready_like_a_role() -> None:
    board = Board(Clock())
    short = Trouble(where="calls.marketo", what="Marketo takes no calls", since_ms=900)
    board.heard([short, Trouble(where="holds", what="2 people are held", grade=Grade.ATTENTION)])
    assert board.all()[0] == short
    assert unready(board.all()) == {"calls.marketo": "Marketo takes no calls"}


def test_a_ledger_that_is_not_read_any_more_is_a_trouble_of_its_own() -> None:
    clock = Clock()
    board = Board(clock)
    board.heard([])
    clock.ms += STALE_MS
    board.deaf("PostgreSQL is away")
    assert board.all() == ()
    clock.ms += 1
    assert board.all() == (Trouble(where="ledger", what="PostgreSQL is away", since_ms=1_000, away=True),)
    board.heard([])
    assert board.all() == ()


def test_troubles_come_worst_first_and_once() -> None:
    calm = Trouble(where="holds", what="held", since_ms=1, grade=Grade.ATTENTION)
    late, early = (Trouble(where="observe", what="away", since_ms=ms, again_ms=again) for ms, again in ((9, 50), (5, 40)))
    away = Trouble(where="kafka", what="not there", away=True)
    assert worst_first([calm, late, away, early]) == (away, Trouble(where="observe", what="away", since_ms=5, again_ms=40), calm)


def test_what_the_ledger_shows_is_so_since_it_was_first_heard_of_unless_it_says_itself() -> None:
    clock = Clock()
    board = Board(clock)
    short, gap = Trouble(where="calls.marketo", what="no calls"), Trouble(where="gap", what="missing", since_ms=400)
    board.heard([short])
    clock.ms = 2_000
    board.heard([short, gap])
    assert {each.where: each.since_ms for each in board.all()} == {"calls.marketo": 1_000, "gap": 400}
    board.heard([])
    clock.ms = 3_000
    board.heard([short])
    assert board.all()[0].since_ms == 3_000
