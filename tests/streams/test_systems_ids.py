"""Ids of records, and the names of topics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.systems import CONTACT, LEAD, MARKETO, SALESFORCE, System, salesforce_id
from streams.wire.topics import ANCHORS, CONFLICTS, DEAD_LETTERS, DECISIONS, PARTITIONS, all_topics, change_topic, change_topics

LETTERS = st.text("ABCXYZabcxyz0123456789", min_size=15, max_size=15)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("0015g00000BxTCp", "0015g00000BxTCpAAN"),
        ("00Q000000000001", "00Q000000000001EAA"),
        ("aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaAAA"),
        ("AAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAA555"),
    ],
)
def test_the_long_form_says_which_letters_are_capitals(short: str, long: str) -> None:
    assert salesforce_id(short) == long
    assert salesforce_id(long) == long


@given(LETTERS, LETTERS)
def test_ids_that_differ_in_case_alone_differ_in_any_case(one: str, other: str) -> None:
    same = salesforce_id(one).casefold() == salesforce_id(other).casefold()
    assert same is (one == other)
    assert salesforce_id(one).startswith(one)


@pytest.mark.parametrize("text", ["", "00Q", "00Q00000000000!", "00Q00000000000é", "00Q0000000000012", "00Q000000000001AA!", "x" * 19])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce id"):
        salesforce_id(text)


def test_each_side_has_another() -> None:
    assert [system.other for system in System] == [System.MARKETO, System.SALESFORCE]
    assert all(system.other.other is system for system in System)


def test_topics_are_named_by_system_and_object() -> None:
    assert change_topic(System.SALESFORCE, LEAD) == "crm.salesforce.lead.v1"
    objects = [(SALESFORCE, LEAD), (SALESFORCE, CONTACT), (MARKETO, CONTACT), (SALESFORCE, LEAD)]
    assert change_topics(objects) == ("crm.salesforce.lead.v1", "crm.salesforce.contact.v1", "crm.marketo.contact.v1")
    assert [topic.name for topic in all_topics(objects)] == [*change_topics(objects), DECISIONS, CONFLICTS, DEAD_LETTERS, ANCHORS]


def test_topics_keep_longer_than_the_systems_and_are_as_safe_as_asked() -> None:
    *logs, anchors = all_topics([(System.SALESFORCE, LEAD)], replication=3)
    assert (anchors.partitions, anchors.replication, anchors.configs["cleanup.policy"]) == (1, 3, "compact")
    for topic in logs:
        assert (topic.partitions, topic.replication, topic.configs["cleanup.policy"]) == (PARTITIONS, 3, "delete")
        assert int(topic.configs["retention.ms"]) > 3 * 86_400_000
