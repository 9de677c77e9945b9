"""Histories drawn evenly: each step any rule, each argument any value, whatever came before. Hypothesis draws otherwise: it likes what is
small and what it has had already, and so comes to other histories.

    python -m tests.consumers.lives.uniform 0 500           plays the histories of these seeds and says which have a fault
    python -m tests.consumers.lives.uniform 17 18 --cut     cuts those down to the steps that it takes, ready for `test_found_lives`
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.wire.systems import Object
from tests.consumers.lives.life import ACCOUNT, CONTACT, LEAD, OPPORTUNITY, ROLE, USER
from tests.consumers.lives.test_whole_lives import Lives

Step = tuple[str, dict[str, Any]]
_NUMBER, _YES_OR_NO = tuple(range(8)), (False, True)
_STEPS = (8, 48)
_OWNED = (LEAD, CONTACT, ACCOUNT, OPPORTUNITY)
DRAWN: Mapping[str, Mapping[str, Sequence[object]]] = {
    "somebody_is_added": {"obj": (LEAD, CONTACT, CONTACT, ACCOUNT, OPPORTUNITY, ROLE, USER), "number": _NUMBER},
    "somebody_is_edited": {"obj": (*_OWNED, USER), "number": _NUMBER, "name": ("LastName", "Title", "Phone")},
    "a_part_changes": {"number": _NUMBER, "other": _NUMBER},
    "somebody_moves": {"obj": (CONTACT, OPPORTUNITY), "number": _NUMBER, "other": _NUMBER},
    "somebody_has_another_owner": {"obj": _OWNED, "number": _NUMBER, "other": _NUMBER},
    "somebody_is_deleted": {"obj": (*_OWNED, ROLE), "number": _NUMBER},
    "somebody_is_restored": {"number": _NUMBER},
    "some_are_merged": {"obj": (LEAD, CONTACT, ACCOUNT), "number": _NUMBER, "other": _NUMBER, "many": (1, 2)},
    "a_lead_is_converted": {"number": _NUMBER, "other": _NUMBER, "how": ("new", "account", "contact"), "deal": _YES_OR_NO},
    "an_address_changes_hands": {"number": _NUMBER, "other": _NUMBER, "swap": _YES_OR_NO},
    "somebody_comes_in_marketo": {},
    "a_person_is_edited": {"number": _NUMBER, "name": ("lastName", "title", "phone")},
    "a_person_is_deleted": {"number": _NUMBER},
    "people_are_merged": {"number": _NUMBER, "other": _NUMBER, "many": (1, 2, 3)},
    "some_arrive": {},
    "tandem_works": {"rounds": (1, 2, 3)},
    "time_passes": {},
}
"""What is drawn for each rule of `Lives`."""
_TANDEMS = frozenset({"some_arrive", "tandem_works"})
"""These are drawn more often in some histories: Tandem keeps up in these, and lags behind in others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is played: how it begins, and its steps."""

    seed: int
    troubled: bool = False
    muted: bool = False
    late: bool = False
    steps: tuple[Step, ...] = ()

    def play(self) -> str:
        """What is wrong at its end; "" if nothing is."""
        lives = Lives()
        lives.begins(seed=self.seed, troubled=self.troubled, muted=self.muted, late=self.late)
        try:
            for what, arguments in self.steps:
                getattr(lives, what)(**arguments)
            lives.teardown()
        except Exception as error:  # noqa: BLE001  whatever it is, it is what this history has shown
            return f"{type(error).__name__}: {error}"
        return ""

    def of(self, steps: Sequence[Step]) -> "History":
        """The same with these steps."""
        return History(seed=self.seed, troubled=self.troubled, muted=self.muted, late=self.late, steps=tuple(steps))


def drawn(seed: int) -> History:
    """The history of this seed: the same each time."""
    rng = random.Random(seed)
    troubled, muted, late = (rng.random() < 0.5 for _ in range(3))
    rules, steps, pace = list(DRAWN), rng.randint(*_STEPS), rng.randint(1, 6)
    weights = [pace if what in _TANDEMS else 1 for what in rules]
    return History(
        seed=seed,
        troubled=troubled,
        muted=muted,
        late=late,
        steps=tuple(
            (what, {name: rng.choice(values) for name, values in DRAWN[what].items()}) for what in rng.choices(rules, weights, k=steps)
        ),
    )


def cut(history: History) -> History:
    """The history without the steps that its fault does without."""
    steps, length = list(history.steps), len(history.steps) // 2
    while length:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + length :]
            if history.of(fewer).play():
                steps = fewer
            else:
                at += length
        length //= 2
    return history.of(steps)


def faulty(seeds: Sequence[int]) -> Iterator[tuple[History, str]]:
    """Those of these histories that have a fault, and what it is."""
    for seed in seeds:
        history = drawn(seed)
        if wrong := history.play():
            yield history, wrong


def told(history: History) -> str:
    """The history as it is written down."""
    names = {each: each.upper() for each in (LEAD, CONTACT, ACCOUNT, OPPORTUNITY, ROLE, USER)}

    def shown(value: object) -> str:
        return names[Object(value)] if isinstance(value, str) and value in names else repr(value)

    def line(step: Step) -> str:
        arguments = ", ".join(f'"{name}": {shown(value)}' for name, value in step[1].items())
        return f'    ("{step[0]}", {{{arguments}}}),'

    how = f"seed={history.seed}, troubled={history.troubled}, muted={history.muted}, late={history.late}"
    return "\n".join((how, *(line(step) for step in history.steps)))


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=int)
    parser.add_argument("end", type=int)
    parser.add_argument("--cut", action="store_true")
    chosen, found = parser.parse_args(), 0
    for history, wrong in faulty(range(chosen.first, chosen.end)):
        found += 1
        _say(f"{history.seed}: {wrong[:600]}")
        if chosen.cut:
            shorter = cut(history)
            _say(f"{told(shorter)}\n    -> {shorter.play()[:900]}")
    _say(f"{chosen.end - chosen.first} histories, {found} faulty")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(_main())
