"""What the drift audit has found, and how far it has come, as values: for `tandem drift`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from consumers.audit.allowance import days_to_proof
from consumers.audit.compare import Cause, Class
from streams.wire.events import Value
from streams.wire.systems import Object

_OPEN = """
select * from differences where closed_ms is null and ($1::text is null or object = $1) and class = any($2::text[])
order by class = 'true_drift' desc, class, object, record, field limit $3
"""
_COUNTS = """
select object, class, count(*) as count from differences where closed_ms is null and ($1::text is null or object = $1) group by 1, 2
order by 1, 2
"""
_ROUNDS = "select * from audits where $1::text is null or object = $1 order by object, part"
REMEDIES: Mapping[Class, str] = {
    Class.IN_FLIGHT: "nothing: it is read again by itself",
    Class.HELD: "tandem list held says what it waits for",
    Class.REFUSED: "tandem list refused has the system's words; change the value, or the system's rule",
    Class.RULE_BLOCKED: "nothing: the configuration wants it so (tandem explain says which rule)",
    Class.UNMAPPED: "copy such records, or switch their kind on",
    Class.HIDDEN: "give Tandem's user the right to see it (tandem visibility)",
    Class.TRUE_DRIFT: "tandem drift repair says what mending it would write; --apply does it",
}
_BY_CAUSE: Mapping[Cause, str] = {
    Cause.DAMAGED: "restore the ledger, or tandem record and let its next change tell it anew",
    Cause.UNKNOWN: "change the record, or copy it: the ledger learns of it then",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """One field of one record that differs (`field` empty: the record as a whole). `suspected`: of one in flight, what it may turn out."""

    pair: int
    object: str
    record: str
    field: str
    klass: Class
    suspected: Class
    cause: Cause
    why: str
    salesforce: Value
    marketo: Value
    agreed: Value
    found_ms: int
    read_ms: int
    readings: int
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far the comparison of a kind of record has come. Calls: of a whole round; of one that isn't over, so far."""

    object: str
    rounds: int
    proven_ms: int
    records: int
    not_on_both_sides: int
    salesforce_calls: int
    marketo_calls: int
    under_way: bool
    days: float
    """To a full proof, by the budget; of a kind without a whole round yet, as far as it has come."""
    why: str = ""
    """Why it could not be compared the last time, in the system's words; empty: it could."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """All of it."""

    differences: tuple[Differing, ...]
    counts: Mapping[str, Mapping[str, int]]
    """By object and class."""
    proofs: tuple[Proof, ...]
    allowed_calls: Mapping[str, float]
    """A day's, by system."""
    days: float
    """To a full proof of everything."""

    @property
    def kept_back(self) -> tuple[Proof, ...]:
        """Kinds that can't be compared: nothing is known of their drift."""
        return tuple(each for each in self.proofs if each.why)

    @property
    def true_drift(self) -> int:
        """How much of it nothing explains."""
        return sum(counts.get(Class.TRUE_DRIFT, 0) for counts in self.counts.values())


async def drift(
    connection: Any, *, only: Object | None, classes: Sequence[Class], most: int, salesforce_a_day: float, marketo_a_day: float
) -> Drift:
    """From the ledger; no system is asked. `..._a_day`: the calls that the audit may make."""
    rows = await connection.fetch(_OPEN, only, [str(each) for each in classes], most)
    counts: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(_COUNTS, only):
        counts.setdefault(row["object"], {})[row["class"]] = row["count"]
    proofs = _proofs(await connection.fetch(_ROUNDS, only), salesforce_a_day, marketo_a_day)
    return Drift(
        differences=tuple(_differing(row) for row in rows),
        counts=counts,
        proofs=proofs,
        allowed_calls={"salesforce": salesforce_a_day, "marketo": marketo_a_day},
        days=max(
            days_to_proof(calls=sum(each.salesforce_calls for each in proofs), allowed_a_day=salesforce_a_day),
            days_to_proof(calls=sum(each.marketo_calls for each in proofs), allowed_a_day=marketo_a_day),
        ),
    )


def _differing(row: Any) -> Differing:
    klass, cause = Class(row["class"]), Cause(row["cause"])
    remedy = _BY_CAUSE.get(cause, REMEDIES[klass]) if klass is Class.TRUE_DRIFT else REMEDIES[klass]
    return Differing(
        pair=row["pair"],
        object=row["object"],
        record=row["record"],
        field=row["field"],
        klass=klass,
        suspected=Class(row["suspected"]),
        cause=cause,
        why=row["why"],
        salesforce=orjson.loads(row["salesforce"]),
        marketo=orjson.loads(row["marketo"]),
        agreed=orjson.loads(row["agreed"]),
        found_ms=row["found_ms"],
        read_ms=row["read_ms"],
        readings=row["readings"],
        remedy=remedy,
    )


def _proofs(rows: Sequence[Any], salesforce_a_day: float, marketo_a_day: float) -> tuple[Proof, ...]:
    by_object: dict[str, list[Any]] = {}
    for row in rows:
        by_object.setdefault(row["object"], []).append(row)
    return tuple(_proof(obj, parts, salesforce_a_day, marketo_a_day) for obj, parts in by_object.items())


def _proof(obj: str, parts: Sequence[Any], salesforce_a_day: float, marketo_a_day: float) -> Proof:
    told = {name: sum(row[f"proven_{name}"] if row["rounds"] else row[name] for row in parts) for name in _COUNTED}
    salesforce, marketo = told["salesforce_calls"], told["marketo_calls"]
    return Proof(
        object=obj,
        rounds=min(row["rounds"] for row in parts),
        proven_ms=min(row["proven_ms"] for row in parts),
        records=told["records"],
        not_on_both_sides=told["blocked"],
        salesforce_calls=salesforce,
        marketo_calls=marketo,
        under_way=any(row["after"] for row in parts),
        days=max(
            days_to_proof(calls=salesforce, allowed_a_day=salesforce_a_day), days_to_proof(calls=marketo, allowed_a_day=marketo_a_day)
        ),
        why=next((row["why"] for row in parts if row["why"]), ""),
    )


_COUNTED = ("records", "blocked", "salesforce_calls", "marketo_calls")
