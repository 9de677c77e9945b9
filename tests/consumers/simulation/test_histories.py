"""Seeded histories: no edit is lost, both sides converge, nobody exists twice, whatever is late, lost, doubled, rewritten or killed.

500 seeds in `make test`, 20,000 in `make nightly`, spread over what may happen in a history. Each is run twice and must be the same.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from typing import Any

import pytest

from streams.wire.systems import System
from tests.consumers.simulation.playing import History, Progress, Seen, by_variant, play_all
from tests.consumers.simulation.plot import Plot
from tests.consumers.simulation.world import play

NIGHTLY = bool(os.environ.get("TANDEM_NIGHTLY"))
SEEDS = 20_000 if NIGHTLY else 500
PROCESSES = os.cpu_count() or 1
SHORTCUT_SEEDS = 40
DEATH_SEEDS = 40 if NIGHTLY else 3

TROUBLE: dict[str, Any] = {"crashes": 3, "lost": 0.2}
WIDE: dict[str, Any] = {"wide": True, "edits": 12}
CROWD: dict[str, Any] = {"people": 6, "edits": 10}
NO_STREAM: dict[str, Any] = {"muted": True, "polls": True, "read_first": True, "puts_back": 0.3}
VARIANTS: dict[str, dict[str, Any]] = {
    # one thing at a time
    "plain": {},
    "read before each write": {"read_first": True},
    "crashes and lost answers": TROUBLE,
    "a feed out of order": {"disorder": 0.3},
    "polls": {"polls": True},
    "stamped": {"stamped": True},
    "two workers": {"workers": 2},
    "power cuts": {"power_cuts": 2, "lost": 0.1},
    "stops": {"stops": 3},
    "frozen workers": {"freezes": 2, "workers": 2},
    "late calls": {"late": 0.25},
    "late calls, read before each write": {"late": 0.25, "read_first": True},
    "late calls, stamped": {"late": 0.25, "stamped": True, "disorder": 0.3, "polls": True, **TROUBLE},
    "changes unheard": {"unheard": 0.25, "polls": True, "read_first": True},
    "changes told as gaps": {"gaps": 0.4, "read_first": True},
    "poison": {"poison": 4},
    "no stream": NO_STREAM,
    "no stream, wide": {**NO_STREAM, **WIDE},
    "no stream, stamped": {**NO_STREAM, "stamped": True, "disorder": 0.3},
    "no stream, for minutes": {**NO_STREAM, **WIDE, "seconds": 400.0},
    "no stream, as is known": {**NO_STREAM, "unstreamed": True},
    # people who are new
    "born in Salesforce": {"born": "salesforce"},
    "born in Marketo": {"born": "marketo"},
    "born twice": {"born": "twice"},
    "born in Salesforce, crashes": {"born": "salesforce", **TROUBLE},
    "born in Marketo, crashes": {"born": "marketo", **TROUBLE},
    "born twice, crashes": {"born": "twice", **TROUBLE},
    "born twice, polls, disorder": {"born": "twice", "polls": True, "disorder": 0.3, **TROUBLE},
    "born twice, two workers": {"born": "twice", "workers": 2, **TROUBLE},
    "born twice, power cuts": {"born": "twice", "power_cuts": 2},
    "born in Salesforce, late calls": {"born": "salesforce", "late": 0.25},
    "born in Salesforce, stamped": {"born": "salesforce", "stamped": True, **TROUBLE},
    # all kinds of fields and rules
    "wide": WIDE,
    "wide, crashes": {**WIDE, **TROUBLE},
    "wide, late calls": {**WIDE, "late": 0.25},
    "wide, stamped": {**WIDE, "stamped": True},
    "wide, born twice": {**WIDE, "born": "twice"},
    "wide, born in Marketo": {**WIDE, "born": "marketo"},
    "wide, born in Salesforce": {**WIDE, "born": "salesforce"},
    # records that end
    "deleted in Salesforce": {"deleted": System.SALESFORCE},
    "deleted in Salesforce, all at once": {"deleted": System.SALESFORCE, "polls": True, "disorder": 0.3, **TROUBLE},
    "deleted in Marketo": {"deleted": System.MARKETO},
    "deleted in Marketo, followed": {"deleted": System.MARKETO, "follow": True, **TROUBLE},
    # people who merge and are converted
    "merges and conversions": CROWD,
    "merges and conversions, crashes": {**CROWD, **TROUBLE},
    "merges and conversions, polls, disorder": {**CROWD, "polls": True, "disorder": 0.3, "read_first": True},
    "merges and conversions, two workers": {**CROWD, "workers": 2, **TROUBLE},
    # all at once
    "all": {"disorder": 0.3, "polls": True, "read_first": True, **TROUBLE},
    "all, late": {**TROUBLE, "late": 0.2, "gaps": 0.3, "freezes": 2, "workers": 2, "poison": 3, "disorder": 0.3, "read_first": True},
    "all, stamped": {"stamped": True, "disorder": 0.3, "polls": True, "workers": 2, **TROUBLE},
    "all, wide": {**WIDE, "polls": True, "disorder": 0.3, "read_first": True, "workers": 2, "power_cuts": 1, **TROUBLE},
}
FOUND = [
    *[("all, wide", 12), ("all, late", 138), ("all, late", 178), ("all, late", 237), ("born in Salesforce, late calls", 230)],
    *[("deleted in Marketo, followed", 302), ("deleted in Marketo, followed", 303)],
]
"""Histories that had a fault, found by the nightly run and mended."""
STEPS = [
    "observe.observe",
    "settle.claim",
    "settle.answered",
    "settle.commit",
    "settle.changed",
    "look.claim",
    "look.judged",
    "look.changed",
]
DIES_AT = frozenset(
    f"{step}: {when} the commit"
    for step in STEPS
    for when in ("before", "after")
) | {
    "before asking who is there",
    "after asking who is there",
    "before a reading",
    "after a reading",
    "before the call",
    "called, not yet applied",
    "applied, not yet answered",
    "after the answer",
}  # fmt: skip
"""Every point between two effects."""


def plots() -> Iterator[tuple[str, Plot]]:
    """Every seed with its variant."""
    names = list(VARIANTS)
    for seed in range(SEEDS):
        name = names[seed % len(names)]
        yield name, Plot(seed=seed // len(names), **VARIANTS[name])


@pytest.fixture(scope="module")
def histories(request: pytest.FixtureRequest) -> dict[str, list[Seen]]:
    """What came of all of them, by variant. The nightly run says how far it is."""
    told = [History(variant=name, plot=plot, again=True) for name, plot in plots()]
    if not NIGHTLY:
        return by_variant(play_all(told, PROCESSES))
    capturing = request.config.pluginmanager.getplugin("capturemanager")
    with capturing.global_and_fixture_disabled() if capturing else nullcontext():
        sys.stderr.write("\n")  # below the line that pytest has begun
        return by_variant(play_all(told, PROCESSES, Progress(len(told))))


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_history_has_a_fault_and_each_seed_gives_the_same_again(histories: dict[str, list[Seen]], variant: str) -> None:
    assert [str(seen) for seen in histories[variant] if seen.faults] == []


@pytest.mark.parametrize(("variant", "seed"), FOUND)
def test_a_history_that_had_a_fault_has_none(variant: str, seed: int) -> None:
    assert play(Plot(seed=seed, **VARIANTS[variant])).faults == []


@pytest.mark.parametrize("point", sorted(DIES_AT))
def test_a_worker_may_die_between_any_two_effects(point: str) -> None:
    """Killed there each of the first times that it gets there, while answers get lost and feeds lose their order."""
    rest: dict[str, Any] = {"lost": 0.3, "read_first": True, "disorder": 0.2}
    born: tuple[str, ...] = ("both", "salesforce", "marketo", "twice")
    if point.startswith(
        "look.changed"
    ):  # a creation that nobody has answered, of a record that nobody has touched since; nor is it told whose
        born, rest = ("salesforce",) * 4, {"lost": 0.5, "edits": 1, "stamped": True}
    plots = [Plot(seed=seed, dies_at=point, born=born[seed % 4], **rest) for seed in range(4 * DEATH_SEEDS)]
    told = play_all([History(variant="", plot=plot) for plot in plots], PROCESSES if NIGHTLY else 1)
    assert [(seen.history.plot, seen.faults) for seen in told if seen.faults] == []
    assert any(point in seen.died_at for seen in told)


def test_histories_are_full_of_conflicts_and_of_every_verdict_of_the_table(histories: dict[str, list[Seen]]) -> None:
    told = list(chain.from_iterable(histories.values()))
    assert sum(seen.conflicts for seen in told) > SEEDS
    verdicts = frozenset[str]().union(*(seen.verdicts for seen in told))
    assert verdicts >= {"accepted", "same", "won", "lost", "echo", "put_back", "left", "superseded", "waiting"}


@pytest.mark.parametrize("shortcut", ["agree_when_answered", "last_modifier", "time_to_live"])
def test_a_shortcut_loses_edits(shortcut: str) -> None:
    """What sync tools do instead: the experiment would find it."""
    faults = [play(Plot(seed=seed, shortcut=shortcut)).faults for seed in range(SHORTCUT_SEEDS)]
    assert any("wrong" in fault or "diverged" in fault for each in faults for fault in each)
