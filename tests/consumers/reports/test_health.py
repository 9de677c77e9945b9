"""Each word for how things stand has its case, and the sentence says what a person wants to know."""

from dataclasses import replace
from typing import Any

import pytest

from consumers.ledger.spent import Spent
from consumers.ledger.tallies import Due, Pairs, Waiting
from consumers.reports.standing.health import MEANS, Pause, Trend, Word, health, length
from consumers.reports.standing.status import SourceState, State, Status
from consumers.troubles.trouble import Trouble

NOW = 1_800_000_000_000
HOUR = 3_600_000


def pairs(kind: str, linked: int) -> Pairs:
    return Pairs(kind=kind, pairs=linked, linked=linked, only_salesforce=0, only_marketo=0, objects={}, about=False)


def source(name: str = "salesforce.cdc", saved_ago_ms: int = 500) -> SourceState:
    return SourceState(source=name, relay="w", begun=True, saved_ago_ms=saved_ago_ms, feed_ago_ms=500)


WELL = Status(
    state=State.IN_STEP, at_ms=NOW, pairs=pairs("person", 12_400), others=(pairs("account", 18),), due=(),
    waiting=Waiting(held=0, contested=0, refused=0),
    sources=(source(),), partitions=(), spent=(), cycles=(), recent={}, recent_minutes=5, dead_letters=0, dead_reasons={}, heard_ago_ms=900,
)  # fmt: skip


def owed(count: int, oldest_ms: int) -> tuple[Due, ...]:
    return (Due(what="write", system="marketo", lane="live", pairs=count, due=count, oldest_ms=oldest_ms),)


def degraded(**more: Any) -> dict[str, Any]:
    return {"state": State.DEGRADED, "troubles": (Trouble(where="observe", what="no worker does this", **more),)}


@pytest.mark.parametrize(
    ("changed", "trend", "paused", "word", "why"),
    [
        ({}, None, (), Word.IN_STEP, ""),
        ({"due": owed(3, 800)}, None, (), Word.IN_STEP, ""),
        ({"due": owed(300, 40_000)}, Trend(drained_a_second=10.0), (), Word.CATCHING_UP, "300 changes wait, done in about 30 s"),
        ({"due": owed(300, 40_000)}, Trend(drained_a_second=-1.0), (), Word.FALLING_BEHIND, "the pace at which Marketo takes calls"),
        (
            {"due": owed(300, 40_000), "spent": (Spent(system="marketo", used=96, limit=100, blocked_ms=0),)},
            Trend(drained_a_second=-1.0),
            (),
            Word.FALLING_BEHIND,
            "Marketo's calls of the day",
        ),
        (degraded(again_ms=NOW + 5_000), None, (), Word.RETRYING, "next try in 5.0 s"),
        (degraded(), None, (), Word.DEGRADED, "no worker does this"),
        ({"sources": (source(saved_ago_ms=40 * HOUR),)}, None, (), Word.AT_RISK, "expires in 32 h"),
        (
            {"spent": (Spent(system="marketo", used=1, limit=9, blocked_ms=HOUR),)},
            None,
            (),
            Word.BLOCKED,
            "Marketo takes no calls",
        ),
        ({}, None, (Pause(what="Marketo", who="ann", why="a campaign"),), Word.PAUSED, "Marketo, by ann: a campaign"),
        ({"sources": (), "heard_ago_ms": None}, None, (), Word.NEVER_RAN, "tandem run"),
        ({"heard_ago_ms": 31_000}, None, (), Word.UNKNOWN, "31 s old"),
        ({"heard_ago_ms": None}, None, (), Word.UNKNOWN, "no worker runs"),
    ],
)
def test_the_word_says_the_worst_that_is_so(
    changed: dict[str, Any], trend: Trend | None, paused: tuple[Pause, ...], word: Word, why: str
) -> None:
    told = health(replace(WELL, **changed), trend=trend, paused=paused)
    assert told.word is word
    assert why in told.why
    assert told.means == MEANS[word]


def test_every_word_has_a_meaning() -> None:
    assert MEANS.keys() == set(Word)


def test_the_sentence_says_how_many_how_late_and_what_needs_somebody() -> None:
    assert health(WELL).sentence == "In step. 12,418 pairs, no change waits, nothing needs you."
    some = replace(WELL, due=owed(3, 800), waiting=Waiting(held=1, contested=1, refused=0))
    assert health(some).sentence == "In step. 12,418 pairs, oldest unapplied change 0.8 s, 2 things need you."
    assert [(each.queue, each.told) for each in health(some).needs] == [("held", "1 record is held"), ("contested", "1 conflict waits")]
    assert health(replace(WELL, heard_ago_ms=60_000)).sentence == "Unknown: the last word of a worker is 60 s old."


def test_old_words_are_never_green() -> None:
    assert health(replace(WELL, heard_ago_ms=30_001)).word is Word.UNKNOWN


@pytest.mark.parametrize(("ms", "told"), [(800, "0.8 s"), (45_000, "45 s"), (600_000, "10 min"), (8 * HOUR, "8 h"), (72 * HOUR, "3 days")])
def test_lengths_have_a_unit_that_suits_them(ms: int, told: str) -> None:
    assert length(ms) == told
