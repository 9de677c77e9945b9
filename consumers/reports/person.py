"""What people call a person of the ledger."""

from consumers.merge.state import Field, PairState
from streams.wire.events import Value


def name_of(state: PairState) -> str:
    """First and last name; without them the e-mail."""
    words = [str(value) for key in ("firstName", "lastName") if (value := agreed(state, key))]
    return " ".join(words) or str(agreed(state, "email") or "(no name)")


def agreed(state: PairState, key: str) -> Value:
    """The agreement on a field."""
    return (state.fields.get(key) or Field()).value
