"""What belongs to what: whom a record names as its parents, and how many records name it."""

from dataclasses import dataclass
from typing import Any

from consumers.ledger.tallies import COUNTED_MAX
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.reports.records.called import counted, name_of
from streams.wire.systems import Object

_PARENTS = """
select r.role, r.parent, r.waiting, p.state from relations as r left join pairs as p on p.salesforce_id = r.parent
where r.child = $1 order by r.role
"""
_CHILDREN = """
select p.salesforce_object as object, count(*) as children
from (select child from relations where parent = $1 limit $2) as r join pairs as p on p.id = r.child and not p.gone
group by 1 order by 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A record that another names. `field`: by which, as the mapping names it; `waiting`: it is not in Marketo yet."""

    field: str
    kind: str
    name: str
    salesforce_id: str
    waiting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """How many records of one sort name this one; counted to 10,000. `told`: the same in words."""

    object: str
    count: int
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """Both directions, as they were last written."""

    parents: tuple[Parent, ...] = ()
    children: tuple[Children, ...] = ()


async def relations_of(connection: Any, pair: int, state: PairState, rules: SyncRules) -> Relations:
    """Of one pair of the ledger; two queries, whatever belongs to it."""
    parents = [_parent(row, state, rules) for row in await connection.fetch(_PARENTS, pair)]
    rows = await connection.fetch(_CHILDREN, state.salesforce.id, COUNTED_MAX) if state.salesforce.id else []
    return Relations(parents=tuple(parents), children=tuple(_children(Object(row["object"]), row["children"]) for row in rows))


def _parent(row: Any, state: PairState, rules: SyncRules) -> Parent:
    mapped = rules.objects[state.object].by_key.get(row["role"])
    name = name_of(unpack(row["state"])) if row["state"] is not None else ""
    kind = mapped.parent if mapped else ""
    return Parent(field=row["role"], kind=kind, name=name, salesforce_id=row["parent"], waiting=row["waiting"])


def _children(obj: Object, count: int) -> Children:
    bound = count >= COUNTED_MAX
    return Children(object=str(obj), count=count, told=f"{counted(obj, count)}{' or more' if bound else ''}")
