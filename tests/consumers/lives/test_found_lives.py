"""Histories that were found by `test_whole_lives`, cut down to what it takes: what they showed is mended."""

from typing import Any

import pytest

from tests.consumers.lives.life import ACCOUNT, CONTACT, LEAD, OPPORTUNITY, ROLE
from tests.consumers.lives.test_whole_lives import Lives

Step = tuple[str, dict[str, Any]]
ARRIVE: Step = ("some_arrive", {})


def works(rounds: int) -> Step:
    return "tandem_works", {"rounds": rounds}


def converts(number: int, other: int, how: str, *, deal: bool) -> Step:
    return "a_lead_is_converted", {"number": number, "other": other, "how": how, "deal": deal}


def on(what: str, obj: str, number: int, **rest: Any) -> Step:
    return what, {"obj": obj, "number": number, **rest}


def person(what: str, number: int, **rest: Any) -> Step:
    return what, {"number": number, **rest}


DEAL, PART = on("somebody_is_added", OPPORTUNITY, 0), on("somebody_is_added", ROLE, 1)
FOUND: dict[str, tuple[int, bool, list[Step]]] = {
    "converted before there was a person: what it waits for is owed all the same": (0, False, [converts(0, 0, "new", deal=False)]),
    "a part of somebody whose person was deleted by hand waits, and asks nobody": (
        35,
        False,
        [DEAL, ARRIVE, ARRIVE, works(1), person("a_person_is_deleted", 0), PART],
    ),
    "a creation in doubt wrote a field that a contact hasn't: nobody looks for it for ever": (
        298,
        True,
        [works(1), on("somebody_is_deleted", ACCOUNT, 7), ARRIVE, ARRIVE, works(3), converts(3, 0, "account", deal=True)],
    ),
    "restored, then part of a contact that it can't be merged into: told again, it doesn't come back": (
        474,
        False,
        [
            *(on("somebody_is_deleted", LEAD, 5), person("somebody_is_restored", 3), ARRIVE, on("somebody_is_added", CONTACT, 1)),
            *(works(3), ARRIVE, person("people_are_merged", 5, other=2, many=1)),
        ],
    ),
    "what a merge in Marketo gave a contact, who is deleted with its account, is noted as the account's: the company goes": (
        2007,
        True,
        [
            *(converts(5, 2, "account", deal=True), person("a_part_changes", 0, other=1), ARRIVE, works(3)),
            *(("somebody_comes_in_marketo", {}), ("somebody_comes_in_marketo", {}), person("people_are_merged", 6, other=4, many=1)),
            on("somebody_is_deleted", ACCOUNT, 6),
        ],
    ),
    "held for a namesake while its creation was in doubt, which is found: nobody else may be it": (
        3617,
        True,
        [
            person("an_address_changes_hands", 6, other=3, swap=False),
            *(on("somebody_is_added", CONTACT, 2), ARRIVE, works(2), on("somebody_is_edited", CONTACT, 1, name="Phone"), ARRIVE),
            converts(1, 2, "new", deal=True),
        ],
    ),
    "merged in Marketo into one whose lead is deleted: what flows one way is what the lead says that is left": (
        4354,
        False,
        [
            *(person("an_address_changes_hands", 0, other=1, swap=True), ARRIVE, ARRIVE, works(1), ("somebody_comes_in_marketo", {})),
            *(on("somebody_is_deleted", LEAD, 4), person("people_are_merged", 3, other=7, many=2), ARRIVE, works(3)),
        ],
    ),
}
POLLED: dict[str, list[Step]] = {
    "an account that was restored, and is told of as deleted once more, stays": [
        *(ARRIVE, on("somebody_is_deleted", ACCOUNT, 0), ARRIVE, person("somebody_is_restored", 3)),
    ],
    "so does a lead that had never been heard of before": [on("somebody_is_deleted", LEAD, 1), ARRIVE, person("somebody_is_restored", 4)],
    "whom a reading met whose e-mail is another one since then, it doesn't meet again": [
        *(ARRIVE, ARRIVE, person("an_address_changes_hands", 3, other=2, swap=False), converts(7, 7, "account", deal=True)),
        ("somebody_comes_in_marketo", {}),
    ],
}
"""Without the stream, whose events have a place: each with the seeds 52, 71 and 1532."""
POLLED_ONCE: dict[str, tuple[int, list[Step]]] = {
    "whoever was held for an address that somebody had for the length of a batch is held no more": (
        420346,
        [
            *(ARRIVE, ARRIVE, ARRIVE, ARRIVE, converts(0, 0, "new", deal=False), ARRIVE),
            person("an_address_changes_hands", 0, other=1, swap=True),
        ],
    ),
    "who was read and deleted before anybody met him meets nobody when that reading comes once more: nobody is made again in him": (
        9028,
        [
            *(on("somebody_is_added", CONTACT, 2), person("an_address_changes_hands", 2, other=7, swap=False), ARRIVE),
            *(on("somebody_is_deleted", ACCOUNT, 2), works(1)),
        ],
    ),
}
"""The same, each with a seed of its own."""


TROUBLED: dict[str, tuple[tuple[int, ...], list[Step]]] = {
    "a person is deleted by hand while another one is to be merged into it: that one is its contact's": (
        (4, 7, 12),
        [*(ARRIVE,) * 6, works(1), person("a_person_is_deleted", 6), converts(0, 0, "contact", deal=False)],
    ),
    "what a creation in doubt has made carries the id of a lead that is a contact since: it is the contact's": (
        (28, 5160),
        [ARRIVE, converts(5, 6, "contact", deal=True), *(("somebody_comes_in_marketo", {}),) * 2, works(2)],
    ),
    "several creations are in doubt as their contacts are merged: each is found for what it is": (
        (1162,),
        [
            *(("somebody_comes_in_marketo", {}), converts(7, 7, "new", deal=False), on("somebody_is_added", ACCOUNT, 6)),
            *(on("somebody_is_added", CONTACT, 6), ("somebody_comes_in_marketo", {}), ARRIVE, ARRIVE, ARRIVE, ARRIVE),
            *(on("some_are_merged", CONTACT, 2, other=1, many=2), works(2)),
        ],
    ),
    "what a contact took from its lead is seen when it is read: an older reading that comes after that tells nothing": (
        (1245,),
        [
            *(ARRIVE, works(1), ("somebody_comes_in_marketo", {}), works(1), ARRIVE, works(3)),
            *(converts(6, 5, "account", deal=True), on("somebody_is_added", CONTACT, 0), ARRIVE, converts(4, 7, "contact", deal=False)),
        ],
    ),
    "what a write of ours has cleared stays so, though an older reading that shows it comes once more": (
        (4828,),
        [("somebody_comes_in_marketo", {}), ARRIVE, ARRIVE, person("a_person_is_edited", 3, name="title"), works(3)],
    ),
}
"""The same, where calls get lost, and the worker dies; with its seeds."""


@pytest.mark.parametrize("found", TROUBLED)
def test_a_history_that_was_found_by_the_poll_in_trouble_has_no_fault(found: str) -> None:
    seeds, steps = TROUBLED[found]
    for seed in seeds:
        lives = Lives()
        lives.begins(seed=seed, troubled=True, muted=True)
        for what, arguments in steps:
            getattr(lives, what)(**arguments)
        lives.teardown()


@pytest.mark.parametrize("found", POLLED)
@pytest.mark.parametrize("seed", [52, 71, 1532])
def test_a_history_that_was_found_has_no_fault_where_only_the_poll_tells(found: str, seed: int) -> None:
    lives = Lives()
    lives.begins(seed=seed, troubled=False, muted=True)
    for what, arguments in POLLED[found]:
        getattr(lives, what)(**arguments)
    lives.teardown()


@pytest.mark.parametrize("found", POLLED_ONCE)
def test_a_history_that_was_found_by_the_poll_alone_has_no_fault(found: str) -> None:
    seed, steps = POLLED_ONCE[found]
    lives = Lives()
    lives.begins(seed=seed, troubled=False, muted=True)
    for what, arguments in steps:
        getattr(lives, what)(**arguments)
    lives.teardown()


@pytest.mark.parametrize("found", FOUND)
def test_a_history_that_was_found_has_no_fault(found: str) -> None:
    seed, troubled, steps = FOUND[found]
    lives = Lives()
    lives.begins(seed=seed, troubled=troubled)
    for what, arguments in steps:
        getattr(lives, what)(**arguments)
    lives.teardown()
