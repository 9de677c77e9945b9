"""A campaign and a program are unlinked while events of their members still come in: nobody is kept, nor kept again."""

import re
from typing import Any

import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Pair
from consumers.links.linking import DROP, PUT, Asked, Linking
from consumers.links.links import ALL, Backwards
from consumers.merge.pair.state import PairState
from consumers.reconcile.gaps import OPEN
from streams.wire.systems import MARKETO, SALESFORCE
from tests.consumers.test_kinds_of_campaigns import IN, SPRING, TERMS, judged, ledger, members, of_salesforce, told

BY_NAME_AND_BY_PARENT = 2


class Pool:
    """What `unlink` asks of the database, of a ledger in memory. Once nobody is a member any more, one of them comes in again."""

    def __init__(self, made: MemoryLedger, *, late: PairState | None = None) -> None:
        self._made, self._late = made, late
        self._empty, self.linked = 0, True

    async def fetch(self, query: str, *_: Any) -> list[tuple[Any, ...]]:
        """The link, or who is a member: asked for by name and by parent."""
        if query == ALL:
            return [(SPRING, "1001", "salesforce", "refuse", 1)] if self.linked else []
        ids = [(number,) for number, state in self._made.pairs.items() if state.object == IN]
        self._empty += not ids
        if not ids and self._empty == BY_NAME_AND_BY_PARENT:
            await self._comes_in()
        return ids

    async def execute(self, query: str, *_: Any) -> None:
        """The link is gone."""
        assert query == DROP
        self.linked = False

    async def _comes_in(self) -> None:
        """Both sides tell of it; or somebody who had begun to judge it before keeps it now."""
        if self._late is None:
            await judged(self._made, of_salesforce(Status="Sent"), told(MARKETO, "1001.7", statusName="Sent"))
            return
        async with self._made.transaction() as tx:
            await tx.save([Pair(id=0, state=self._late, loaded=None)], 1)


def unlinking(made: MemoryLedger, pool: Pool) -> Linking:
    return Linking(made, pool, None, None, TERMS)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.links.linking.HEARD_SECONDS", 0)


async def test_a_member_that_is_read_meanwhile_is_not_kept_again() -> None:
    made = await ledger()
    await judged(made, of_salesforce(Status="Sent"))
    _, count = await unlinking(made, pool := Pool(made)).unlink(SPRING)
    assert (count, members(made), pool.linked) == (1, [], False)


async def test_a_member_that_was_being_judged_meanwhile_is_forgotten_too() -> None:
    made = await ledger()
    await judged(made, of_salesforce(Status="Sent"))
    (late,) = members(made)
    await unlinking(made, Pool(made, late=late)).unlink("1001")
    assert not members(made)


async def test_linking_tells_the_database_all_that_each_of_its_commands_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command with another number of values is refused by PostgreSQL, which stands as "away"."""
    told: list[str] = []

    class Counting(Pool):
        async def execute(self, query: str, *values: Any) -> None:
            assert set(re.findall(r"\$\d+", query)) == {f"${place + 1}" for place in range(len(values))}, query
            told.append(query)

    made = await ledger()
    linking = unlinking(made, Counting(made))

    async def as_asked(asked: Asked) -> Asked:
        return asked

    monkeypatch.setattr(linking, "_checked", as_asked)
    await linking.link(Asked(campaign="701000000000009AAA", program="1009", winner=SALESFORCE, backwards=Backwards.REFUSE), 5_000)
    assert told == [PUT, OPEN]
