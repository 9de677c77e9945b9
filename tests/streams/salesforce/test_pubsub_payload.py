"""Avro payloads put into the form of the Streaming API, and what a status of gRPC ends."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from streams.salesforce.sources.endings import Ending
from streams.salesforce.sources.pubsub.endings import ending
from streams.salesforce.sources.pubsub.messages import message, names
from streams.salesforce.sources.pubsub.payload import Form, UnreadableError

PROTO = Path(__file__).parents[2] / "infra" / "sandbox" / "salesforce" / "pubsub_api.proto"


def nullable(name: str, kind: Any, doc: str = "Data:Text") -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "doc": doc, "default": None}


ADDRESS = {"type": "record", "name": "Address", "fields": [nullable("Street", "string"), nullable("City", "string")]}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "LeadChangeEvent",
    "fields": [
        {
            "name": "ChangeEventHeader",
            "type": {
                "type": "record",
                "name": "Header",
                "fields": [
                    {"name": "changeType", "type": "string"},
                    *(
                        {"name": name, "type": {"type": "array", "items": "string"}}
                        for name in ("changedFields", "nulledFields", "diffFields")
                    ),
                ],
            },
        },
        nullable("Title", "string"),
        nullable("Address", ADDRESS),
        nullable("Day__c", "long", "Data:DateOnly:00N000000000001"),
        nullable("LastModifiedDate", "long", "LastModifiedDate:DateTime"),
        nullable("Count__c", "long", "Data:Integer"),
        nullable("Text__c", "string", "Data:StringPlusClob:00N000000000002"),
    ],
}
FORM = Form(json.dumps(SCHEMA))


def encoded(changed: list[str] | None = None, nulled: list[str] | None = None, diff: list[str] | None = None, **fields: Any) -> bytes:
    header = {"changeType": "UPDATE", "changedFields": changed or [], "nulledFields": nulled or [], "diffFields": diff or []}
    out = io.BytesIO()
    blank = {field["name"]: None for field in SCHEMA["fields"]}
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), {**blank, "ChangeEventHeader": header, **fields})
    return out.getvalue()


def body(data: bytes) -> dict[str, Any]:
    return {name: value for name, value in FORM.payload(data).items() if name != "ChangeEventHeader"}


def test_what_was_not_changed_is_left_out_and_what_was_emptied_is_null() -> None:
    assert body(encoded(changed=["0x06"], nulled=["0x02"])) == {"Title": None}


def test_parts_of_a_compound_are_emptied_one_by_one() -> None:
    told = encoded(changed=["2-0x03"], nulled=["2-0x01"], Address={"Street": None, "City": "Oslo"})
    assert body(told) == {"Address": {"Street": None, "City": "Oslo"}}
    assert FORM.payload(told)["ChangeEventHeader"]["changedFields"] == ["Address.City", "Address.Street"]
    assert body(encoded(nulled=["2-0x02"])) == {"Address": {"City": None}}
    assert body(encoded(nulled=["0x04"])) == {"Address": None}


def test_moments_are_texts_and_other_numbers_numbers() -> None:
    assert body(encoded(Day__c=1_712_620_800_000, LastModifiedDate=1_712_694_387_001, Count__c=5)) == {
        "Day__c": "2024-04-09",
        "LastModifiedDate": "2024-04-09T20:26:27.001Z",
        "Count__c": 5,
    }
    assert body(encoded(Day__c=-86_400_000)) == {"Day__c": "1969-12-31"}


def test_a_difference_is_marked() -> None:
    assert body(encoded(diff=["0x40"], Text__c="--- ")) == {"Text__c": {"diff": "--- "}}


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 20, encoded()[:3], encoded(changed=["0xFF00"]), encoded(nulled=["9-0x01"]), encoded(nulled=["x"])]
)
def test_what_can_not_be_read_says_so_and_nothing_of_what_it_holds(data: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"can't be read by its schema \(\w+\)$"):
        FORM.payload(data)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"type":"record","name":"x","fields":[{"name":"a","type":"what"}]}'])
def test_a_schema_that_is_none(text: str) -> None:
    with pytest.raises(UnreadableError):
        Form(text)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("INVALID_ARGUMENT", "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted", Ending.REPLAY_LOST),
        ("INVALID_ARGUMENT", "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.validation.failed", Ending.REPLAY_LOST),
        ("RESOURCE_EXHAUSTED", "sfdc.platform.eventbus.grpc.subscription.limit.exceeded", Ending.LIMIT),
        ("UNAUTHENTICATED", "sfdc.platform.eventbus.grpc.service.auth.error", Ending.LOG_IN),
        ("UNAUTHENTICATED", "", Ending.LOG_IN),
        ("UNAVAILABLE", "sfdc.platform.eventbus.grpc.service.unavailable", Ending.RECONNECT),
        ("DEADLINE_EXCEEDED", "", Ending.RECONNECT),
        ("PERMISSION_DENIED", "", Ending.REFUSED),
        ("NOT_FOUND", "sfdc.platform.eventbus.grpc.topic.not.found", Ending.REFUSED),
    ],
)
def test_what_a_status_ends(status: str, code: str, kind: Ending) -> None:
    end = ending(status, code, "words")
    assert (end.kind, bool(end.remedy)) == (kind, kind is Ending.REFUSED)
    assert end.words.startswith(status)


def test_our_messages_are_those_of_the_proto_file(tmp_path: Path) -> None:
    out = tmp_path / "set"
    assert protoc.main(["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={out}", str(PROTO)]) == 0
    published = {each.name: each for each in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0].message_type}
    for name in names():
        theirs = {field.name: (field.number, field.type, field.label, field.type_name) for field in published[name].field}
        ours = descriptor_pb2.DescriptorProto()
        message(name).DESCRIPTOR.CopyToProto(ours)
        assert {field.name: (field.number, field.type, field.label, field.type_name) for field in ours.field}.items() <= theirs.items()
