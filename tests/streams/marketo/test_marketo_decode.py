"""Rows and re-read leads into change events."""

from typing import Any
from zoneinfo import ZoneInfo

import orjson

from streams.marketo.api.wire import Lead
from streams.marketo.sources.decode import Decoding, events, gather, hints, to_read
from streams.wire.events import ChangeEvent, Happened, Value
from tests.streams.marketo.marketo_stub import NOW_MS, OWN, change, creation, deletion, merge

TYPES = {
    "firstName": "string",
    "lastName": "string",
    "leadScore": "score",
    "doNotCall": "boolean",
    "lastCall": "datetime",
    "annualRevenue": "currency",
}
DECODING = Decoding(source="activities", types=TYPES, zone=ZoneInfo("America/Chicago"), own_user=OWN)


def lead(number: int, **fields: Value) -> dict[str, Lead]:
    whole = dict.fromkeys(TYPES) | {"id": number} | fields
    return {str(number): Lead(id=str(number), fields=whole, at=NOW_MS + 5000, until=NOW_MS + 6999)}


def told(raw: list[dict[str, Any]], leads: dict[str, Lead]) -> list[ChangeEvent]:
    return events(gather(raw, DECODING).changes, leads, DECODING)


def test_a_change_takes_its_typed_value_from_the_reading_that_shows_it() -> None:
    raw = [change("g1", 7, "doNotCall", "0", "1", call="r#1", author="ann@acme.example")]
    (event,) = told(raw, lead(7, doNotCall=True))
    assert (event.kind, event.id, event.at, event.until, event.ref) == (Happened.UPDATED, "7", NOW_MS, 0, "g1")
    assert (event.author, event.call, event.origin, event.source) == ("ann@acme.example", "r#1", "Web service API", "activities")
    assert event.fields == {"doNotCall": True}
    assert event.before == {"doNotCall": False}


def test_a_younger_reading_is_never_put_in_the_place_of_an_activity() -> None:
    raw = [change("g1", 7, "firstName", "Ann", "Anna"), change("g2", 7, "leadScore", None, "10")]
    (event,) = told(raw, lead(7, firstName="Hanna", leadScore=20))
    assert event.fields == {"firstName": "Anna", "leadScore": 10}
    assert event.before == {"firstName": "Ann", "leadScore": None}
    assert event.ref == "g1,g2"


def test_a_cleared_field_is_null() -> None:
    (event,) = told([change("g1", 7, "firstName", "Ann", None)], lead(7))
    assert event.fields == {"firstName": None}


def test_precision_that_the_display_lacks_comes_from_the_reading() -> None:
    (event,) = told([change("g1", 7, "annualRevenue", None, "5")], lead(7, annualRevenue=5))
    assert event.fields["annualRevenue"] == 5
    assert isinstance(event.fields["annualRevenue"], int)


def test_what_cannot_be_decoded_is_left_out_and_the_reading_told_beside_it() -> None:
    raw = [change("g1", 7, "lastCall", None, "2025-11-02 01:30:00", call="r"), change("g2", 7, "firstName", "A", "B", call="r")]
    event, reading = told(raw, lead(7, firstName="C", lastCall="2026-01-01T00:00:00Z"))
    assert (event.fields, event.ref) == ({"firstName": "B"}, "g1,g2")
    assert (reading.kind, reading.source, reading.at, reading.until) == (Happened.READ, "read", NOW_MS + 5000, NOW_MS + 6999)
    assert reading.fields == dict.fromkeys(TYPES) | {"firstName": "C", "lastCall": "2026-01-01T00:00:00Z"}
    assert (reading.author, reading.ref) == (None, "")


def test_what_can_be_had_neither_way_is_a_gap_of_the_record() -> None:
    event, gap = told([change("g1", 7, "leadScore", None, "many")], {})
    assert (event.kind, event.fields) == (Happened.UPDATED, {})
    assert (gap.kind, gap.id, gap.ref) == (Happened.GAP, "7", "g1")


def test_an_old_value_that_cannot_be_decoded_is_only_left_out_of_before() -> None:
    (event,) = told([change("g1", 7, "leadScore", "many", "3")], lead(7, leadScore=3))
    assert (event.fields, event.before) == ({"leadScore": 3}, {})


def test_a_new_lead_is_told_with_a_reading_unless_it_is_ours() -> None:
    born, reading = told([creation("g1", 7)], lead(7, firstName="Ann"))
    assert (born.kind, born.fields, born.origin) == (Happened.CREATED, {}, "New lead")
    assert (reading.kind, reading.fields["firstName"]) == (Happened.READ, "Ann")
    (ours,) = told([creation("g1", 7, author=OWN)], lead(7, firstName="Ann"))
    assert (ours.kind, ours.author) == (Happened.CREATED, OWN)
    (gone,) = told([creation("g1", 7)], {})
    assert gone.kind is Happened.CREATED


def test_a_lead_is_read_into_the_stream_once_a_batch() -> None:
    raw = [creation("g1", 7), change("g2", 7, "leadScore", None, "many", at=NOW_MS + 1000)]
    assert [event.kind for event in told(raw, lead(7))] == [Happened.CREATED, Happened.READ, Happened.UPDATED]


def test_deletions_and_merges() -> None:
    gone, *merged = told([deletion("d1", 3), merge("m1", 9, [4, 5])], lead(9, firstName="Ann"))
    assert (gone.kind, gone.id) == (Happened.DELETED, "3")
    assert [(event.kind, event.id) for event in merged] == [(Happened.DELETED, "4"), (Happened.DELETED, "5"), (Happened.READ, "9")]
    assert {(event.origin, event.into, event.into_object) for event in merged[:2]} == {("merged into 9", "9", "")}
    assert (gone.into, merged[-1].into) == ("", "")


def test_only_what_others_did_is_read_again_and_our_own_when_it_cannot_be_decoded() -> None:
    raw = [
        change("g1", 1, "firstName", "A", "B", author=OWN.upper()),
        change("g2", 2, "firstName", "A", "B"),
        change("g3", 3, "leadScore", None, "many", author=OWN),
        change("g4", 2, "lastName", "A", "B", at=NOW_MS + 1000),
        creation("g5", 5, author=OWN),
        creation("g6", 6),
        deletion("g7", 7),
        merge("g8", 8, [9]),
    ]
    assert sorted(to_read(gather(raw, DECODING).changes, DECODING)) == ["2", "3", "6", "8"]
    stranger = Decoding(source="activities", types=TYPES, zone=DECODING.zone)
    assert sorted(to_read(gather(raw, stranger).changes, stranger)) == ["1", "2", "3", "5", "6", "8"]


def test_fields_of_no_interest_are_left_out() -> None:
    raw = change("g1", 7, "shoeSize", "40", "41")
    both = change("g2", 7, "firstName", "A", "B")
    both["fields"].append({"id": 2, "name": "shoeSize", "newValue": "42", "oldValue": "41"})
    (event,) = told([raw, both], lead(7, firstName="B"))
    assert (event.fields, event.ref) == ({"firstName": "B"}, "g2")


def test_a_malformed_row_is_a_dead_letter_and_the_rest_flows() -> None:
    bad = change("g1", 7, "firstName", "A", "B") | {"activityDate": "soon"}
    gathered = gather([bad, change("g2", 8, "firstName", "A", "B"), "junk"], DECODING)
    assert [rows[0].guid for rows in gathered.changes] == ["g2"]
    first, second = gathered.dead
    assert (first.stage, first.key, orjson.loads(first.original)) == ("marketo.activities", "7", bad)
    assert "activityDate" in first.reason
    assert second.original == b'"junk"'


def test_hints_are_one_event_a_change_by_the_same_name() -> None:
    raw = [creation("g1", 6), change("g2", 7, "leadScore", None, "many"), deletion("g3", 3), merge("g4", 9, [4, 5])]
    changes = gather(raw, DECODING).changes
    found = hints(changes, DECODING)
    assert [event.ref for event in found] == ["g1", "g2", "g3", "g4", "g4"]
    assert [(event.id, event.into) for event in found[-2:]] == [("4", "9"), ("5", "9")]
