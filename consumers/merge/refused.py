"""What is refused of a pair: single fields by a system, or by us where a value can't be taken, or the making of a record. Pure."""

from collections.abc import Mapping

from consumers.merge.state import NEVER, Field, PairState
from streams.wire.systems import MARKETO, SALESFORCE, System

RECORD = "*"
"""Stands for the whole record where a field is named."""

Refusals = Mapping[tuple[System, str], str]
"""(system, field) -> why, in the system's own words or ours."""


def refusals(state: PairState) -> Refusals:
    """What is refused of this pair now: neither corrected nor taken since. Asked of every pair that is saved, so quick where nothing is."""
    found: dict[tuple[System, str], str] = {}
    for key, field in state.unsettled().items():
        one, other = field.salesforce, field.marketo
        if one.refused != NEVER or other.unusable:
            _note(found, SALESFORCE, key, field)
        if other.refused != NEVER or one.unusable:
            _note(found, MARKETO, key, field)
    if state.salesforce.refused and not state.salesforce.id:
        found[SALESFORCE, RECORD] = state.salesforce.refused
    if state.marketo.refused and not state.marketo.id:
        found[MARKETO, RECORD] = state.marketo.refused
    return found


def _note(found: dict[tuple[System, str], str], system: System, key: str, field: Field) -> None:
    side, source = field.side(system), field.side(system.other)
    if side.refused == field.version != side.shows:
        found[system, key] = side.reason
    elif source.unusable:
        found[system, key] = f"{system.other} has a value that can't be taken: {source.unusable}"
