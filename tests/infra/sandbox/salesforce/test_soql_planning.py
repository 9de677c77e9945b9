"""Where queries begin to look: what keeps them fast on hundreds of thousands of records, told without a clock."""

from __future__ import annotations

import pytest

from infra.sandbox.salesforce.records.store import HIGHEST, LOWEST
from infra.sandbox.salesforce.soql.binding import Binding
from infra.sandbox.salesforce.soql.grammar.parser import parse_condition
from infra.sandbox.salesforce.soql.planning import Access, access_of
from infra.sandbox.salesforce.wire import ids
from tests.infra.sandbox.salesforce.rows import TODAY, Rows

ONE, TWO = ids.make("00Q", 1), ids.make("00Q", 2)
T1, T2 = "2026-08-01T00:00:00Z", "2026-08-02T00:00:00Z"
S1, S2 = "2026-08-01T00:00:00.000+0000", "2026-08-02T00:00:00.000+0000"


@pytest.mark.parametrize(
    ("condition", "access"),
    [
        (f"Id = '{ONE}'", Access(ids=frozenset({ONE}))),
        (f"Id IN ('{ONE}', '{TWO[:15]}') AND Title = 'x'", Access(ids=frozenset({ONE, TWO}))),
        (f"Id IN ('{ONE}', '{TWO}') AND Id = '{TWO}'", Access(ids=frozenset({TWO}))),
        (f"Id = '{ONE}' OR Id = '{TWO}'", Access(ids=frozenset({ONE, TWO}))),
        (f"Id = '{ONE}' OR Title = 'x'", Access()),
        ("Email = 'a@b.example'", Access(index=("Email", ("a@b.example",)))),
        ("Email = 'a@b.example' OR Email IN ('c@d.example')", Access(index=("Email", ("a@b.example", "c@d.example")))),
        ("Email = null", Access()),
        ("NOT Email = 'a@b.example'", Access()),
        ("Title = 'x'", Access()),
        (f"SystemModstamp >= {T1} AND SystemModstamp < {T2}", Access(low=(S1, ""), high=(S2, "~"))),
        (f"SystemModstamp > {T1}", Access(low=(S1, "~"), high=HIGHEST)),
        (f"SystemModstamp > {T1} OR (SystemModstamp = {T1} AND Id > '{ONE}')", Access(low=(S1, ONE), high=HIGHEST)),
        (
            f"(SystemModstamp > {T1} OR (SystemModstamp = {T1} AND Id > '{ONE}')) AND SystemModstamp < {T2}",
            Access(low=(S1, ONE), high=(S2, "~")),
        ),
        (f"LastModifiedDate > {T1}", Access(low=(S1, ""), high=HIGHEST)),
        (f"LastModifiedDate < {T1}", Access(low=LOWEST, high=HIGHEST)),
        ("SystemModstamp >= YESTERDAY", Access(low=("2026-08-11T00:00:00.000+0000", ""), high=HIGHEST)),
    ],
)
def test_where_a_query_begins(condition: str, access: Access) -> None:
    rows = Rows()
    binding = Binding(condition, rows.view, "Lead", rows.store.row, TODAY)
    assert access_of(parse_condition(condition), binding, rows.store.tables["Lead"]) == access
