"""The AsyncAPI document and its schemas: as they are committed, valid, true of real messages, and compatible with what was released."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from consumers.kinds.registry import STANDARD
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.merge.pair.decision import encode as encode_decision
from consumers.publish.conflict import Conflict, Standing, body_of
from consumers.subscriptions.published import asyncapi, asyncapi_text, schemas
from infra.setup import found
from infra.setup.strangers import FOLDER
from streams.wire.codec import encode, encode_dead_letter
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import LEAD, System

DOCUMENT = found.ROOT / "infra" / "docs" / "asyncapi.json"
RELEASED = Path(__file__).with_name("released.json")
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas()}})


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_bytes() == asyncapi_text(STANDARD, version("tandem")), "tandem topics --asyncapi > infra/docs/asyncapi.json"


def test_every_topic_has_a_channel_and_every_key_words() -> None:
    told = asyncapi(STANDARD, "0")
    assert {each["address"] for each in told["channels"].values()} >= set(STANDARD.change_topics)
    silent = [
        f"{name}.{key}"
        for name, schema in told["components"]["schemas"].items()
        for key, each in schema.get("properties", {}).items()
        if "description" not in each
    ]
    assert not [each for each in silent if each.partition(".")[0] == "ChangeEvent" and each not in PLAIN]


PLAIN = {"ChangeEvent.system", "ChangeEvent.object", "ChangeEvent.id", "ChangeEvent.kind"}
"""Whose names say all."""


@given(
    kind=st.sampled_from(Happened),
    fields=st.dictionaries(st.text(), VALUES),
    before=st.none() | st.dictionaries(st.text(), VALUES),
    author=st.none() | st.text(),
    at=st.integers(0, 253_402_300_799_999),
)
def test_change_events_are_as_their_schema_says(kind: Happened, fields: Any, before: Any, author: str | None, at: int) -> None:
    event = ChangeEvent(
        system=System.SALESFORCE, object=LEAD, id="00Q", kind=kind, source="cdc", at=at, fields=fields, before=before, author=author
    )
    validator("ChangeEvent").validate(json.loads(encode(event)))


def test_decisions_conflicts_and_dead_letters_are_as_their_schemas_say() -> None:
    decision = Decision(
        kind="judged",
        at=1,
        pair=1,
        system=System.MARKETO,
        record="1",
        event=Origin(topic="t", partition=0, offset=1),
        fields=(Ruling(field="title", verdict=Verdict.WON, value="x", lost=1.5),),
    )
    validator("Decision").validate(json.loads(encode_decision(decision)))
    letter = DeadLetter(stage="observe", reason="why", original=b"\xff", key="lead:1")
    validator("DeadLetter").validate(json.loads(encode_dead_letter(letter)))
    whole = Conflict(
        conflict="1-title", standing=Standing.WAITING, at=1, pair=1, field="title", edited=System.MARKETO, record="1", salesforce="x",
        marketo=1.5, base=True, base_known=True, agreed="x", rule="review@1", reason="why", event=decision.event,
    )  # fmt: skip
    bare = Conflict(conflict="1-title", standing=Standing.GONE, at=1, pair=1, field="title")
    for conflict in (whole, bare):
        validator("Conflict").validate(json.loads(body_of(conflict)))
    with pytest.raises(Exception, match="is not of type"):
        validator("Decision").validate({**json.loads(encode_decision(decision)), "pair": "1"})


def incompatible(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What a subscriber that was written for the old schemas would trip over: what it reads must still come, as what it was."""
    wrong = []
    for name, schema in old.items():
        now = new.get(name)
        if now is None:
            wrong.append(f"{name} is gone")
            continue
        for key, told in schema.get("properties", {}).items():
            after = now["properties"].get(key)
            if after is None:
                wrong.append(f"{name}.{key} is gone")
            elif shape(told) != shape(after):
                wrong.append(f"{name}.{key} has another type")
        wrong += [f"{name}.{key} may be left out now" for key in schema.get("required", []) if key not in now.get("required", [])]
        wrong += [f"{name} can't be {each} any more" for each in schema.get("enum", []) if each not in now.get("enum", [])]
    return wrong


def shape(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: shape(each) for key, each in schema.items() if key not in ("description", "title", "minimum", "maximum")}
    return [shape(each) for each in schema] if isinstance(schema, list) else schema


def test_a_subscriber_of_the_last_release_is_still_served() -> None:
    assert not incompatible(json.loads(RELEASED.read_text()), json.loads(msgspec.json.encode(schemas())))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda new: new["ChangeEvent"]["properties"].pop("author"), "ChangeEvent.author is gone"),
        (lambda new: new["ChangeEvent"]["properties"]["at"].update(type="string"), "ChangeEvent.at has another type"),
        (lambda new: new["Decision"]["required"].remove("pair"), "Decision.pair may be left out now"),
        (lambda new: new["Verdict"]["enum"].remove("won"), "Verdict can't be won any more"),
        (lambda new: new.pop("DeadLetter"), "DeadLetter is gone"),
    ],
)
def test_what_would_break_a_subscriber_is_seen(change: Any, said: str) -> None:
    new = schemas()
    change(new)
    assert said in incompatible(schemas(), new)


def test_asyncapis_own_parser_finds_nothing_wrong() -> None:
    node = found.node()
    if node is None or not (FOLDER / "node_modules" / "@asyncapi" / "parser").is_dir():
        pytest.skip("no Node here, or its packages are not installed (make clients)")
    done = subprocess.run(
        [str(node.path), "asyncapi.mjs"], input=DOCUMENT.read_bytes(), capture_output=True, timeout=180, check=True, cwd=FOLDER
    )
    told = msgspec.json.decode(done.stdout)
    assert told["wrong"] == []
    assert set(told["channels"]) >= set(STANDARD.change_topics)
