"""How long one event takes without any input or output: `python -m tests.benchmarks.fold_speed [--profile]`."""

import cProfile
import pstats
import sys
import time
from collections.abc import Callable

from consumers.merge.events.fold import fold
from consumers.merge.pair.decision import Decision, Origin
from consumers.merge.pair.decision import encode as encode_decision
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack, unpack
from streams.wire.codec import decode, encode
from tests.benchmarks import person

EVENTS, ROUNDS = 400, 60


def main() -> None:
    """Prints microseconds an event for each step and for all of them."""
    terms = person.terms()
    stored = pack(person.pair(1))
    message = encode(person.edit(1, 7))
    event, state = decode(message), unpack(stored)
    folded, rulings = fold(state, event, terms, person.NOW)
    decision = _decision(folded, rulings)

    def everything() -> None:
        told = decode(message)
        new, rulings = fold(unpack(stored), told, terms, person.NOW)
        new = terms.with_due(new, person.NOW)
        pack(new)
        encode_decision(_decision(new, rulings))

    print(f"state: {len(stored)} bytes; decision: {len(encode_decision(decision))} bytes; event: {len(message)} bytes")
    if "--profile" in sys.argv:
        with cProfile.Profile() as profile:
            _timed(everything)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    steps: dict[str, Callable[[], object]] = {
        "decode event": lambda: decode(message),
        "unpack state": lambda: unpack(stored),
        "fold": lambda: fold(state, event, terms, person.NOW),
        "due": lambda: terms.with_due(folded, person.NOW),
        "pack state": lambda: pack(folded),
        "decision": lambda: encode_decision(_decision(folded, rulings)),
        "all": everything,
    }
    for name, step in steps.items():
        print(f"{name:14} {_timed(step):6.2f} us")


def _timed(step: Callable[[], object]) -> float:
    """Microseconds a call in the best of many short rounds: other work on the machine is in the way of some, not of all."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(EVENTS):
            step()
        best = min(best, time.process_time() - began)
    return best / EVENTS * 1e6


def _decision(state: PairState, rulings: tuple[object, ...]) -> Decision:
    event = person.edit(1, 7)
    origin = Origin(
        topic="crm.salesforce.lead.v1",
        partition=3,
        offset=123_456,
        source=event.source,
        kind=event.kind,
        at=event.at,
        author=event.author,
        call=event.call,
        how=event.origin,
    )
    return Decision(
        kind="judged",
        at=person.NOW,
        pair=1,
        system=event.system,
        record=state.salesforce.id,
        event=origin,
        fields=rulings,  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    main()
