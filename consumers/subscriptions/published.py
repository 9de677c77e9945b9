"""What is published about the topics: an AsyncAPI 3 document with the JSON Schema (2020-12) of each message, from the types themselves."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import msgspec
import orjson

from consumers.kinds.registry import Registry
from consumers.merge.pair.decision import Decision, Joined, Origin, Ruling
from consumers.publish.conflict import Conflict
from consumers.publish.seals import Anchor
from consumers.publish.states import State
from consumers.subscriptions.topics import Content, Topic, topics
from streams.wire.events import ChangeEvent, DeadLetter
from streams.wire.topics import all_topics

_TYPES: Mapping[Content, type] = {
    Content.CHANGES: ChangeEvent,
    Content.DECISIONS: Decision,
    Content.CONFLICTS: Conflict,
    Content.DEAD_LETTERS: DeadLetter,
    Content.ANCHORS: Anchor,
    Content.STATES: State,
}
_DESCRIBED = (ChangeEvent, Decision, Conflict, DeadLetter, Origin, Ruling, Joined, Anchor, State)
_PREFIX = "#/components/schemas/"
_WITHIN = "#/$defs/"
_HEADERS = {
    "type": "object",
    "description": "The attributes of a CloudEvent 1.0 in Kafka's binary mode.",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "description": "With ce_source the event's name: the same when it is sent again."},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_type": {"type": "string", "description": "What happened to what: crm.salesforce.lead.updated, crm.decision.judged."},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string", "description": "The record's id."},
        "content-type": {"type": "string", "const": "application/json"},
    },
}


def asyncapi(kinds: Registry, version: str) -> dict[str, Any]:
    """The document. `version`: of Tandem."""
    known = topics(kinds)
    kept = {spec.name: spec for spec in all_topics(kinds.objects, kinds=kinds.by_name)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tandem's topics",
            "version": version,
            "description": "Changes of a Salesforce org and a Marketo Engage instance, and what Tandem decided about them. At least once; "
            "all messages of a record on one partition, in the order in which its system told them.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.short: _channel(topic, kept[topic.name].partitions, kept[topic.name].configs) for topic in known},
        "operations": {f"read.{topic.short}": _operation(topic) for topic in known},
        "components": {"messages": {str(content.name.lower()): _message(content) for content in Content}, "schemas": schemas()},
    }


def asyncapi_text(kinds: Registry, version: str) -> bytes:
    """The document as it is published."""
    return orjson.dumps(asyncapi(kinds, version), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def schemas() -> dict[str, Any]:
    """The JSON Schema of each type, by its name; of every key what it says."""
    _, components = msgspec.json.schema_components(_TYPES.values(), ref_template=f"{_PREFIX}{{name}}")
    for described in _DESCRIBED:
        words = _words(described)
        components[described.__name__]["description"] = inspect.getdoc(described) or ""
        for name, schema in components[described.__name__]["properties"].items():
            if name in words:
                schema["description"] = words[name]
    return dict(sorted(components.items()))


def schema_of(content: Content) -> dict[str, Any]:
    """The JSON Schema of a topic's values, by itself: with the types that it refers to."""
    own, known = _TYPES[content].__name__, schemas()
    needed, waiting = {own: known[own]}, [known[own]]
    while waiting:
        for name in _referred(waiting.pop()):
            if name not in needed:
                needed[name] = known[name]
                waiting.append(known[name])
    told = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": f"{_WITHIN}{own}", "$defs": needed}
    return dict(orjson.loads(orjson.dumps(told).replace(_PREFIX.encode(), _WITHIN.encode())))


def _referred(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        for name, each in schema.items():
            if name == "$ref" and isinstance(each, str):
                yield each.removeprefix(_PREFIX)
            else:
                yield from _referred(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _referred(each)


def _channel(topic: Topic, partitions: int, configs: Mapping[str, str]) -> dict[str, Any]:
    message = topic.content.name.lower()
    return {
        "address": topic.name,
        "description": topic.words,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": partitions,
                "topicConfiguration": {
                    "cleanup.policy": configs["cleanup.policy"].split(","),
                    **({"retention.ms": int(configs["retention.ms"])} if "retention.ms" in configs else {}),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic.short.replace('/', '~1')}"}, "summary": topic.words}


def _message(content: Content) -> dict[str, Any]:
    of = _TYPES[content]
    return {
        "name": of.__name__,
        "title": str(content),
        "summary": (inspect.getdoc(of) or "").split("\n\n", 1)[0].replace("\n", " "),
        "contentType": "application/json",
        "headers": _HEADERS,
        "payload": {"$ref": f"{_PREFIX}{of.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string", "description": _KEYS[content]}, "bindingVersion": "0.5.0"}},
    }


_KEYS = {
    Content.CHANGES: "The record: its object and id, `lead:00Q5f000005bwLFEAY`.",
    Content.DECISIONS: "The pair's number.",
    Content.CONFLICTS: "The pair's number.",
    Content.DEAD_LETTERS: "The key of the message that could not be used; empty where it had none.",
    Content.ANCHORS: "The day: days since 1970-01-01, UTC.",
    Content.STATES: "The pair's number. A message without a value is a tombstone: the record is gone.",
}


def _words(of: type) -> dict[str, str]:
    """What the source says of each attribute: the text below it."""
    [found] = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    body = found.body if isinstance(found, ast.ClassDef) else []
    return dict(_told(body))


def _told(body: list[ast.stmt]) -> Iterable[tuple[str, str]]:
    for one, after in pairwise(body):
        match one, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                yield name, " ".join(words.split())
