"""Whether both systems hold the same records with the same values, each kind by its entry in the table. Pure; works on records as read."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.demo.checker.history import Key, Values
from infra.demo.checker.sameness import Normal, normal
from infra.demo.checker.table import (
    CAMPAIGN,
    COMPANY,
    COMPANY_KEY,
    CONTACT,
    DELETED_FLAG,
    ENTRIES,
    FIELDS,
    IN_MARKETO,
    LEAD,
    LINKS,
    MARKETO,
    MEMBER,
    NO_COMPANY,
    PEOPLE,
    PERSON,
    PROGRAM,
    QUALIFIER,
    REFERENCES,
    SALESFORCE,
    TABLE,
    Entry,
    Field,
    Kind,
)

Records = Mapping[Key, Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A Salesforce record and the Marketo record that names it. `object`: Salesforce's."""

    object: str
    salesforce: str
    marketo: str

    def key(self, system: str) -> Key:
        return (self.object, self.salesforce) if system == SALESFORCE else (ENTRIES[self.object].marketo, self.marketo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is not as it should be. `object`: the kind, by Salesforce's name; `field`: Marketo's name, or "" for a whole record."""

    what: str
    object: str
    salesforce_id: str = ""
    marketo_id: str = ""
    field: str = ""
    salesforce: Any = None
    marketo: Any = None


@dataclass(slots=True, kw_only=True)
class Compared:
    """The outcome: what belongs together, and everything that differs. `fields_compared`: by Salesforce object."""

    pairs: list[Pair] = field(default_factory=list)
    activities: list[Pair] = field(default_factory=list)
    """Tasks and meetings, each with the activity that tells of it."""
    fields_compared: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    duplicates: list[Difference] = field(default_factory=list)


def compare(salesforce: Records, marketo: Records, *, deleted: Mapping[str, str] | None = None) -> Compared:
    """Compares all live records. `deleted`: Salesforce id -> object of the records that people deleted there; their Marketo person has to
    stay, flagged.
    """
    found, salesforce, marketo = Compared(), _by_name(salesforce), with_parents(marketo)
    partners = _paired(salesforce, marketo, found)
    for pair in found.pairs:
        _compare_fields(pair, salesforce[pair.key(SALESFORCE)], marketo[pair.key(MARKETO)], found)
    for object_name, record_id in salesforce.keys() - partners.keys():
        found.differences.append(Difference(what="not in Marketo", object=object_name, salesforce_id=record_id))
    paired = {pair.key(MARKETO) for pair in found.pairs}
    used = _used(marketo)
    for key, record in marketo.items():
        told = _person(key in paired, record) if key[0] == PERSON else _record(key in paired, key, record, used)
        found.differences += [Difference(what=what, object=object_of(key, record), marketo_id=key[1]) for what in told]
    found.differences += _orphans(marketo)
    found.differences += _unflagged(marketo, deleted or {})
    found.duplicates += [*_duplicates(SALESFORCE, salesforce, "Email"), *_duplicates(MARKETO, marketo, "email")]
    return found


def linked(key: Key, record: Values) -> Iterator[Key]:
    """The Salesforce records that a Marketo record names as itself."""
    for entry in TABLE:
        if entry.marketo != key[0]:
            continue
        record_id = _keyed(entry, MARKETO, record) if entry.named_by else record.get(entry.link)
        if record_id and record_id != NO_COMPANY:
            yield entry.salesforce, str(record_id)


def _keyed(entry: Entry, system: str, record: Values) -> str:
    """All that names a record without a link, in a word."""
    return " ".join(str(normal(each.kind, record.get(each.on(system)))) for each in entry.named_by)


def with_parents(marketo: Records) -> Records:
    """References by a number of Marketo's own as references by the Salesforce id that the record of that number names."""
    fields = {name: [each for entry in TABLE if entry.marketo == name for each in entry.mapped if each.kind in _NUMBERED]
              for name in IN_MARKETO}  # fmt: skip
    return {
        key: {**record, **{each.marketo: _parent(marketo, each, record.get(each.marketo)) for each in fields.get(key[0], ())}}
        for key, record in marketo.items()
    }


_NUMBERED: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTACT: (PERSON, LINKS[CONTACT]),
    Kind.COMPANY: (COMPANY, COMPANY_KEY),
    Kind.EITHER: (PERSON, LINKS[CONTACT], LINKS[LEAD]),
    Kind.CAMPAIGN: (PROGRAM, "name"),
}
"""What is named by its number, and the fields of it one of which has the Salesforce id (of a program: the campaign's name)."""


def _parent(marketo: Records, each: Field, number: object) -> object:
    if number is None:
        return None
    object_name, *links = _NUMBERED[each.kind]
    record = marketo.get((object_name, str(number)), {})
    return next((named for link in links if (named := record.get(link))), f"{object_name} {number}")


def _by_name(salesforce: Records) -> Records:
    """Members with their campaign by its name, and with the one person that they are of, which history tells as the one or the other."""
    return {key: _member(record, salesforce) if key[0] == MEMBER else record for key, record in salesforce.items()}


def _member(record: Values, salesforce: Records) -> Values:
    campaign = salesforce.get((CAMPAIGN, str(record.get("CampaignId"))), {}).get("Name")
    person = record.get("LeadOrContactId") or record.get("ContactId") or record.get("LeadId")
    return {**record, "CampaignId": campaign, "LeadOrContactId": person}


def object_of(key: Key, record: Values) -> str:
    """Of which kind a Marketo record is, by Salesforce's name; a person who names nobody would be a lead."""
    named = next(linked(key, record), None)
    return named[0] if named else LEAD if key[0] == PERSON else next(each.salesforce for each in TABLE if each.marketo == key[0])


def same(each: Field, salesforce: object, marketo: object) -> bool:
    """Whether both sides mean the same. The placeholder stands only for a blank in Marketo, never the other way round."""
    if each.kind is Kind.DEMANDED and normal(Kind.TEXT, salesforce) is None:
        return False
    return normal(each.kind, salesforce) == normal(each.kind, marketo)


def _paired(salesforce: Records, marketo: Records, found: Compared) -> dict[Key, str]:
    partners: dict[Key, str] = {}
    keyed = {(key[0], _keyed(ENTRIES[key[0]], SALESFORCE, record)): key for key, record in salesforce.items() if ENTRIES[key[0]].named_by}
    for (object_name, marketo_id), record in marketo.items():
        for named in linked((object_name, marketo_id), record):
            key = keyed.get(named, named)
            if key not in salesforce:
                continue
            if key in partners:
                what = f"named by {partners[key]} too"
                found.duplicates.append(Difference(what=what, object=key[0], salesforce_id=key[1], marketo_id=marketo_id))
                continue
            partners[key] = marketo_id
            found.pairs.append(Pair(object=key[0], salesforce=key[1], marketo=marketo_id))
    return partners


def _compare_fields(pair: Pair, here: Values, there: Values, found: Compared) -> None:
    found.fields_compared[pair.object] += len(ENTRIES[pair.object].mapped)
    for each in FIELDS[pair.object]:
        one, other = here.get(each.salesforce), there.get(each.marketo)
        if not same(each, one, other):
            where = {"object": pair.object, "salesforce_id": pair.salesforce, "marketo_id": pair.marketo}
            found.differences.append(Difference(what="values differ", **where, field=each.marketo, salesforce=one, marketo=other))


def _person(paired: bool, person: Values) -> Iterator[str]:
    flagged = normal(Kind.BOOLEAN, person.get(DELETED_FLAG))
    qualified = normal(Kind.BOOLEAN, person.get(QUALIFIER))
    if paired:
        if flagged:
            yield "flagged as deleted, but alive in Salesforce"
    elif any(person.get(link) for link in LINKS.values()) and not flagged:
        yield "names a Salesforce record that is gone, and has no flag"
    elif qualified and not flagged:
        yield "not in Salesforce"


def _record(paired: bool, key: Key, record: Values, used: frozenset[Key]) -> Iterator[str]:
    """What no person is has no flag: it goes when its Salesforce record goes, and nobody in Marketo belongs to it any more."""
    if not paired and any(linked(key, record)) and not any((key[0], record_id) in used for _, record_id in linked(key, record)):
        yield "names a Salesforce record that is gone"


def _used(marketo: Records) -> frozenset[Key]:
    """What is named as a parent in Marketo: its object there, and the key by which it is named. Marketo deletes nothing of this."""
    references = {(entry.marketo, each) for entry in TABLE for each in entry.mapped if each.kind in REFERENCES}
    return frozenset(
        (REFERENCES[each.kind][0], str(record[each.marketo]))
        for key, record in marketo.items()
        for name, each in references
        if name == key[0] and record.get(each.marketo)
    )


def _orphans(marketo: Records) -> Iterator[Difference]:
    """References to what isn't there."""
    there = {kind: {values.get(name) for key, values in marketo.items() if key[0] == parent} for kind, (parent, name) in REFERENCES.items()}
    fields = {
        name: {each for entry in TABLE if entry.marketo == name for each in entry.mapped if each.kind in REFERENCES} for name in IN_MARKETO
    }
    for key, record in marketo.items():
        for each in fields[key[0]]:
            named = record.get(each.marketo)
            if named and named not in there[each.kind]:
                what = f"names a {REFERENCES[each.kind][0]} that does not exist"
                yield Difference(what=what, object=object_of(key, record), marketo_id=key[1], field=each.marketo, marketo=named)


def _unflagged(marketo: Records, deleted: Mapping[str, str]) -> Iterator[Difference]:
    people = {named[1] for key, record in marketo.items() if key[0] == PERSON for named in linked(key, record)}
    for record_id, object_name in deleted.items():
        if ENTRIES[object_name].flagged and record_id not in people:
            yield Difference(what="deleted in Salesforce, and not to be found in Marketo", object=object_name, salesforce_id=record_id)


def _duplicates(system: str, records: Records, email_field: str) -> Iterator[Difference]:
    by_email: dict[Normal, list[Key]] = defaultdict(list)
    for key, values in records.items():
        email = normal(Kind.EMAIL, values.get(email_field))
        if email is not None and key[0] in (PEOPLE if system == SALESFORCE else (PERSON,)):
            by_email[email].append(key)
    for email, keys in by_email.items():
        if len(keys) > 1:
            what = f"{len(keys)} live records of one e-mail address in {system}"
            kind = keys[0][0] if system == SALESFORCE else object_of(keys[0], records[keys[0]])
            named = {f"{system}_id": ", ".join(key[1] for key in keys)}
            yield Difference(what=what, object=kind, field=str(email), **named)
