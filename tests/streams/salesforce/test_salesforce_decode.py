"""Messages of the change stream and what they become."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.salesforce.sources.decode import Decoded, decode_message, flatten
from streams.wire.codec import decode, encode
from streams.wire.events import Happened
from streams.wire.systems import CONTACT, LEAD, Object, System
from tests.streams.salesforce.entities import ACCOUNTS, BOTH, USERS

Change = Callable[..., dict[str, Any]]
BY_NAME = {entity.name: entity for entity in (*BOTH, ACCOUNTS, USERS)}
LEAD_ID = "00Q5f000005bwLFEAY"


def told(message: dict[str, Any], fields: dict[Object, frozenset[str]] | None = None) -> Decoded:
    return decode_message(message, BY_NAME, fields)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("CREATE", Happened.CREATED),
        ("UPDATE", Happened.UPDATED),
        ("DELETE", Happened.DELETED),
        ("UNDELETE", Happened.UNDELETED),
        ("GAP_CREATE", Happened.GAP),
        ("GAP_UPDATE", Happened.GAP),
        ("GAP_DELETE", Happened.GAP),
        ("GAP_UNDELETE", Happened.GAP),
    ],
)
def test_change_types(make_change: Change, change: str, kind: Happened) -> None:
    (event,) = told(make_change(7, changeType=change)).events
    assert event.kind is kind


def test_the_header_travels(make_change: Change) -> None:
    origin = "com/salesforce/api/rest/66.0;client=tandem"
    message = make_change(7, commitUser="0055f000005mc66", changeOrigin=origin, entityName="Contact", recordIds=["0035f00002EztxD"])
    (event,) = told(message).events
    assert (event.system, event.object, event.id, event.seq) == (System.SALESFORCE, CONTACT, "0035f00002EztxDAAR", 7)
    assert (event.author, event.call, event.origin, event.at) == ("0055f000005mc66AAA", "key-7", origin, 1712694394000)
    assert decode(encode(event)) == event


def test_an_unset_origin_is_none(make_change: Change) -> None:
    assert told(make_change(7)).events[0].origin is None


def test_a_merged_event_is_one_event_for_each_record(make_change: Change) -> None:
    ids = ["00Q5f000005bwLFEAY", "00Q5f000005bwLG", "00Q5f000005bwLFEAY"]
    events = told(make_change(7, recordIds=ids, body={"Title": "CTO"})).events
    assert [event.id for event in events] == ["00Q5f000005bwLFEAY", "00Q5f000005bwLGEAY"]
    assert all(event.fields == {"Title": "CTO"} for event in events)


def test_one_bad_id_does_not_take_the_others_along(make_change: Change) -> None:
    decoded = told(make_change(7, recordIds=["nonsense", LEAD_ID]))
    assert [event.id for event in decoded.events] == [LEAD_ID]
    assert "nonsense" in decoded.dead[0].reason


@pytest.mark.parametrize(
    ("body", "flat"),
    [
        ({"Name": {"FirstName": "Ada", "LastName": None}}, {"FirstName": "Ada", "LastName": None}),
        ({"Name": "Acme"}, {"Name": "Acme"}),
        ({"Address": {"Street": "1 Way", "StateCode": "CA"}}, {"Street": "1 Way", "StateCode": "CA"}),
        ({"MailingAddress": {"City": "Rome", "Latitude": 41.9}}, {"MailingCity": "Rome", "MailingLatitude": 41.9}),
        ({"OtherAddress": {"PostalCode": "00100"}}, {"OtherPostalCode": "00100"}),
        (
            {"BillingAddress": {"Street": "1 Way", "Country": "Italy"}, "ShippingAddress": {"City": "Rome", "State": None}},
            {"BillingStreet": "1 Way", "BillingCountry": "Italy", "ShippingCity": "Rome", "ShippingState": None},
        ),
        ({"Home__c": {"Latitude": 1.5}}, {"Home__Latitude__s": 1.5}),
        (
            {"AnnualRevenue": 5.0, "DoNotCall": True, "Interests__c": "a;b"},
            {"AnnualRevenue": 5.0, "DoNotCall": True, "Interests__c": "a;b"},
        ),
    ],
)
def test_compound_fields_get_the_names_of_the_object(body: dict[str, Any], flat: dict[str, Any]) -> None:
    assert flatten(body) == (flat, set())


@pytest.mark.parametrize("value", [{"diff": "--- \n+++ abc\n@@ -1 +1 @@"}, ["a", "b"], {}, {"What": {"Is": "this"}}])
def test_a_value_that_is_not_shown_whole_asks_for_a_reading(make_change: Change, value: Any) -> None:
    events = told(make_change(7, body={"Description": value, "Title": "CTO"})).events
    assert [(event.kind, event.fields) for event in events] == [(Happened.UPDATED, {"Title": "CTO"}), (Happened.GAP, {})]


def test_only_wanted_fields_travel_and_conversions_always(make_change: Change) -> None:
    wanted = {LEAD: frozenset({"Title"})}
    body = {"Title": "CTO", "Fax": "1", "IsConverted": True, "LastModifiedDate": "2024-04-09T20:26:27.000Z"}
    (event,) = told(make_change(7, body=body), wanted).events
    assert event.fields == {"Title": "CTO", "IsConverted": True}


def test_what_tells_a_conversion_is_kept_only_of_what_can_be_converted(make_change: Change) -> None:
    body = {"Title": "CTO", "IsConverted": True}
    (event,) = told(make_change(7, entityName="Contact", body=body), {CONTACT: frozenset({"Title"})}).events
    assert event.fields == {"Title": "CTO"}


def test_a_conversion_says_what_the_lead_became(make_change: Change) -> None:
    body = {"IsConverted": True, "ConvertedContactId": "0035f00002EztxD", "Description": {"diff": "@@"}}
    first, gap = told(make_change(7, body=body), {LEAD: frozenset({"Description"})}).events
    assert (first.kind, first.into, first.into_object) == (Happened.UPDATED, "0035f00002EztxDAAR", CONTACT)
    assert (gap.kind, gap.into, gap.into_object) == (Happened.GAP, "", "")
    assert decode(encode(first)) == first


@pytest.mark.parametrize(
    "body",
    [
        {"IsConverted": False, "ConvertedContactId": "0035f00002EztxD"},
        {"IsConverted": True},
        {"IsConverted": True, "ConvertedContactId": None},
        {"IsConverted": True, "ConvertedContactId": "what?"},
        {"IsConverted": "true", "ConvertedContactId": "0035f00002EztxD"},
    ],
)
def test_what_tells_no_conversion_says_nothing_of_one(make_change: Change, body: dict[str, Any]) -> None:
    (event,) = told(make_change(7, body=body)).events
    assert (event.into, event.into_object) == ("", "")


def test_only_what_can_be_converted_is(make_change: Change) -> None:
    body = {"IsConverted": True, "ConvertedContactId": "0035f00002EztxD", "MasterRecordId": "0035f00002EztxD"}
    (event,) = told(make_change(7, entityName="User", recordIds=["0055f000005mc66"], body=body)).events
    assert (event.into, event.into_object) == ("", "")


def test_objects_are_those_that_were_declared(make_change: Change) -> None:
    body = {"Name": {"FirstName": "Ada"}, "Address": {"City": "Rome"}, "EmailPreferences": ["a", "b"]}
    wanted = {Object("user"): frozenset({"FirstName", "City"}), Object("account"): frozenset({"Name"})}
    (event,) = told(make_change(7, entityName="User", recordIds=["0055f000005mc66"], body=body), wanted).events
    assert (event.object, event.kind, event.fields) == ("user", Happened.UPDATED, {"FirstName": "Ada", "City": "Rome"})
    (event,) = told(make_change(7, entityName="Account", recordIds=["0015f00002J9YaU"], body={"Name": "Acme"}), wanted).events
    assert (event.object, event.fields) == ("account", {"Name": "Acme"})
    hole = told(make_change(7, entityName="Account", changeType="GAP_OVERFLOW", recordIds=["000000000000000AAA"])).hole
    assert hole is not None
    assert hole.object == "account"


def test_of_a_persons_whole_name_only_parts_are_told_so_it_is_read(make_change: Change) -> None:
    change = make_change(7, entityName="User", recordIds=["0055f000005mc66"], body={"Name": {"FirstName": "Ada"}})
    assert [event.kind for event in told(change, {Object("user"): frozenset({"Name"})}).events] == [Happened.GAP]
    assert told(change, {Object("user"): frozenset({"Title"})}).events == []


def test_an_update_of_nothing_wanted_is_no_event_but_moves_on(make_change: Change) -> None:
    decoded = told(make_change(7, body={"Fax": "1"}), {LEAD: frozenset({"Title"})})
    assert (decoded.events, decoded.dead, decoded.replay_id) == ([], [], 7)
    created = told(make_change(7, changeType="CREATE", body={"Fax": "1"}), {LEAD: frozenset({"Title"})})
    assert [event.kind for event in created.events] == [Happened.CREATED]


def test_a_difference_in_an_unwanted_field_is_nothing(make_change: Change) -> None:
    body = {"Description": {"diff": "@@"}}
    assert told(make_change(7, body=body), {LEAD: frozenset({"Title"})}).events == []
    wanted = {LEAD: frozenset({"Description"})}
    assert [event.kind for event in told(make_change(7, body=body), wanted).events] == [Happened.GAP]


def test_entities_that_are_not_ours_are_named(make_change: Change) -> None:
    decoded = told(make_change(7, entityName="Case"))
    assert (decoded.ignored, decoded.events, decoded.dead, decoded.replay_id) == ("Case", [], [], 7)


def test_overflow_and_wildcards_are_holes(make_change: Change) -> None:
    overflow = told(make_change(7, changeType="GAP_OVERFLOW", recordIds=["000000000000000AAA"])).hole
    assert overflow is not None
    assert overflow.since_ms == 1712694394000 - 3_600_000
    wildcard = told(make_change(7, recordIds=["00Q*"])).hole
    assert wildcard is not None
    assert (wildcard.object, wildcard.since_ms) == (LEAD, 0)


def _broken(make_change: Change, **header: Any) -> dict[str, Any]:
    message = make_change(7)
    message["data"]["payload"]["ChangeEventHeader"].update(header)
    return message


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"changeType": "EXPLODE"}, "changeType 'EXPLODE'"),
        ({"changeType": None}, "changeType None"),
        ({"changeType": ["UPDATE"]}, "changeType"),
        ({"recordIds": []}, "recordIds"),
        ({"recordIds": "00Q5f000005bwLFEAY"}, "recordIds"),
        ({"recordIds": [7]}, "recordIds"),
        ({"commitTimestamp": None}, "commitTimestamp"),
        ({"commitTimestamp": True}, "commitTimestamp"),
        ({"commitTimestamp": 98765432109876543}, "commitTimestamp"),
        ({"entityName": None}, "entityName"),
    ],
)
def test_what_cannot_be_used_is_a_dead_letter(make_change: Change, header: dict[str, Any], reason: str) -> None:
    message = _broken(make_change, **header)
    decoded = told(message)
    (letter,) = decoded.dead
    assert reason in letter.reason
    assert json.loads(letter.original) == message
    assert (decoded.events, decoded.replay_id) == ([], 7)


def test_a_missing_replay_id_is_a_dead_letter(make_change: Change) -> None:
    message = make_change(7)
    del message["data"]["event"]
    decoded = told(message)
    assert decoded.replay_id is None
    assert "replayId" in decoded.dead[0].reason


def test_unknown_header_keys_and_missing_extras_are_tolerated(make_change: Change) -> None:
    message = _broken(make_change, isTransactionEnd=True, commitUser=None, transactionKey=None)
    (event,) = told(message).events
    assert (event.author, event.call) == (None, None)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    ["data", "payload", "event", "replayId", "ChangeEventHeader", "entityName", "recordIds", "changeType", "commitTimestamp"]
)
_nested = st.recursive(
    _json | st.sampled_from(["Lead", "UPDATE", [LEAD_ID], 1712694387000]),
    lambda inner: st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(_KEYS, _nested, max_size=5))
def test_nothing_makes_it_raise(message: dict[str, Any]) -> None:
    decoded = told(message)
    assert decoded.events or decoded.dead or decoded.ignored or decoded.hole or decoded.replay_id is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the fixture is a function
@given(body=st.dictionaries(st.sampled_from(["Title", "Name", "Address", "MailingAddress", "Description", "X__c"]), _json, max_size=6))
def test_every_body_field_is_shown_or_asked_for(make_change: Change, body: dict[str, Any]) -> None:
    flat, unseen = flatten(body)
    scalars = {key for key, value in body.items() if value is None or isinstance(value, str | int | float | bool)}
    assert scalars <= flat.keys()
    assert body.keys() - scalars <= unseen | {key for key, value in body.items() if isinstance(value, dict)}
    events = told(make_change(7, body=body)).events
    assert (Happened.GAP in {event.kind for event in events}) == bool(unseen)
    for event in events:
        assert decode(encode(event)) == event
