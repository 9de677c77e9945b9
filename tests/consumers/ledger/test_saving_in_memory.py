"""What the ledger in memory looks through when it saves: a rehearsal of thousands of people hangs on it."""

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.pair import Pair
from consumers.merge.pair.state import PairState, Record
from streams.wire.systems import LEAD


class Counted(dict[int, PairState]):
    """Pairs that count how often somebody goes through all of them."""

    times = 0

    def items(self):  # type: ignore[no-untyped-def]  # counted, not changed
        self.times += 1
        return super().items()


def _new(number: int) -> Pair:
    record, other = Record(id=f"00Q{number:012}AAA"), Record(id=str(number))
    return Pair(id=0, state=PairState(object=LEAD, fields={}, salesforce=record, marketo=other), loaded=None)


async def test_all_pairs_are_gone_through_once_however_many_are_saved() -> None:
    ledger = MemoryLedger()
    ledger.pairs = pairs = Counted()
    for start in (0, 300):
        before = pairs.times
        async with ledger.transaction() as tx:
            await tx.save([_new(number) for number in range(start, start + 300)], 1)
        assert pairs.times - before <= 1
    assert len(pairs) == 600
