"""Later: when what could not be done now is tried again. Pure."""

from consumers.ledger.port import Duty
from consumers.merge.pair.state import PairState
from streams.wire.errors import Fatal, Retry, SyncError

AGAIN_MS, FATAL_MS = 3_000, 60_000
"""When a record that could not be written now is tried again."""
REFUSED_DELETION_MS = 900_000


def later(state: PairState, duty: Duty, at: int) -> PairState:
    """Not before `at`; 0: not at all."""
    new = state.with_fields({})
    new.due = tuple(at if place == duty else moment for place, moment in enumerate(state.due))  # type: ignore[assignment]
    return new


def quiet_seconds(error: SyncError) -> float:
    """How long to leave a system alone after an error."""
    if isinstance(error, Retry):
        return error.after_seconds
    return 60.0 if isinstance(error, Fatal) else 5.0
