"""Later: when what could not be done now is tried again. Pure."""

from consumers.ledger.port import Duty
from consumers.merge.state import PairState

AGAIN_MS, FATAL_MS = 3_000, 60_000
"""When a record that could not be written now is tried again."""
REFUSED_DELETION_MS = 900_000


def later(state: PairState, duty: Duty, at: int) -> PairState:
    """Not before `at`; 0: not at all."""
    new = state.with_fields({})
    new.due = tuple(at if place == duty else moment for place, moment in enumerate(state.due))  # type: ignore[assignment]
    return new
