"""Two worlds in which people do the same at the same moments, under other rules each: what one would have become, the other is."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import replace

from consumers.mapping.fields import Direction, FieldMapping, FieldType, Rule, RuleName, SyncRules, Unwanted
from consumers.merge.pair.state import PairState
from streams.wire.events import Value
from streams.wire.systems import LEAD, System
from tests.consumers.simulation.plot import BOX, CHOOSY, CLEARED, DOWN, EMAIL, SCORE, SET, TEXTS, UP, Plot, rules_of
from tests.consumers.simulation.virtual import run_virtually
from tests.consumers.simulation.world import World

BURST_SECONDS, APART_SECONDS = 0.7, 100.0
"""People type at once, before anything of it can have reached the other side; then all of it gets there."""
_TEXTS = (*((key, name) for key, name in TEXTS.items()), CLEARED, DOWN, UP, CHOOSY)
_RULES = (RuleName.SALESFORCE, RuleName.MARKETO, RuleName.NEWEST, RuleName.NON_BLANK, RuleName.MAX, RuleName.MIN)


class Steady(random.Random):
    """Dice that always fall the same: every event takes as long as every other."""

    def random(self) -> float:
        """The middle."""
        return 0.5

    def uniform(self, a: float, b: float) -> float:
        """The middle."""
        return (a + b) / 2


class Twin(World):
    """A world under these rules. What people do depends on the seed alone."""

    def __init__(self, seed: int, rules: SyncRules, bursts: int = 4) -> None:
        super().__init__(Plot(seed=seed, wide=True, edits=0, seconds=bursts * APART_SECONDS))
        self.rng, self.rules, self.bursts = Steady(seed), rules, bursts
        self.ledger.rng = self.rng
        self.terms = replace(self.terms, rules=rules)
        self.systems = {system: self._system(system) for system in System}
        for system in System:
            self.systems[system].latency = (1.4, 1.6) if system is System.SALESFORCE else (1.9, 2.1)
        self.first: dict[int, PairState] = {}

    def begin(self) -> None:
        """The pair, which is remembered as it begins."""
        super().begin()
        self.first = dict(self.ledger.pairs)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        dice, number = random.Random(f"edits {self.plot.seed}"), 0
        for burst in range(self.bursts):
            for _ in range(dice.randrange(1, 5)):
                number += 1
                side = dice.choice(list(System))
                at = burst * APART_SECONDS + 1 + dice.uniform(0, BURST_SECONDS)
                loop.call_at(at, self._type, side, typed_by(dice, side, number))

    def _type(self, side: System, values: Mapping[str, Value]) -> None:
        self.systems[side].update("person", self.record[side], dict(values))


def typed_by(dice: random.Random, side: System, number: int) -> dict[str, Value]:
    """What somebody types, whatever stands there."""
    place, text = 1 if side is System.SALESFORCE else 0, f"{side[0]}{number:02}"
    values: dict[str, Value] = {names[place]: text for names in _TEXTS if dice.random() < 0.5}
    if dice.random() < 0.4:
        values[CLEARED[place]] = None
    if dice.random() < 0.5:
        values[SCORE[place]] = dice.randrange(1000)
    if dice.random() < 0.5:
        values[BOX[place]] = dice.random() < 0.5
    if dice.random() < 0.5:
        values[SET[place]] = ";".join(dice.sample(["v0", "v1", "red", "blue", text], dice.randrange(1, 4)))
    return values


def rules_by(seed: str) -> SyncRules:
    """Some rule, and some direction, for each field."""
    dice = random.Random(seed)
    winner = dice.choice(list(System))
    rules = rules_of(Plot(seed=0, wide=True), winner)
    linking = {rules.links.lead_id, rules.links.type, rules.links.is_deleted, EMAIL[0]}
    fields = tuple(item if item.key in linking else _ruled(item, dice, winner) for item in rules.objects[LEAD].fields)
    return replace(rules, objects={LEAD: replace(rules.objects[LEAD], fields=fields)})


def _ruled(item: FieldMapping, dice: random.Random, default: System) -> FieldMapping:
    name = dice.choice(_RULES)
    if item.type is FieldType.NUMBER and dice.random() < 0.5:
        name = RuleName.SUM_DELTAS
    if item.type is FieldType.MULTIPICKLIST and dice.random() < 0.5:
        name = RuleName.UNION
    if item.type is FieldType.BOOLEAN and dice.random() < 0.3:
        name = RuleName.TRUE_WINS
    direction = dice.choice([Direction.BOTH, Direction.BOTH, Direction.TO_MARKETO, Direction.TO_SALESFORCE])
    rule = Rule(name=name, default=default, tolerance_ms=dice.choice([0, 5_000]))
    return replace(item, rule=rule, direction=direction, unwanted=dice.choice(list(Unwanted)))


def lived(seed: int, rules: SyncRules) -> Twin:
    """The world after its history."""
    world = Twin(seed, rules)
    run_virtually(world.history())
    return world


def changed(world: Twin) -> dict[str, list[tuple[float, Value]]]:
    """What people changed, by the field: what they typed to no effect is no change, and nobody can tell that they did."""
    mapped = world.rules.objects[LEAD]
    found: dict[str, list[tuple[float, Value]]] = {}
    for system in System:
        for entry in world.systems[system].log:
            for name, value in entry.after.items() if entry.author == "person" else ():
                item = mapped.by_name(system).get(name)
                if item is not None:
                    found.setdefault(item.key, []).append((entry.at, value))
    return found
