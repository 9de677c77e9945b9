"""The topic of conflicts on a real ledger: each with its values, again when it is decided, and under the same name after a crash."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from itertools import count
from typing import Any

import msgspec
import pytest

from consumers.kinds.registry import STANDARD
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import BY_HAND, Decision, Origin, Ruling, Verdict
from consumers.merge.pair.state import PairState, Record
from consumers.publish.conflict import Conflict, Standing
from consumers.publish.conflicts import Conflicts
from consumers.publish.outbox import Outbox
from consumers.subscriptions.message import Message
from consumers.subscriptions.reading import messages
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from streams.relay.singleton import PostgresSingleton
from streams.wire.cloud import Headers
from streams.wire.errors import Retry
from streams.wire.events import Value
from streams.wire.systems import LEAD, MARKETO, SALESFORCE, System
from streams.wire.topics import CONFLICTS, all_topics
from tests.consumers.kept_messages import Alone, Kept

pytestmark = pytest.mark.integration

NOW = 1_800_000_000_000
DEADLINE_SECONDS = 90.0
RULE = "marketo@1"
IDS = count()


class Heard(Kept):
    """A producer that keeps names as well."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
        if topic == CONFLICTS:
            self.names.append(dict(headers)["ce_id"].decode())
        return await super().send(topic, value, key, headers=headers)

    @property
    def conflicts(self) -> list[Conflict]:
        return [msgspec.json.decode(value or b"", type=Conflict) for topic, _, value in self.log if topic == CONFLICTS]


async def soon(_: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def ledger(postgres_module: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres_module)
    await opened._pool.execute("truncate pairs, conflicts_waiting, decisions, decision_blocks, outbox restart identity cascade")
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def kept() -> Heard:
    return Heard()


@pytest.fixture
def carrier(ledger: PostgresLedger, kept: Heard) -> Conflicts:
    return Conflicts(ledger._pool, Alone(), lambda: kept, now_ms=lambda: NOW, sleep=soon)


async def born(ledger: PostgresLedger) -> int:
    pair = Pair(id=0, state=PairState(object=LEAD, salesforce=Record(id=f"00Q{next(IDS)}")), loaded=None)
    async with ledger.transaction() as tx:
        await tx.save([pair], NOW)
    return pair.id


def said(pair: int, system: System, verdict: Verdict, value: Value, agreed: Value, version: int, **more: Any) -> Decision:  # noqa: PLR0917
    ruling = Ruling(field="title", verdict=verdict, value=value, agreed=agreed, version=version, **more)
    return Decision(kind="judged", at=NOW, pair=pair, system=system, record="00Q", fields=(ruling,))


def by_hand(pair: int, value: Value, version: int) -> Decision:
    ruling = Ruling(field="title", verdict=Verdict.ACCEPTED, value=value, agreed=value, version=version)
    origin = Origin(topic="", partition=-1, offset=-1, source=BY_HAND, author="ada")
    return Decision(kind=BY_HAND, at=NOW, pair=pair, system=SALESFORCE, record="00Q", event=origin, fields=(ruling,))


def first(pair: int) -> list[Decision]:
    """Agreed on "base", then Salesforce says "sf"."""
    return [said(pair, MARKETO, Verdict.ACCEPTED, "base", "base", 1), said(pair, SALESFORCE, Verdict.ACCEPTED, "sf", "sf", 2)]


def review(pair: int, value: str = "mk") -> Decision:
    return said(pair, MARKETO, Verdict.REVIEW, value, "sf", 2, lost=value, rule="review@1", reason="the rule asks for a person's decision")


async def record(ledger: PostgresLedger, *decisions: Decision) -> None:
    async with ledger.transaction() as tx:
        await tx.record(decisions)


async def passed(ledger: PostgresLedger, carrier: Conflicts, kept: Heard) -> int:
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    return await carrier.publish(kept)


def values(conflict: Conflict) -> dict[str, Value]:
    return {key: getattr(conflict, key) for key in ("salesforce", "marketo", "base", "base_known", "agreed", "winner")}


@pytest.mark.parametrize("together", [True, False], ids=["in one block", "in a block each"])
@pytest.mark.parametrize(
    ("last", "agreed", "winner"),
    [
        ((Verdict.WON, "mk", "mk", 3, "sf"), "mk", "marketo"),
        ((Verdict.LOST, "mk", "sf", 2, "mk"), "sf", "salesforce"),
        ((Verdict.WON, "mk", "sf+mk", 3, None), "sf+mk", "both"),
        ((Verdict.REVIEW, "mk", "sf", 2, "mk"), "sf", ""),
        ((Verdict.CONTESTED, "mk", "sf", 2, "mk"), "sf", ""),
    ],
)
async def test_a_conflict_has_both_values_and_the_base(
    ledger: PostgresLedger, carrier: Conflicts, kept: Heard, *, last: Any, agreed: str, winner: str, together: bool
) -> None:
    pair, other = await born(ledger), await born(ledger)
    verdict, value, after, version, lost = last
    fight = said(pair, MARKETO, verdict, value, after, version, lost=lost, rule=RULE, reason="why")
    decisions = [*first(other), *first(pair), fight]
    for some in [decisions] if together else [[each] for each in decisions]:
        await record(ledger, *some)
    assert await passed(ledger, carrier, kept) == 1
    [conflict] = kept.conflicts
    wanted = {"salesforce": "sf", "marketo": "mk", "base": "base", "base_known": True, "agreed": agreed, "winner": winner}
    assert values(conflict) == wanted
    assert (conflict.pair, conflict.field, conflict.rule, conflict.reason, conflict.edited) == (pair, "title", RULE, "why", MARKETO)
    assert conflict.standing is (Standing.DECIDED if winner else Standing.WAITING)
    assert [key for topic, key, _ in kept.log if topic == CONFLICTS] == [str(pair).encode()]
    assert await passed(ledger, carrier, kept) == 0


async def test_what_is_no_conflict_is_not_told(ledger: PostgresLedger, carrier: Conflicts, kept: Heard) -> None:
    pair = await born(ledger)
    merged = said(pair, SALESFORCE, Verdict.LOST, "a", "b", 3, lost="a", reason="the winner of the merge has another value")
    added = said(pair, SALESFORCE, Verdict.ACCEPTED, 3, 3, 3, rule="sum_deltas@1")
    whole = Decision(kind="judged", at=NOW, pair=pair, system=MARKETO, record="7", fields=(Ruling(field="*", verdict=Verdict.REVIEW),))
    await record(ledger, *first(pair), merged, added, whole, by_hand(pair, "x", 4))
    assert await passed(ledger, carrier, kept) == 0


@pytest.mark.parametrize("together", [True, False], ids=["in one pass", "in a pass each"])
@pytest.mark.parametrize(
    ("last", "wanted"),
    [
        ("by hand, of a side", ("sf", "mk2", "mk2", "marketo", "ada")),
        ("by hand, of their own", ("sf", "mk2", "third", "person", "ada")),
        ("they agree", ("sf", "mk2", "sf", "both", "")),
    ],
)
async def test_one_that_waited_is_told_again_when_it_is_decided(
    ledger: PostgresLedger, carrier: Conflicts, kept: Heard, last: str, wanted: Any, *, together: bool
) -> None:
    pair = await born(ledger)
    ends = {
        "by hand, of a side": by_hand(pair, "mk2", 3),
        "by hand, of their own": by_hand(pair, "third", 3),
        "they agree": said(pair, MARKETO, Verdict.SAME, "sf", "sf", 2),
    }[last]
    for each in [*first(pair), review(pair), review(pair, "mk2"), ends, ends]:
        await record(ledger, each)
        if not together:
            await passed(ledger, carrier, kept)
    await passed(ledger, carrier, kept)
    waiting, again, decided = kept.conflicts
    assert [each.standing for each in kept.conflicts] == [Standing.WAITING, Standing.WAITING, Standing.DECIDED]
    assert waiting.conflict == again.conflict == decided.conflict
    assert len(set(kept.names)) == 3
    assert (decided.salesforce, decided.marketo, decided.agreed, decided.winner, decided.by) == wanted
    assert (decided.base, decided.base_known, decided.rule) == ("base", True, "review@1")
    assert await ledger._pool.fetchval("select count(*) from conflicts_waiting") == 0


async def test_what_waits_without_its_first_decision_is_told_as_far_as_it_is_known(
    ledger: PostgresLedger, carrier: Conflicts, kept: Heard
) -> None:
    """Retention has dropped it."""
    pair = await born(ledger)
    await record(ledger, *first(pair), review(pair))
    await passed(ledger, carrier, kept)
    await ledger._pool.execute("delete from decision_blocks")
    await record(ledger, by_hand(pair, "third", 3))
    await passed(ledger, carrier, kept)
    waiting, decided = kept.conflicts
    assert (decided.conflict, decided.standing, decided.agreed, decided.winner) == (waiting.conflict, Standing.DECIDED, "third", "person")
    assert not decided.base_known


async def test_a_base_that_is_not_kept_is_not_made_up(ledger: PostgresLedger, carrier: Conflicts, kept: Heard) -> None:
    pair = await born(ledger)
    await record(ledger, *first(pair))
    await passed(ledger, carrier, kept)
    await ledger._pool.execute("delete from decision_blocks")
    await record(ledger, review(pair))
    await passed(ledger, carrier, kept)
    assert values(kept.conflicts[0]) | {"winner": ""} == {
        "salesforce": "sf", "marketo": "mk", "base": None, "base_known": False, "agreed": "sf", "winner": "",
    }  # fmt: skip


async def test_what_waits_for_a_record_that_is_gone_is_told(ledger: PostgresLedger, carrier: Conflicts, kept: Heard) -> None:
    pair, other = await born(ledger), await born(ledger)
    await record(ledger, review(pair), review(other))
    await passed(ledger, carrier, kept)
    await ledger._pool.execute("delete from pairs where id = $1", pair)
    carrier._looked = None
    assert await passed(ledger, carrier, kept) == 1
    gone = kept.conflicts[-1]
    assert (gone.pair, gone.standing, gone.conflict) == (pair, Standing.GONE, kept.conflicts[0].conflict)
    assert await ledger._pool.fetchval("select array_agg(pair) from conflicts_waiting") == [other]


async def test_after_a_crash_it_is_the_same_again(ledger: PostgresLedger, carrier: Conflicts, kept: Heard) -> None:
    """Between the acknowledgement and the position: by another that was quicker."""
    pair = await born(ledger)
    await record(ledger, *first(pair), review(pair))
    await Outbox(ledger._pool, Alone(), lambda: kept).publish(kept)
    second = Conflicts(ledger._pool, Alone(), lambda: kept, now_ms=lambda: NOW, sleep=soon)
    send = carrier._send

    async def overtaken(topic: str, producer: Any, some: Any) -> None:
        await send(topic, producer, some)
        await second.publish(kept)

    carrier._send = overtaken  # type: ignore[method-assign, assignment]
    with pytest.raises(Retry, match="somebody else"):
        await carrier.publish(kept)
    assert len(kept.names) == 2
    assert len(set(kept.names)) == 1
    assert kept.conflicts[0] == kept.conflicts[1]
    carrier._send = send  # type: ignore[method-assign]
    await record(ledger, by_hand(pair, "mk", 3))
    await passed(ledger, carrier, kept)
    assert [each.standing for each in kept.conflicts[2:]] == [Standing.DECIDED]


async def test_far_back_is_looked_no_further(
    ledger: PostgresLedger, carrier: Conflicts, kept: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.publish.conflicts.LOOKS_MAX", 3)
    near, far = await born(ledger), await born(ledger)
    for pair, between in ((near, 1), (far, 5)):
        for each in first(pair):
            await record(ledger, each)
        for _ in range(between):
            await record(ledger, said(pair, SALESFORCE, Verdict.ECHO, "sf", "sf", 2))
        await passed(ledger, carrier, kept)
        await record(ledger, review(pair))
    await passed(ledger, carrier, kept)
    assert [(each.pair, each.base_known) for each in kept.conflicts] == [(near, True), (far, False)]


async def test_what_does_not_fit_into_a_message_is_cut(ledger: PostgresLedger, carrier: Conflicts, kept: Heard) -> None:
    pair = await born(ledger)
    await record(ledger, *first(pair), review(pair, "x" * 1_000_000))
    await passed(ledger, carrier, kept)
    assert kept.conflicts[0].cut
    assert len(str(kept.conflicts[0].marketo)) == 500


async def test_on_kafka_it_is_read_as_any_topic(ledger: PostgresLedger, postgres_module: str, kafka: str) -> None:
    """Beside an outbox at work."""
    await ensure_topics(kafka, all_topics(STANDARD.objects, kinds=STANDARD.by_name))
    await ledger._pool.execute("select setval('pairs_id_seq', 810000 + nextval('pairs_id_seq'))")
    pair = await born(ledger)
    make, stop = partial(kafka_producer, kafka), asyncio.Event()
    working = [
        asyncio.create_task(each(ledger._pool, PostgresSingleton(postgres_module), make, interval_seconds=0.05).run(stop))
        for each in (Outbox, Conflicts)
    ]
    try:
        await record(ledger, *first(pair), review(pair))
        await record(ledger, by_hand(pair, "mk", 3))
        found: list[Message] = []
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < 2:
                reading = messages(KafkaAccess(bootstrap=kafka), topic_named("conflicts", STANDARD), since_ms=None, follow=False)
                found = [each async for each in reading if each.key == str(pair)]
    finally:
        stop.set()
        await asyncio.gather(*working)
    assert [each.kind for each in found] == ["waiting", "decided"]
    assert [each.attributes["type"] for each in found] == ["crm.conflict.waiting", "crm.conflict.decided"]
    assert (found[1].fields, found[1].actor, found[1].verdicts) == (("title",), "ada", frozenset({"decided", "marketo"}))
    assert set(found[0].records) == {f"pair:{pair}", "00Q"}
