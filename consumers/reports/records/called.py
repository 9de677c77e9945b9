"""What people call a record of the ledger."""

from consumers.kinds.registry import KIND_OF
from consumers.merge.pair.state import Field, PairState
from streams.wire.events import Value
from streams.wire.systems import Object


def name_of(state: PairState) -> str:
    """What tells which record it is: first and last name, a company's name; without them the e-mail."""
    kind = KIND_OF.get(state.object)
    words = [str(value) for key in (kind.titled if kind else ("Name",)) if (value := agreed(state, key))]
    return " ".join(words) or str(agreed(state, "email") or "(no name)")


def counted(obj: Object, count: int) -> str:
    """`1 contact`, `12 contacts`, `3 accounts`."""
    return f"{count:,} {obj if count == 1 else several(obj)}"


def several(obj: Object) -> str:
    """Several records of a Salesforce object, in a sentence. Of kinds that only the configuration knows, the object's name says most."""
    kind = KIND_OF.get(obj)
    if kind is None:
        return f"{obj} records"
    return kind.plural if len(kind.sorts) == 1 else f"{obj}s"


def agreed(state: PairState, key: str) -> Value:
    """The agreement on a field."""
    return (state.fields.get(key) or Field()).value
