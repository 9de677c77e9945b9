"""Names, cursors, filters as they are stored; when a failed message is tried again; what goes out. All pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.deliveries.delivery import (
    Unusable,
    checked_name,
    choice_kept,
    choice_told,
    cursor_of,
    places_kept,
    places_of,
    places_told,
    wanted,
)
from consumers.deliveries.letter import body, event, identity, passed
from consumers.deliveries.retrying import wait_seconds
from consumers.subscriptions.message import Choice, Message
from consumers.subscriptions.topics import Content

PLACES = st.dictionaries(st.integers(0, 500), st.integers(0, 2**53), min_size=1)
WORDS = st.frozensets(st.text(min_size=1))


def message(offset: int = 7, partition: int = 1) -> Message:
    return Message(
        topic="crm.salesforce.lead.v1", content=Content.CHANGES, partition=partition, offset=offset, at=1_700_000_000_000, key="lead:00Q",
        attributes={"type": "crm.salesforce.lead.updated", "id": "x"}, data={"id": "00Q", "fields": {"Title": "CTO\nof all"}},
    )  # fmt: skip


@given(PLACES)
def test_a_cursor_says_what_was_put_into_it(places: dict[int, int]) -> None:
    assert places_of(cursor_of(places)) == places == places_told(places_kept(places))


@pytest.mark.parametrize("text", ["", "7", "0-1.", "0-1;1-2", "a-b", "0--1", "0-1\n", "9" * 400])
def test_another_id_is_no_cursor(text: str) -> None:
    with pytest.raises(Unusable, match="Last-Event-ID"):
        places_of(text)


@given(WORDS, WORDS, WORDS)
def test_a_choice_is_stored_whole(kinds: frozenset[str], records: frozenset[str], verdicts: frozenset[str]) -> None:
    choice = Choice(kinds=kinds, records=records, verdicts=verdicts)
    assert choice_told(choice_kept(choice)) == choice


def test_addresses_of_people_are_not_shown() -> None:
    assert wanted(Choice(records=frozenset({"ada@example.com", "00Q"}))) == {"records": ["(an e-mail address)", "00Q"]}


@pytest.mark.parametrize("name", ["", " ", "A b", "x/y", "-x", "ä", "a" * 64])
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(Unusable):
        checked_name(name)
    assert checked_name(" Billing-2.eu ") == "billing-2.eu"


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_and_are_bounded(attempts: int, dice: float) -> None:
    told = wait_seconds(attempts, most_seconds=3600, asked_seconds=0, dice=dice)
    assert 0.5 <= told <= 3600
    assert wait_seconds(attempts + 1, most_seconds=3600, asked_seconds=0, dice=dice) >= told
    assert wait_seconds(attempts, most_seconds=3600, asked_seconds=90, dice=dice) >= min(told, 90)
    assert wait_seconds(attempts, most_seconds=3600, asked_seconds=1e9, dice=dice) == 3600


def test_waits_double_and_scatter() -> None:
    assert [wait_seconds(each, most_seconds=60, asked_seconds=0, dice=1.0) for each in (1, 2, 3, 4, 7, 8)] == [1, 2, 4, 8, 60, 60]
    assert wait_seconds(3, most_seconds=60, asked_seconds=0, dice=0.0) == 2


def test_the_same_message_goes_out_as_the_same_bytes_under_the_same_id() -> None:
    assert (identity("a", message()), body(message())) == (identity("a", message()), body(message()))
    assert len({identity("a", message()), identity("b", message()), identity("a", message(8)), identity("a", message(7, 2))}) == 4


def test_an_event_is_one_line_of_data_whatever_is_in_it() -> None:
    told = event(message(), "1-8").decode()
    assert told.startswith("id: 1-8\ndata: {")
    assert told.endswith("}\n\n")
    assert told.count("\n") == 3
    assert passed("1-9") == b"id: 1-9\n\n"
