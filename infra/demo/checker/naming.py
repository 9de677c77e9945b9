"""Which edits that Tandem replaced no decision names: the systems' histories held against what Tandem published on its decisions topic.

An edit whose value was replaced by a write of Tandem's, whether it should have won or not, must stand in a decision as the value that
was judged, or as the one that lost. Nobody has to guess later what became of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from infra.demo.checker.comparison import Pair
from infra.demo.checker.judgement import SYSTEMS, Change, FieldStory
from infra.demo.checker.sameness import Normal, normal
from infra.demo.checker.table import FIELDS, Kind

TOPIC = "crm.decisions.v1"
_FETCH_MS = 500
_KINDS: Mapping[str, frozenset[Kind]] = {
    each.marketo: frozenset(other.kind for others in FIELDS.values() for other in others if other.marketo == each.marketo)
    for fields in FIELDS.values()
    for each in fields
}
"""By Marketo's name of a field: the kinds that it has for leads, contacts and the rest."""
_NOT_JUDGED = frozenset({"superseded", "waiting", "known", "unusable", "echo"})

Named = tuple[str, str, str, Kind, Normal]
"""System, record, field, its kind, value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unnamed:
    """An edit of a person's that Tandem replaced, and of which no decision tells."""

    pair: Pair
    field: str
    system: str
    at_ms: int
    value: str


async def decisions(bootstrap: str) -> list[Mapping[str, Any]]:
    """Everything that stands on the decisions topic now, as any subscriber reads it."""
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        told: list[Mapping[str, Any]] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            fetched = await consumer.getmany(timeout_ms=_FETCH_MS)
            told += [orjson.loads(record.value) for records in fetched.values() for record in records if record.value]
        return told
    finally:
        await consumer.stop()


def named_by(told: Iterable[Mapping[str, Any]]) -> set[Named]:
    """Every value that a decision says was judged."""
    return {
        (decision["system"], decision["record"], ruling["field"], kind, normal(kind, ruling.get("value")))
        for decision in told
        if decision["kind"] == "judged"
        for ruling in decision.get("fields", ())
        if ruling["verdict"] not in _NOT_JUDGED
        for kind in _KINDS.get(ruling["field"], ())
    }


def unnamed(stories: Iterable[FieldStory], named: set[Named]) -> list[Unnamed]:
    """The replaced edits that are missing there."""
    return [
        Unnamed(pair=told.pair, field=told.field.marketo, system=system, at_ms=edit.at_ms, value=str(edit.value))
        for told in stories
        for system, edit in _replaced(told)
        if (system, told.pair.key(system)[1], told.field.marketo, told.field.kind, edit.value) not in named
    ]


def _replaced(told: FieldStory) -> Iterator[tuple[str, Change]]:
    for system in SYSTEMS:
        changes = told.changes[system]
        for edit, after in pairwise(changes):
            if after.ours and not edit.ours and not edit.entered:
                yield system, edit
