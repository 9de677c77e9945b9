"""Whether both systems hold the same people with the same values. Pure; works on records as read, from wherever."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.demo.history import Key, Values
from infra.demo.sameness import Normal, normal
from infra.demo.table import DELETED_FLAG, FIELDS, LINKS, MARKETO, OBJECTS, PERSON, QUALIFIER, SALESFORCE, Field, Kind

Records = Mapping[Key, Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A Salesforce record and the Marketo person that names it."""

    object: str
    salesforce: str
    marketo: str

    def key(self, system: str) -> Key:
        return (self.object, self.salesforce) if system == SALESFORCE else (PERSON, self.marketo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is not as it should be. `field` is Marketo's name, or "" where it is about a whole person."""

    what: str
    object: str = ""
    salesforce_id: str = ""
    marketo_id: str = ""
    field: str = ""
    salesforce: Any = None
    marketo: Any = None


@dataclass(slots=True, kw_only=True)
class Compared:
    """The outcome: who belongs together, and everything that differs."""

    pairs: list[Pair] = field(default_factory=list)
    fields_compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    duplicates: list[Difference] = field(default_factory=list)


def compare(salesforce: Records, marketo: Records, *, deleted: Mapping[str, str] | None = None) -> Compared:
    """Compares all live records. `deleted`: Salesforce id -> object of the records that people deleted there; their Marketo person has to
    stay, flagged.
    """
    found = Compared()
    partners = _paired(salesforce, marketo, found)
    for pair in found.pairs:
        _compare_fields(pair, salesforce[pair.key(SALESFORCE)], marketo[pair.key(MARKETO)], found)
    for object_name, record_id in salesforce.keys() - partners.keys():
        found.differences.append(Difference(what="not in Marketo", object=object_name, salesforce_id=record_id))
    found.differences += _unpaired_people(found, marketo)
    found.differences += _unflagged(marketo, deleted or {})
    found.duplicates += [*_duplicates(SALESFORCE, salesforce, "Email"), *_duplicates(MARKETO, marketo, "email")]
    return found


def linked(person: Values) -> Iterator[Key]:
    """The Salesforce records that a Marketo person names."""
    for object_name in OBJECTS:
        record_id = person.get(LINKS[object_name])
        if record_id:
            yield object_name, str(record_id)


def _paired(salesforce: Records, marketo: Records, found: Compared) -> dict[Key, str]:
    partners: dict[Key, str] = {}
    for (_, person_id), person in marketo.items():
        for key in linked(person):
            if key not in salesforce:
                continue
            if key in partners:
                found.duplicates.append(Difference(what=f"named by {partners[key]} too", salesforce_id=key[1], marketo_id=person_id))
                continue
            partners[key] = person_id
            found.pairs.append(Pair(object=key[0], salesforce=key[1], marketo=person_id))
    return partners


def _compare_fields(pair: Pair, here: Values, there: Values, found: Compared) -> None:
    for each in FIELDS[pair.object]:
        found.fields_compared += 1
        one, other = here.get(each.salesforce), there.get(each.marketo)
        if not same(each, one, other):
            where = {"object": pair.object, "salesforce_id": pair.salesforce, "marketo_id": pair.marketo}
            found.differences.append(Difference(what="values differ", **where, field=each.marketo, salesforce=one, marketo=other))


def same(each: Field, salesforce: object, marketo: object) -> bool:
    """Whether both sides mean the same. The placeholder stands only for a blank in Marketo, never the other way round."""
    if each.kind is Kind.DEMANDED and normal(Kind.TEXT, salesforce) is None:
        return False
    return normal(each.kind, salesforce) == normal(each.kind, marketo)


def _unpaired_people(found: Compared, marketo: Records) -> Iterator[Difference]:
    paired = {pair.marketo for pair in found.pairs}
    for (_, person_id), person in marketo.items():
        flagged = normal(Kind.BOOLEAN, person.get(DELETED_FLAG))
        qualified = normal(Kind.BOOLEAN, person.get(QUALIFIER))
        if person_id in paired:
            if flagged:
                yield Difference(what="flagged as deleted, but alive in Salesforce", marketo_id=person_id)
        elif any(linked(person)) and not flagged:
            yield Difference(what="names a Salesforce record that is gone, and has no flag", marketo_id=person_id)
        elif qualified and not flagged:
            yield Difference(what="not in Salesforce", marketo_id=person_id)


def _unflagged(marketo: Records, deleted: Mapping[str, str]) -> Iterator[Difference]:
    people = {record_id: person_id for (_, person_id), person in marketo.items() for _, record_id in linked(person)}
    for record_id, object_name in deleted.items():
        if record_id not in people:
            yield Difference(what="deleted in Salesforce, and not to be found in Marketo", object=object_name, salesforce_id=record_id)


def _duplicates(system: str, records: Records, email_field: str) -> Iterator[Difference]:
    by_email: dict[Normal, list[str]] = defaultdict(list)
    for (_, record_id), values in records.items():
        email = normal(Kind.EMAIL, values.get(email_field))
        if email is not None:
            by_email[email].append(record_id)
    for email, ids in by_email.items():
        if len(ids) > 1:
            first = {f"{system}_id": ", ".join(ids)}
            yield Difference(what=f"{len(ids)} live records of one e-mail address in {system}", field=str(email), **first)
