"""What a look for a creation in doubt proves of what is made under a key of ours: the pure part of `once`."""

import pytest

from consumers.merge.lives.once import Proof, Search, stands
from consumers.merge.pair.state import Field, PairState, Record, Side, Write
from consumers.merge.writing.writes import Patience
from streams.wire.systems import MARKETO, Object

PATIENCE = Patience(call_ms=60_000, doubt_ms=8_000)
SENT, WRITE = 1_700_000_000_000, 7
NAMED = Field(value="Looms", version=2, marketo=Side(writes=(Write(id=WRITE, version=2, value="Looms", sent=SENT, look_at=SENT),)))


def doubtful(*, deleted: bool) -> PairState:
    """An account whose company was sent at `SENT`, and nobody knows what became of it."""
    source = Record(id="001000000000001AAA", deleted=deleted)
    return PairState(object=Object("account"), fields={"company": NAMED}, salesforce=source, marketo=Record(creating=WRITE))


@pytest.mark.parametrize(("deleted", "after_ms", "proof"), [
    (False, 10_000, Proof.NOT_MADE),  # a second creation would be the same record
    (True, 10_000, Proof.OPEN),  # its call may still arrive, and nobody would take away what it makes
    (True, 60_000, Proof.NOT_MADE),
])  # fmt: skip
def test_what_is_not_found_was_not_made_once_it_can_do_no_harm(deleted: bool, after_ms: int, proof: Proof) -> None:
    state, found = stands(doubtful(deleted=deleted), MARKETO, Search(found=(), now=SENT + after_ms), PATIENCE)
    assert found is proof
    assert bool(state.marketo.creating) == (proof is Proof.OPEN)
    looks = [write.look_at for write in state.fields["company"].marketo.writes]
    assert looks == ([SENT + 20_000] if proof is Proof.OPEN else [])


@pytest.mark.parametrize("deleted", [False, True])
def test_what_is_found_is_known_and_read(deleted: bool) -> None:
    state, found = stands(doubtful(deleted=deleted), MARKETO, Search(found=("17",), now=SENT + 10_000), PATIENCE)
    assert (found, state.marketo.id, state.marketo.creating) == (Proof.THERE, "17", 0)


def test_while_nobody_can_say_it_stays_in_doubt_and_says_why() -> None:
    state, found = stands(doubtful(deleted=False), MARKETO, Search(found=None, now=SENT + 90_000, why="the list can't be read"), PATIENCE)
    assert (found, state.marketo.creating) == (Proof.OPEN, WRITE)
    assert "the list can't be read" in state.marketo.refused
