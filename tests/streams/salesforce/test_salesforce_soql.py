"""Queries as text: nothing but checked names and quoted literals gets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.salesforce.api.soql import after_row, any_of, changed_between, count, moment, moment_ms, name, select, text


def test_a_whole_query() -> None:
    soql = select("Lead", ["Id", "Title", "Id"], changed_between(0, 1_712_694_387_000), order=("SystemModstamp", "Id"), limit=7)
    assert soql == (
        "SELECT Id, Title FROM Lead WHERE SystemModstamp >= 1970-01-01T00:00:00.000Z AND SystemModstamp < 2024-04-09T20:26:27.000Z "
        "ORDER BY SystemModstamp, Id LIMIT 7"
    )
    assert count("Lead") == "SELECT COUNT() FROM Lead"
    assert any_of("Id", ["a"]) == "Id = 'a'"
    assert any_of("Id", ["a", "b"]) == "Id IN ('a', 'b')"
    assert after_row(0, "a") == (
        "(SystemModstamp > 1970-01-01T00:00:00.000Z OR (SystemModstamp = 1970-01-01T00:00:00.000Z AND Id > 'a'))"
    )  # fmt: skip


@pytest.mark.parametrize("bad", ["", "1a", "Name FROM User--", "A.B", "a" * 81, "Äpfel", "Id\n"])
def test_names_are_checked(bad: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce API name"):
        name(bad)


@given(st.text())
def test_a_literal_ends_where_it_should(value: str) -> None:
    inside = text(value)[1:-1]
    escaped = False
    for char in inside:
        assert escaped or char != "'"
        escaped = char == "\\" and not escaped
    assert not escaped


@given(st.integers(0, 4_000_000_000_000))
def test_moments_there_and_back(ms: int) -> None:
    assert moment_ms(moment(ms)) == ms
    assert moment_ms(moment(ms).replace("Z", "+0000")) == ms
