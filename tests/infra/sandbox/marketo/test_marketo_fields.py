"""What a field takes, what is stored, what an activity shows."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.state.fields import Field, display, standard_fields, stored
from infra.sandbox.marketo.state.normalisers import Normaliser

CHICAGO = ZoneInfo("America/Chicago")


def of(kind: str, name: str = "x", length: int | None = None) -> Field:
    return Field(id=1, name=name, display="X", type=kind, length=length)


@pytest.mark.parametrize(
    ("kind", "sent", "kept"),
    [
        ("string", "Zoë", "Zoë"),
        ("string", " padded ", " padded "),
        ("string", 94105, "94105"),
        ("string", "", None),
        ("string", None, None),
        ("text", "ß" * 15_000, "ß" * 15_000),
        ("email", "A@B.com", "A@B.com"),
        ("integer", "12", 12),
        ("integer", 3.0, 3),
        ("score", -5, -5),
        ("float", "1.5", 1.5),
        ("currency", 10, 10.0),
        ("boolean", True, True),
        ("boolean", "false", False),
        ("boolean", "1", True),
        ("date", "2024-02-29", "2024-02-29"),
        ("datetime", "2024-07-01T12:00:00+02:00", "2024-07-01T10:00:00Z"),
        ("datetime", "2024-07-01T12:00:00", "2024-07-01T17:00:00Z"),
        ("datetime", "2024-07-01T12:00:00.987Z", "2024-07-01T12:00:00Z"),
    ],
)
def test_values_are_stored_in_one_form(kind: str, sent: Any, kept: Any) -> None:
    assert stored(of(kind), sent, CHICAGO) == kept


@pytest.mark.parametrize(
    ("kind", "sent", "code"),
    [
        ("integer", "twelve", "1001"),
        ("integer", 1.5, "1001"),
        ("integer", True, "1001"),
        ("integer", 2**31, "1003"),
        ("float", "NaN", "1001"),
        ("boolean", "maybe", "1001"),
        ("boolean", 2, "1001"),
        ("date", "2023-02-29", "1001"),
        ("datetime", 5, "1001"),
        ("string", {"a": 1}, "1001"),
        ("string", [1], "1001"),
        ("string", True, "1001"),
        ("string", "x" * 256, "1003"),
        ("text", "ß" * 15_001, "1003"),
        ("email", "zoë@example.com", "1003"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, sent: Any, code: str) -> None:
    with pytest.raises(RecordError) as refused:
        stored(of(kind), sent, CHICAGO)
    assert refused.value.code == code


def test_lengths_come_from_the_field() -> None:
    assert stored(of("string", length=300), "x" * 300, CHICAGO) == "x" * 300
    with pytest.raises(RecordError):
        stored(of("string", length=50), "x" * 51, CHICAGO)


def test_flags_that_are_never_null_fall_back_to_false() -> None:
    assert stored(standard_fields()["unsubscribed"], None, CHICAGO) is False
    assert stored(of("boolean"), None, CHICAGO) is None


@pytest.mark.parametrize(
    ("kind", "value", "by_api", "shown"),
    [
        ("boolean", True, True, "1"),
        ("boolean", False, False, "False"),
        ("integer", 10, True, "10"),
        ("currency", 1604.47, True, "1604.47"),
        ("currency", 12345678901.25, True, "12345678901.25"),
        ("datetime", "2023-01-27T00:46:00Z", False, "2023-01-26 18:46:00"),
        ("date", "2023-01-26", True, "2023-01-26"),
        ("string", None, True, None),
    ],
)
def test_activities_show_strings(kind: str, value: Any, by_api: bool, shown: str | None) -> None:
    assert display(of(kind), value, CHICAGO, by_api=by_api) == shown


def test_standard_fields_are_those_of_an_instance_without_native_sync() -> None:
    fields = standard_fields()
    assert (fields["firstName"].id, fields["email"].id, fields["leadScore"].id) == (53, 56, 146)
    assert not [name for name in fields if name.lower().startswith("sfdc")]
    assert fields["createdAt"].read_only
    assert fields["industry"].company
    assert not fields["externalCompanyId"].company
    assert len({one.id for one in fields.values()}) == len(fields)


@pytest.mark.parametrize(
    ("rule", "sent", "kept"),
    [
        (Normaliser(field="x", how="trim"), " a ", "a"),
        (Normaliser(field="x", how="collapse"), " a   b ", "a b"),
        (Normaliser(field="x", how="title"), "ann lee", "Ann Lee"),
        (Normaliser(field="x", how="map", map={"FR": "France"}), "FR", "France"),
        (Normaliser(field="x", how="map", map={"FR": "France"}), "DE", "DE"),
        (Normaliser(field="x", how="prefix", prefix="+"), "+33", "+33"),
        (Normaliser(field="x", how="cut", length=3), "abcdef", "abc"),
        (Normaliser(field="x", how="upper"), 7, 7),
    ],
)
def test_normalisers(rule: Normaliser, sent: Any, kept: Any) -> None:
    assert rule.rewrite(sent) == kept
