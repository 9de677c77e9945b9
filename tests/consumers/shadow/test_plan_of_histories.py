"""What a plan says that other rules would have come to is where a world ends that lived under them from the start."""

import os

import pytest

from consumers.shadow.lived import settled
from consumers.shadow.shadow import Shadow
from streams.wire.systems import LEAD
from tests.consumers.shadow.test_shadow_of_histories import log_of
from tests.consumers.shadow.twins import changed, lived, rules_by

SEEDS = 1_000 if os.environ.get("TANDEM_NIGHTLY") else 50


@pytest.mark.parametrize("part", range(5))
def test_a_world_under_other_rules_ends_where_the_plan_said(part: int) -> None:
    wrong, moved = [], 0
    for seed in range(part, SEEDS, 5):
        old, new = rules_by(f"old {seed}"), rules_by(f"new {seed}")
        logged, twin = lived(seed, old), lived(seed, new)
        shadow = Shadow(logged.terms, seed=logged.first.get).fork(twin.terms)
        for entry in log_of(logged):
            shadow.take(entry)
        mapped = new.objects[LEAD].by_key
        said = {key: (field.value, bool(field.hold)) for key, field in settled(shadow.pairs[1], mapped).items()}
        became = {key: (field.value, bool(field.hold)) for key, field in twin.ledger.pairs[1].fields.items()}
        was = {key: (field.value, bool(field.hold)) for key, field in logged.ledger.pairs[1].fields.items()}
        done = changed(logged), changed(twin)
        moved += became != was
        alike = [key for key in became if done[0].get(key) == done[1].get(key)]
        wrong += [(seed, key, said.get(key), became[key]) for key in alike if said.get(key) != became[key]]
    assert wrong == []
    assert moved  # else nothing was shown
