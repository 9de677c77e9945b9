"""What is refused of a pair: single fields by a system, or by us where a value can't be taken, or the making of a record. Pure."""

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
        one, other = field.salesforce, field.marketo
        if one.refused == NEVER and other.refused == NEVER and not one.unusable and not other.unusable:
            continue
        for system in System:
            side = field.side(system)
            if side.refused == field.version != side.shows:
                found[system, key] = side.reason
            elif side.unusable:
                found[system.other, key] = f"{system} has a value that can't be taken: {side.unusable}"
    for system in System:
        record = state.record(system)
        if record.refused and not record.id:
            found[system, RECORD] = record.refused
    return found
