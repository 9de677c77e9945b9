"""Whether the decisions come to what is agreed: every mapped field derived again, and compared.

In batches of pairs: each batch walks the blocks of decisions backwards from where its pairs' rows point, reads each block once, and is done
with a pair as soon as every field has been told of. So the memory is that of a batch, whatever the ledger holds. A pair's row names its
state and its last block together: what is decided meanwhile does not matter.
"""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from consumers.ledger.postgres.blocks import NO_BLOCK, READ, number, parts
from consumers.mapping.fields import SyncRules
from consumers.merge.lives.link import link_values
from consumers.merge.pair import decision as decisions
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.reports.records.derived import Agreement, agreements
from streams.wire.events import Value

PAIRS_MAX = 2_000
"""Of a batch."""
TOLD_MAX = 100
"""So many disagreements are named; all are counted."""
_PAIRS = "select id, state, told_in from pairs where id > $1 order by id limit $2"
_PAIR = "select id, state, told_in from pairs where id = any($1::bigint[])"
_ROWS = "select id, pair, body from decisions where pair = any($1::bigint[]) order by id desc"
_FIRST = "select id, at from decision_blocks order by id limit 1"
_EVER_ROWS = "select is_called from decisions_id_seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A field of which the decisions say something else than the ledger. `decision`: the one that says so; 0: none does."""

    pair: int
    object: str
    field: str
    agreed: Value = None
    version: int = 0
    derived: Value = None
    derived_version: int = 0
    decision: int = 0
    why: str


@dataclass(slots=True, kw_only=True)
class Verified:
    """What came of it. `fields`: that were compared; `let_go`: of which every decision was let go by retention; `own`: that Tandem keeps
    itself, without deciding; `since_ms`: from when on all decisions are kept (ours; 0: from the start)."""

    pairs: int = 0
    fields: int = 0
    let_go: int = 0
    own: int = 0
    since_ms: int = 0
    disagreements: int = 0
    examples: list[Disagreement] = field(default_factory=list)

    def disagrees(self, found: Disagreement) -> None:
        """One more."""
        self.disagreements += 1
        if len(self.examples) < TOLD_MAX:
            self.examples.append(found)


@dataclass(slots=True)
class _Pair:
    state: PairState
    lacking: set[str]
    found: dict[str, Agreement]
    cut: bool = False
    """Its older decisions have been let go."""


async def verify(
    connection: Any, rules: SyncRules, *, only: list[int] | None = None, progress: Callable[[int], None] = lambda _: None
) -> Verified:
    """Every pair, or these alone. `progress`: told the number of pairs done."""
    told = Verified()
    first = await connection.fetchrow(_FIRST)
    oldest = first["id"] if first else 0
    had_rows = await connection.fetchval(_EVER_ROWS)
    after, rows = 0, await connection.fetch(_PAIR, only) if only is not None else await connection.fetch(_PAIRS, 0, PAIRS_MAX)
    while rows:
        await _batch(connection, rules, rows, told, oldest=oldest, had_rows=had_rows)
        told.pairs += len(rows)
        progress(told.pairs)
        after = rows[-1]["id"]
        rows = [] if only is not None else await connection.fetch(_PAIRS, after, PAIRS_MAX)
    if told.let_go and first:
        told.since_ms = first["at"]
    return told


async def _batch(connection: Any, rules: SyncRules, rows: list[Any], told: Verified, *, oldest: int, had_rows: bool) -> None:
    pairs: dict[int, _Pair] = {}
    heads: dict[int, set[int]] = {}
    for row in rows:
        try:
            state = unpack(row["state"])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            told.disagrees(Disagreement(pair=row["id"], object="", field="", why=f"its state can't be read: {error}"))
            continue
        pair = pairs[row["id"]] = _Pair(state, _to_derive(state, rules, row["id"], told), {})
        if pair.lacking and row["told_in"]:
            heads.setdefault(row["told_in"], set()).add(row["id"])
    await _walk(connection, pairs, heads, oldest, told)
    await _rows_before(connection, pairs)
    for number_, pair in pairs.items():
        _compare(number_, pair, told, had_rows=had_rows)


def _to_derive(state: PairState, rules: SyncRules, pair: int, told: Verified) -> set[str]:
    """The fields that were ever agreed. What Tandem keeps itself is held against the record that it speaks of."""
    mapping = rules.objects[state.object]
    own: Mapping[str, Value] = (
        link_values(rules.links, state.object, state.salesforce.id, deleted=state.salesforce.deleted)
        if mapping.is_person and state.salesforce.id
        else {}
    )
    lacking = set()
    for key in mapping.by_key:
        field_ = state.fields.get(key)
        if field_ is None or (field_.version == 0 and field_.value is None):
            continue
        if key in own:
            told.own += 1
            if field_.value != own[key]:
                why = "it is not what the record in Salesforce is"
                told.disagrees(Disagreement(pair=pair, object=str(state.object), field=key, agreed=field_.value, derived=own[key], why=why))
        elif mapping.by_key[key].fixed:
            told.own += 1
        else:
            lacking.add(key)
    return lacking


async def _walk(connection: Any, pairs: Mapping[int, _Pair], heads: dict[int, set[int]], oldest: int, told: Verified) -> None:
    """The newest block first: of each pair in it what it says, then to the pair's block before."""
    queue = [-block for block in heads]
    heapq.heapify(queue)
    while queue:
        block = -heapq.heappop(queue)
        wanted = heads.pop(block)
        body = await connection.fetchval(READ, block)
        if body is None:
            _missing(pairs, wanted, block, oldest, told)
            continue
        for pair, before in _told_in(block, body, wanted, pairs).items():
            if pairs[pair].lacking and before != NO_BLOCK:
                if before not in heads:
                    heapq.heappush(queue, -before)
                heads.setdefault(before, set()).add(pair)


def _missing(pairs: Mapping[int, _Pair], wanted: set[int], block: int, oldest: int, told: Verified) -> None:
    for number_ in wanted:
        pairs[number_].cut = True
        if oldest and block >= oldest:
            why = f"the block of decisions {block} is gone, though older ones are there"
            told.disagrees(Disagreement(pair=number_, object=str(pairs[number_].state.object), field="", why=why))


def _told_in(block: int, body: bytes, wanted: set[int], pairs: Mapping[int, _Pair]) -> dict[int, int]:
    """By pair: its block before this one. What the decisions of these pairs say is noted, the last of them first."""
    owners, befores, said = parts(body)
    before: dict[int, int] = {}
    for place in range(len(owners) - 1, -1, -1):
        pair = owners[place]
        if pair not in wanted:
            continue
        before[pair] = befores[place] if befores[place] < block else NO_BLOCK
        _note(pairs[pair], number(block, place), said[place])
    return before


def _note(pair: _Pair, number_: int, said: bytes) -> None:
    """The last ruling on a field in a decision is the one that stands."""
    for key, agreement in reversed([*agreements(number_, decisions.decode(said))]):
        if key in pair.lacking:
            pair.lacking.discard(key)
            pair.found[key] = agreement


async def _rows_before(connection: Any, pairs: Mapping[int, _Pair]) -> None:
    """What earlier versions kept in rows."""
    left = [number_ for number_, pair in pairs.items() if pair.lacking and not pair.cut]
    if left:
        for row in await connection.fetch(_ROWS, left):
            _note(pairs[row["pair"]], row["id"], row["body"])


def _compare(number_: int, pair: _Pair, told: Verified, *, had_rows: bool) -> None:
    state, obj = pair.state, str(pair.state.object)
    for key, found in pair.found.items():
        told.fields += 1
        held = state.fields[key]
        if (found.value, found.version) != (held.value, held.version):
            told.disagrees(
                Disagreement(
                    pair=number_, object=obj, field=key, agreed=held.value, version=held.version, derived=found.value,
                    derived_version=found.version, decision=found.decision, why="its last decision says something else",
                )
            )  # fmt: skip
    for key in sorted(pair.lacking):
        if pair.cut or had_rows:
            told.let_go += 1
            continue
        told.fields += 1
        held = state.fields[key]
        why = "no decision tells of it"
        told.disagrees(Disagreement(pair=number_, object=obj, field=key, agreed=held.value, version=held.version, why=why))
