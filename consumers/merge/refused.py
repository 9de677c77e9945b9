"""What a system refuses of a pair: single fields, or to make the record at all. Pure."""

from collections.abc import Mapping

from consumers.merge.state import NEVER, PairState
from streams.systems import System

RECORD = "*"
"""Stands for the whole record where a field is named."""

Refusals = Mapping[tuple[System, str], str]
"""(system, field) -> why, in the system's own words or ours."""


def refusals(state: PairState) -> Refusals:
    """What is refused of this pair now: neither corrected nor taken since."""
    found: dict[tuple[System, str], str] = {}
    for key, field in state.unsettled().items():
        if field.salesforce.refused == NEVER and field.marketo.refused == NEVER:
            continue
        for system in System:
            side = field.side(system)
            if side.refused == field.version != side.shows:
                found[system, key] = side.reason
    for system in System:
        record = state.record(system)
        if record.refused and not record.id:
            found[system, RECORD] = record.refused
    return found
