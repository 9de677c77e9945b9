"""The shadow under the same rules is the live ledger, whatever people did at once: seeded histories of the simulation."""

import os
from typing import Any

import pytest

from consumers.merge.pair.state import PairState
from consumers.shadow.logged import Logged
from consumers.shadow.shadow import Shadow
from streams.wire.codec import decode
from tests.consumers.simulation.plot import Plot
from tests.consumers.simulation.virtual import run_virtually
from tests.consumers.simulation.world import TOPICS, World

SEEDS = 60 if os.environ.get("TANDEM_NIGHTLY") else 12
HISTORIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide": {"wide": True, "edits": 12},
    "born in Salesforce": {"born": "salesforce"},
    "born in Marketo": {"born": "marketo"},
    "born twice": {"born": "twice"},
}


def lived(plot: Plot) -> tuple[World, dict[int, PairState]]:
    """A world after its history, and its pairs before."""
    world = World(plot)
    begin = world.begin
    first: dict[int, PairState] = {}

    def begun() -> None:
        begin()
        first.update(world.ledger.pairs)

    world.begin = begun  # type: ignore[method-assign]
    run_virtually(world.history())
    return world, first


def log_of(world: World) -> list[Logged]:
    """Every decision of a world, with its event."""
    topics = {TOPICS[obj]: messages for obj, messages in world.topics.items() if obj in TOPICS}
    found = []
    for decision in world.ledger.decisions:
        origin = decision.event
        there = origin is not None and origin.topic in topics
        found.append(Logged(decision, decode(topics[origin.topic][origin.offset][1]) if origin is not None and there else None))
    return found


def told(state: PairState) -> dict[str, Any]:
    """What is said of a pair: its records, and of each field the agreement and who shows it."""
    fields = {
        key: (field.value, field.salesforce.shows == field.version, field.marketo.shows == field.version)
        for key, field in state.fields.items()
        if field.version
    }
    return {"records": (state.salesforce.id, state.marketo.id), "fields": fields}


@pytest.mark.parametrize("name", HISTORIES)
def test_the_same_rules_make_the_same_ledger(name: str) -> None:
    wrong = []
    for seed in range(SEEDS):
        world, first = lived(Plot(seed=seed, **HISTORIES[name]))
        shadow = Shadow(world.terms, seed=first.get)
        for entry in log_of(world):
            shadow.take(entry)
        rested = dict(shadow.at_rest())
        for number, state in world.ledger.pairs.items():
            mine = rested.get(number) or first.get(number)
            if mine is None or told(mine) != told(state):
                wrong.append((seed, mine and told(mine), told(state)))
    assert wrong == []
