"""Lives drawn evenly (`uniform`): a few in each test run, thousands by night; and those that were found so, cut down to what it takes."""

from inspect import isfunction, signature

import pytest

from tests.consumers.lives.life import ACCOUNT, CONTACT, LEAD, OPPORTUNITY, USER
from tests.consumers.lives.test_whole_lives import NIGHTLY, Lives
from tests.consumers.lives.uniform import DRAWN, History, Step, drawn

SEEDS = range(2_000) if NIGHTLY else range(24)
_BLOCK = 8
ARRIVE: Step = ("some_arrive", {})


def works(rounds: int) -> Step:
    return "tandem_works", {"rounds": rounds}


FOUND: dict[str, History] = {
    "a contact that a lead was converted into is gone before anybody heard of it: told once more, it changes nobody": History(
        seed=1705,
        steps=(
            ("somebody_comes_in_marketo", {}),
            ("some_arrive", {}),
            ("tandem_works", {"rounds": 3}),
            ("people_are_merged", {"number": 6, "other": 2, "many": 1}),
            ("somebody_comes_in_marketo", {}),
            ("some_arrive", {}),
            ("a_lead_is_converted", {"number": 3, "other": 7, "how": CONTACT, "deal": True}),
            ("somebody_is_edited", {"obj": LEAD, "number": 5, "name": "LastName"}),
            ("tandem_works", {"rounds": 3}),
            ("somebody_is_deleted", {"obj": CONTACT, "number": 2}),
            ("some_arrive", {}),
            ("some_arrive", {}),
        ),
    ),
    "a lead is converted, and that it had been restored before is told once more": History(
        seed=55,
        troubled=True,
        late=True,
        steps=(
            ("somebody_is_deleted", {"obj": LEAD, "number": 6}),
            ("somebody_is_deleted", {"obj": ACCOUNT, "number": 5}),
            ("somebody_is_restored", {"number": 3}),
            ("somebody_is_restored", {"number": 4}),
            ("an_address_changes_hands", {"number": 6, "other": 7, "swap": False}),
            ("somebody_comes_in_marketo", {}),
            ("somebody_comes_in_marketo", {}),
            ARRIVE,
            ("a_lead_is_converted", {"number": 1, "other": 7, "how": "account", "deal": True}),
        ),
    ),
    "a queue's lead meets the person of a contact that is gone: its owner is nobody": History(
        seed=78,
        muted=True,
        steps=(
            ("somebody_is_added", {"obj": USER, "number": 2}),
            ARRIVE,
            ARRIVE,
            ("somebody_has_another_owner", {"obj": LEAD, "number": 6, "other": 6}),
            works(3),
            ("an_address_changes_hands", {"number": 4, "other": 1, "swap": False}),
            ("somebody_is_deleted", {"obj": CONTACT, "number": 6}),
        ),
    ),
    "a contact's person is deleted by hand and made again, since it was restored: so is its part in an opportunity": History(
        seed=308,
        troubled=True,
        late=True,
        steps=(
            ARRIVE,
            works(3),
            ("somebody_is_added", {"obj": OPPORTUNITY, "number": 1}),
            ("somebody_is_deleted", {"obj": ACCOUNT, "number": 6}),
            ARRIVE,
            ("somebody_is_added", {"obj": LEAD, "number": 6}),
            works(2),
            ("somebody_is_restored", {"number": 5}),
            ("a_lead_is_converted", {"number": 3, "other": 0, "how": "contact", "deal": True}),
            ARRIVE,
            ("somebody_comes_in_marketo", {}),
            ARRIVE,
            works(3),
            ("a_person_is_deleted", {"number": 4}),
        ),
    ),
    "whoever won a merge and was read: an older reading, told once more, is older": History(
        seed=347,
        troubled=True,
        muted=True,
        steps=(
            ARRIVE,
            works(3),
            ("a_lead_is_converted", {"number": 4, "other": 6, "how": "new", "deal": False}),
            ("somebody_comes_in_marketo", {}),
            ("some_are_merged", {"obj": CONTACT, "number": 5, "other": 0, "many": 1}),
            ARRIVE,
            works(2),
            ARRIVE,
            ("somebody_moves", {"obj": CONTACT, "number": 0, "other": 6}),
            ARRIVE,
        ),
    ),
    "a person whom its pair has given up, for it was deleted by hand, is told of once more: nobody is made again in it": History(
        seed=366,
        troubled=True,
        late=True,
        steps=(
            ARRIVE,
            ("somebody_comes_in_marketo", {}),
            ("somebody_is_deleted", {"obj": CONTACT, "number": 2}),
            works(3),
            ("people_are_merged", {"number": 2, "other": 5, "many": 1}),
            works(2),
            ("a_person_is_deleted", {"number": 6}),
            ("somebody_is_restored", {"number": 1}),
            ("an_address_changes_hands", {"number": 1, "other": 6, "swap": False}),
        ),
    ),
    "a contact gives way to the contact of a lead with its e-mail, and is told of once more: it is nobody else's": History(
        seed=582,
        troubled=True,
        steps=(
            ("an_address_changes_hands", {"number": 7, "other": 2, "swap": True}),
            ("somebody_is_deleted", {"obj": ACCOUNT, "number": 1}),
            ARRIVE,
            ("a_lead_is_converted", {"number": 7, "other": 5, "how": "new", "deal": False}),
            ("somebody_is_deleted", {"obj": ACCOUNT, "number": 4}),
            works(2),
        ),
    ),
    "two people are merged while a lead is in doubt for either: both leads are found": History(
        seed=618,
        troubled=True,
        late=True,
        steps=(
            ("somebody_is_edited", {"obj": CONTACT, "number": 2, "name": "LastName"}),
            works(3),
            works(3),
            works(3),
            ("somebody_comes_in_marketo", {}),
            ("somebody_moves", {"obj": CONTACT, "number": 1, "other": 6}),
            ARRIVE,
            ("a_person_is_edited", {"number": 7, "name": "title"}),
            ("somebody_comes_in_marketo", {}),
            ("people_are_merged", {"number": 5, "other": 3, "many": 1}),
            ARRIVE,
            works(3),
            ARRIVE,
            ("somebody_is_deleted", {"obj": CONTACT, "number": 1}),
        ),
    ),
    "a person made a lead of is merged into a contact's: that lead is withdrawn for what it is": History(
        seed=618,
        troubled=True,
        late=True,
        steps=(
            ("somebody_is_edited", {"obj": CONTACT, "number": 2, "name": "LastName"}),
            works(3),
            works(3),
            works(3),
            ARRIVE,
            ARRIVE,
            ("somebody_comes_in_marketo", {}),
            ("somebody_moves", {"obj": CONTACT, "number": 1, "other": 6}),
            ARRIVE,
            ("a_person_is_edited", {"number": 7, "name": "title"}),
            ("somebody_comes_in_marketo", {}),
            ("people_are_merged", {"number": 5, "other": 3, "many": 1}),
            ARRIVE,
            works(3),
            ARRIVE,
            ("somebody_is_deleted", {"obj": CONTACT, "number": 1}),
            ("people_are_merged", {"number": 4, "other": 7, "many": 2}),
            works(3),
        ),
    ),
    "two are one and both are gone on both sides; the one that lost is restored: it gets a new person": History(
        seed=1189,
        late=True,
        steps=(
            ("a_lead_is_converted", {"number": 4, "other": 4, "how": "account", "deal": True}),
            ("somebody_is_deleted", {"obj": ACCOUNT, "number": 6}),
            ("somebody_is_restored", {"number": 6}),
            ("somebody_is_deleted", {"obj": CONTACT, "number": 7}),
            ARRIVE,
            ("somebody_is_deleted", {"obj": CONTACT, "number": 4}),
            works(3),
            ("people_are_merged", {"number": 5, "other": 4, "many": 1}),
            ("a_person_is_deleted", {"number": 6}),
            ARRIVE,
            works(2),
            ("somebody_is_restored", {"number": 3}),
        ),
    ),
    "a merge brings a person whose contact is gone the id of another one: it is put right once it has a lead": History(
        seed=1444,
        steps=(
            ARRIVE,
            ARRIVE,
            ("a_lead_is_converted", {"number": 6, "other": 5, "how": "account", "deal": True}),
            ("somebody_is_edited", {"obj": USER, "number": 4, "name": "Phone"}),
            ("a_part_changes", {"number": 7, "other": 7}),
            ("somebody_has_another_owner", {"obj": OPPORTUNITY, "number": 0, "other": 4}),
            ("somebody_is_added", {"obj": OPPORTUNITY, "number": 7}),
            ("somebody_comes_in_marketo", {}),
            works(1),
            ARRIVE,
            ARRIVE,
            ("somebody_is_deleted", {"obj": CONTACT, "number": 7}),
            works(2),
            ("somebody_comes_in_marketo", {}),
            ARRIVE,
            ARRIVE,
            ("people_are_merged", {"number": 1, "other": 3, "many": 2}),
        ),
    ),
    "a contact is deleted and restored while its person is merged into a lead's: only a poll has seen that it is back": History(
        seed=390,
        muted=True,
        steps=(
            ARRIVE,
            ARRIVE,
            ARRIVE,
            ("somebody_is_deleted", {"obj": ACCOUNT, "number": 6}),
            ARRIVE,
            ARRIVE,
            works(1),
            ("somebody_is_restored", {"number": 7}),
            ("people_are_merged", {"number": 6, "other": 0, "many": 1}),
            ("somebody_has_another_owner", {"obj": LEAD, "number": 2, "other": 0}),
        ),
    ),
}


@pytest.mark.parametrize("found", FOUND)
def test_a_drawn_life_that_was_found_has_no_fault(found: str) -> None:
    assert FOUND[found].play() == ""


@pytest.mark.parametrize("first", SEEDS[::_BLOCK])
def test_lives_that_are_drawn_evenly_have_no_fault(first: int) -> None:
    told = {seed: wrong for seed in range(first, first + _BLOCK) if (wrong := drawn(seed).play())}
    assert not told


def test_whatever_people_do_is_drawn() -> None:
    acts = {name: what for name, what in vars(Lives).items() if isfunction(what) and not name.startswith("_")}
    told = {name: set(signature(what).parameters) - {"self"} for name, what in acts.items() if name not in {"begins", "teardown"}}
    assert told == {name: set(values) for name, values in DRAWN.items()}
