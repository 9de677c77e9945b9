"""How long a plain event takes in each stage of a batch, without Kafka and the database: `python -m tests.benchmarks.plain_speed`.

Batches of 500 edits of random people, as observe takes them: what one event alone takes (`fold_speed`) is half of it, since a batch does
not fit into the processor's own memory. The best of many batches is told, which other work on the machine disturbs least.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

from consumers.judging.bursts import Bursts
from consumers.judging.meeting.names import named
from consumers.judging.observed import Observed
from consumers.judging.plain_events import PlainEvents
from consumers.ledger.pair import Pair
from consumers.ledger.postgres.blocks import packed
from consumers.merge.events.plain import ways
from consumers.merge.pair.decision import Told
from consumers.merge.pair.stored import pack
from consumers.worker.telemetry.collector import calm
from streams.wire.codec import decode, encode
from streams.wire.systems import LEAD, System
from tests.benchmarks import person

PEOPLE, BATCH, BATCHES = 20_000, 500, 60
_TOPIC = "crm.salesforce.lead.v1"


class Stages:
    """The least that each stage has taken (seconds of processor time for a batch)."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self.least: dict[str, float] = defaultdict(lambda: float("inf"))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is done inside is this stage."""
        began = self._clock()
        yield
        self.least[name] = min(self.least[name], self._clock() - began)


def main() -> None:
    """Prints microseconds an event for each stage, and for all of them."""
    stored = {person.salesforce_id(number): pack(person.pair(number)) for number in range(PEOPLE)}
    places = {record: number for number, record in enumerate(stored, 1)}
    stages, short, bursts, chance = Stages(), ways(person.terms()), Bursts(), Random(1)
    calm()
    for turn in range(PEOPLE, PEOPLE + BATCH * BATCHES, BATCH):
        values = [encode(person.edit(chance.randrange(PEOPLE), turn + place)) for place in range(BATCH)]
        now = person.NOW + turn * 1_000
        with stages.stage("decode"):
            events = [decode(value) for value in values]
        with stages.stage("bursts"):
            bursts.told(events, now)
        states = {event.id: bytes(bytearray(stored[event.id])) for event in events}
        with stages.stage("pairs"):
            pairs = {named(System.SALESFORCE, LEAD, each): Pair.packed(places[each], state, None, 0) for each, state in states.items()}
        plain = PlainEvents(short, now, Observed(), bursts)
        decisions: list[Told] = []
        with stages.stage("judge"):
            for place, event in enumerate(events):
                decision = plain.judged(pairs[named(System.SALESFORCE, LEAD, event.id)], event, _TOPIC, 3, turn + place)
                if decision is None:
                    raise RuntimeError(f"an edit of {event.id} is not plain")
                decisions.append(decision)
        with stages.stage("block"):
            packed(decisions, {})
        stored.update({record: pair.edited for (_, _, record), pair in pairs.items()})
    for name, seconds in stages.least.items():
        print(f"{name:8} {seconds / BATCH * 1e6:6.2f} us")
    print(f"{'all':8} {sum(stages.least.values()) / BATCH * 1e6:6.2f} us")


if __name__ == "__main__":
    main()
