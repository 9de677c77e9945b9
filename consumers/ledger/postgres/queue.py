"""What is due, a row a pair and duty while there is something to do: kept in line with the states of the pairs that are saved."""

from collections.abc import Sequence
from typing import Any

from consumers.ledger.port import Duty, Pair
from consumers.ledger.postgres import sql
from consumers.ledger.postgres.border import border
from consumers.ledger.postgres.text import listed

_NOT_DUE = (0, 0, 0, 0)
_WRITE_MARKETO = int(Duty.WRITE_MARKETO)
_DUTIES = tuple(int(duty) for duty in Duty)


async def save_due(connection: Any, pairs: Sequence[Pair], fronts: Sequence[Pair]) -> None:
    """Only what differs from what was loaded; the pair's lock guards its rows. `fronts`: pairs that were only changed in front."""
    put = [(_WRITE_MARKETO, pair.id, *pair.newly_due) for pair in fronts if pair.newly_due is not None]
    gone: list[tuple[int, int]] = []
    for pair in pairs:
        state, loaded = pair.state, pair.loaded
        before = loaded.due if loaded else _NOT_DUE
        same_lane = loaded is None or loaded.lane == state.lane
        if state.due == before and (same_lane or state.due == _NOT_DUE):
            continue
        for duty, moment, earlier in zip(_DUTIES, state.due, before, strict=True):
            if not moment:
                if earlier:
                    gone.append((duty, pair.id))
            elif moment != earlier or not same_lane:
                put.append((duty, pair.id, state.lane, moment))
    if gone:
        with border("settle what was due"):
            await connection.execute(sql.DROP_DUE, *zip(*sorted(gone), strict=True))
    if put:
        with border("note what is due"):
            await _put(connection, sorted(put))


async def _put(connection: Any, rows: list[tuple[int, int, int, int]]) -> None:
    """A batch of edits usually makes the same thing due for all of its pairs: then only they are told one by one."""
    duty, _, lane, at = rows[0]
    if all(row[0] == duty and row[2] == lane and row[3] == at for row in rows):
        await connection.execute(sql.PUT_DUE_ALIKE, duty, listed(row[1] for row in rows), lane, at)
    else:
        await connection.execute(sql.PUT_DUE, *zip(*rows, strict=True))
