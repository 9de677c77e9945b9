"""Display text and typed values."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.marketo.sources.display import decode, show, shows
from streams.wire.events import Value

CHICAGO = ZoneInfo("America/Chicago")
KOLKATA = ZoneInfo("Asia/Kolkata")
TEXT = ("string", "text", "email", "phone", "url", "reference")


@pytest.mark.parametrize(
    ("text", "data_type", "value"),
    [
        (None, "string", None),
        ("", "boolean", None),
        ("True", "boolean", True),
        ("1", "boolean", True),
        ("False", "boolean", False),
        ("0", "boolean", False),
        ("0", "string", "0"),
        ("10", "score", 10),
        (10, "integer", 10),
        ("12345678901234567890", "integer", 12345678901234567890),
        ("35", "percent", 35),
        ("7.0", "integer", 7),
        ("1604.47", "currency", 1604.47),
        ("-0.5", "float", -0.5),
        ("2023-01-26", "date", "2023-01-26"),
        ("2023-01-26 18:46:00", "datetime", "2023-01-27T00:46:00Z"),
        ("2023-07-26 18:46:00", "datetime", "2023-07-26T23:46:00Z"),
        ("  Zoë  ", "string", "  Zoë  "),
    ],
)
def test_a_shown_value_is_decoded_by_its_type(text: object, data_type: str, value: Value) -> None:
    decoded = decode(text, data_type, CHICAGO)
    assert decoded == value
    assert type(decoded) is type(value)


@pytest.mark.parametrize(
    ("text", "data_type"),
    [
        ("maybe", "boolean"),
        ("2", "boolean"),
        ("1.5", "integer"),
        ("ten", "score"),
        ("1_000", "integer"),
        ("nan", "float"),
        ("inf", "currency"),
        ("26/01/2023", "date"),
        ("2023-02-30", "date"),
        ("2023-01-26", "datetime"),
        ("2023-01-26T18:46:00Z", "datetime"),
        ("soon", "datetime"),
    ],
)
def test_text_that_is_no_value_of_the_type_is_refused(text: str, data_type: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(text, data_type, CHICAGO)


@pytest.mark.parametrize("text", ["2025-11-02 01:30:00", "2025-03-09 02:30:00"])
def test_a_local_time_that_comes_twice_or_never_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="change of the clock"):
        decode(text, "datetime", CHICAGO)


def test_a_local_time_that_comes_twice_is_recognised_in_either_reading() -> None:
    assert shows("2025-11-02T06:30:00Z", "2025-11-02 01:30:00", "datetime", CHICAGO)
    assert shows("2025-11-02T07:30:00Z", "2025-11-02 01:30:00", "datetime", CHICAGO)
    assert not shows("2025-11-02T08:30:00Z", "2025-11-02 01:30:00", "datetime", CHICAGO)


@pytest.mark.parametrize(
    ("typed", "text", "data_type", "expected"),
    [
        (None, None, "string", True),
        ("", None, "string", True),
        (None, "x", "string", False),
        ("x", None, "string", False),
        ("Ann", "Ann", "string", True),
        ("Ann", "ann", "string", False),
        (True, "1", "boolean", True),
        (True, "False", "boolean", False),
        (1, "True", "boolean", False),
        (5, "5", "integer", True),
        (5, "5.0", "currency", True),
        (5, "6", "float", False),
        ("2023-01-27T00:46:00Z", "2023-01-26 18:46:00", "datetime", True),
        ("2023-01-27T00:46:00+0000", "2023-01-26 18:46:00", "datetime", True),
        ("2023-01-27T00:46:01Z", "2023-01-26 18:46:00", "datetime", False),
        (12, "2023-01-26 18:46:00", "datetime", False),
        ("2023-01-26", "2023-01-26", "date", True),
        ("x", "not a date", "date", False),
    ],
)
def test_whether_a_read_value_is_the_one_shown(typed: Value, text: str | None, data_type: str, expected: bool) -> None:
    assert shows(typed, text, data_type, CHICAGO) is expected


def _typed() -> st.SearchStrategy[tuple[str, Value]]:
    instants = st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    return st.one_of(
        st.tuples(st.just("boolean"), st.booleans()),
        st.tuples(st.sampled_from(["integer", "score", "percent"]), st.integers(-(2**40), 2**40)),
        st.tuples(st.sampled_from(["float", "currency"]), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just("date"), st.dates().map(lambda day: day.isoformat())),
        st.tuples(st.just("datetime"), instants.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"))),
        st.tuples(st.sampled_from(TEXT), st.text(min_size=1)),
        st.tuples(st.sampled_from([*TEXT, "boolean", "integer", "date", "datetime"]), st.none()),
    )


@given(case=_typed(), zone=st.sampled_from([CHICAGO, KOLKATA, ZoneInfo("UTC")]))
def test_what_is_shown_is_recognised_and_decoded_back(case: tuple[str, Value], zone: ZoneInfo) -> None:
    data_type, value = case
    text = show(value, data_type, zone)
    assert shows(value, text, data_type, zone)
    try:
        decoded = decode(text, data_type, zone)
    except ValueError:
        assert data_type == "datetime"  # only an hour that the clock passes twice has no single meaning
    else:
        assert decoded == value
