"""SOQL against an evaluation written with nothing but dictionaries and comparisons: any condition, any order, indexes or not."""

# ruff: noqa: S608 - queries from the tables of this test, for the sandbox of this test

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.infra.sandbox.salesforce.rows import Rows, lead_ids

STAMPS = [f"2026-08-0{day}T00:00:0{second}.000+0000" for day in (1, 2) for second in (0, 1, 2)]
TEXTS = ["a", "A", "ab", "b%", "_", "it's", "back\\slash"]
MAILS = ["x@e.example", "X@e.example", "y@e.example"]
NUMBERS = [-1.0, 0.0, 2.5, 10.0]
IDS = lead_ids(range(1, 9))
VALUES: dict[str, list[Any]] = {
    "Title": TEXTS, "Email": MAILS, "AnnualRevenue": NUMBERS, "DoNotCall": [True, False], "SystemModstamp": STAMPS, "CreatedDate": STAMPS,
    "Id": IDS,
}  # fmt: skip
ORDERED = [name for name in VALUES if name != "DoNotCall"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Leaf:
    field: str
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Node:
    joint: str
    parts: tuple[Any, ...]


def leaves() -> st.SearchStrategy[Leaf]:
    def of_field(name: str) -> st.SearchStrategy[Leaf]:
        value = st.sampled_from(VALUES[name])
        nullable = st.one_of(value, st.none()) if name != "DoNotCall" else value
        equal = st.builds(Leaf, st.just(name), st.sampled_from(["=", "!="]), st.tuples(nullable))
        members = st.builds(Leaf, st.just(name), st.sampled_from(["IN", "NOT IN"]), st.lists(nullable, min_size=1, max_size=3).map(tuple))
        if name == "DoNotCall":
            return equal
        between = st.builds(Leaf, st.just(name), st.sampled_from(["<", "<=", ">", ">="]), st.tuples(value))
        return st.one_of(equal, members, between)

    return st.sampled_from(sorted(VALUES)).flatmap(of_field)


def conditions() -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.builds(Node, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Node, st.just("NOT"), st.tuples(inner)),
        ),
        max_leaves=8,
    )


def people() -> st.SearchStrategy[list[Row]]:
    optional = {name: st.one_of(st.none(), st.sampled_from(VALUES[name])) for name in ("Title", "Email", "AnnualRevenue")}
    row = st.fixed_dictionaries({
        **optional, "DoNotCall": st.booleans(), "SystemModstamp": st.sampled_from(STAMPS),
        "moves_to": st.one_of(st.none(), st.sampled_from(STAMPS)),
    })  # fmt: skip
    return st.lists(row, max_size=len(IDS))


def written(value: Any, field: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return repr(value)
    if field in ("SystemModstamp", "CreatedDate"):
        return f"{value[:19]}Z"
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def text_of(condition: Any) -> str:
    if isinstance(condition, Node):
        if condition.joint == "NOT":
            return f"NOT ({text_of(condition.parts[0])})"
        return f" {condition.joint} ".join(f"({text_of(part)})" for part in condition.parts)
    values = [written(value, condition.field) for value in condition.values]
    listed = f"({', '.join(values)})" if "IN" in condition.operator else values[0]
    return f"{condition.field} {condition.operator} {listed}"


def true_of(condition: Any, row: Row) -> bool:
    if isinstance(condition, Node):
        found = [true_of(part, row) for part in condition.parts]
        return not found[0] if condition.joint == "NOT" else (all(found) if condition.joint == "AND" else any(found))
    here, wanted = plain(row[condition.field]), [plain(value) for value in condition.values]
    match condition.operator:
        case "=" | "IN":
            return here in wanted
        case "!=" | "NOT IN":
            return here not in wanted
        case "<":
            return here is not None and here < wanted[0]
        case "<=":
            return here is not None and here <= wanted[0]
        case ">":
            return here is not None and here > wanted[0]
        case _:
            return here is not None and here >= wanted[0]


def plain(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) and not value.startswith(("00Q", "2026")) else value


def compare(keys: list[tuple[str, bool, bool]], one: Row, other: Row) -> int:
    for field, descending, nulls_last in keys:
        a, b = plain(one[field]), plain(other[field])
        if a == b:
            continue
        if a is None or b is None:
            return (1 if a is None else -1) * (1 if nulls_last else -1)
        return (1 if a > b else -1) * (-1 if descending else 1)
    return 0


def loaded(drawn: list[Row]) -> tuple[Rows, list[Row]]:
    """The rows in a store (some of them moved to another stamp after they were made), and as plain dictionaries."""
    store, rows = Rows(), []
    for number, values in enumerate(drawn):
        row = {**values, "Id": IDS[number], "CreatedDate": min(values["SystemModstamp"], values["moves_to"] or "3")}
        moved = row.pop("moves_to")
        store.add("Lead", **{name: value for name, value in row.items() if value is not None}, LastName="L", Company="C")
        if moved is not None:
            store.change("Lead", IDS[number], {"SystemModstamp": moved})
            row["SystemModstamp"] = moved
        rows.append(row)
    return store, rows


@settings(max_examples=150)
@given(
    people(),
    conditions(),
    st.lists(st.tuples(st.sampled_from(ORDERED), st.booleans(), st.booleans()), max_size=3),
    st.one_of(st.none(), st.integers(0, 5)),
    st.integers(0, 3),
)
def test_same_answer(drawn: list[Row], condition: Any, order: list[tuple[str, bool, bool]], limit: int | None, offset: int) -> None:
    store, rows = loaded(drawn)
    keys = [*order, ("Id", False, False)]
    clause = ", ".join(f"{field} {'DESC' if down else 'ASC'} NULLS {'LAST' if last else 'FIRST'}" for field, down, last in keys)
    soql = f"SELECT Id FROM Lead WHERE {text_of(condition)} ORDER BY {clause}"
    soql += (f" LIMIT {limit}" if limit is not None else "") + (f" OFFSET {offset}" if offset else "")
    found = sorted((row for row in rows if true_of(condition, row)), key=functools.cmp_to_key(functools.partial(compare, keys)))
    expected = [row["Id"] for row in found][offset : None if limit is None else offset + limit]
    assert store.column(soql) == expected
    assert store.count(f"SELECT COUNT() FROM Lead WHERE {text_of(condition)}") == len(found)


@settings(max_examples=60)
@given(people(), st.integers(1, 3))
def test_keyset_pages_meet_every_record_once_in_order(drawn: list[Row], size: int) -> None:
    store, rows = loaded(drawn)
    met: list[tuple[str, str]] = []
    stamp, last = "2026-01-01T00:00:00Z", "000000000000000AAA"
    for _ in range(len(rows) + 1):
        page = store.records(
            f"SELECT Id, SystemModstamp FROM Lead WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{last}')"
            f" ORDER BY SystemModstamp, Id LIMIT {size}"
        )
        if not page:
            break
        met += [(record["SystemModstamp"], record["Id"]) for record in page]
        stamp, last = met[-1][0][:19] + "Z", met[-1][1]
    assert met == sorted((row["SystemModstamp"], row["Id"]) for row in rows)
