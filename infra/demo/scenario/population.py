"""The people of the demo, from a seed: names of many scripts, blanks, long texts; some in both systems, some in one. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

from infra.demo.checker.table import CONTACT, FIELDS, LEAD, QUALIFIER, VALUES, Field, Kind

SALUTATIONS = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx.")
SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
STATUSES = ("Open - Not Contacted", "Working - Contacted")
RATINGS = ("Hot", "Warm", "Cold")
INDUSTRIES = ("Agriculture", "Banking", "Education", "Energy", "Healthcare", "Not For Profit", "Technology", "Transportation")
TOPICS = ("Wine", "Sailing", "Opera", "Chess", "Gardening", "Football")
TITLES = ("Geschäftsführerin", "Chef·fe de projet", "部長", "Директор", "VP, Sales & Marketing", "Ingeniero de señales", "مدير")
LONG_TEXT = (
    "Called twice; prefers e-mail. ☎ “Ask for the naïve façade plan”, she said — 折り返し電話希望.\n"
    "Дата встречи ещё не согласована. ¡Ojo! 50 % discount was never promised. 🙂\n"
)
NOTES_BYTES_MAX = 29_000
"""Marketo takes 30,000 bytes of text."""
DEMANDED = {"lastName", "company", "leadStatus"}
_BLANK, _DIFFERENT = 0.25, 0.12

Facts = dict[str, Any]
"""Values of a person by Marketo's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A person as one or both systems are told of them; None: not there."""

    object: str
    salesforce: Facts | None
    marketo: Facts | None


class Populace:
    """Makes people and values; no e-mail address, and no value of a free text, ever comes twice."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._serial = 0

    def newcomers(self, people: int) -> list[Newcomer]:
        """`people` in each system or a few more: half of them in both."""
        return [*self._both(people // 2), *self._only_salesforce(people - people // 2), *self._only_marketo(people - people // 2)]

    def facts(self, object_name: str, *, sparse: bool = True) -> Facts:
        """A person, an account, a user; `sparse` leaves about a quarter of the fields blank."""
        land, serial = self.random.choice(_lands()), self._next()
        first, last = self.random.choice(land["first"]), self.random.choice(land["last"])
        city, state, postcode = self.random.choice(land["cities"])
        told: Facts = {
            "firstName": first[0], "lastName": last[0], "email": f"{first[1]}.{last[1]}.{serial}@example.com",
            "address": land["street"].format(n=self.random.randint(1, 300)), "city": city, "state": state, "postalCode": postcode,
            "country": land["country"], "phone": self._phone(land["dial"]), "company": f"{self.random.choice(land['companies'])} {serial}",
        }  # fmt: skip
        for each in VALUES[object_name]:
            told.setdefault(each.marketo, self.value(each))
        if serial % 23 == 0:
            told["mktoPersonNotes"] = self._long_text()
        kept = {each.marketo for each in VALUES[object_name]}
        blank = {name for name in kept - DEMANDED - {"email"} if sparse and self.random.random() < _BLANK}
        return {name: value for name, value in told.items() if name in kept - blank}

    def value(self, each: Field) -> Any:
        """A value for a field; of text, one that has not been used before."""
        serial, choose = self._next(), self.random.choice
        picked = {
            "salutation": SALUTATIONS, "leadSource": SOURCES, "leadStatus": STATUSES, "rating": RATINGS, "industry": INDUSTRIES,
        }.get(each.marketo)  # fmt: skip
        if picked:
            return choose(picked)
        match each.kind:
            case Kind.BOOLEAN:
                return choose((True, False))
            case Kind.NUMBER:
                return serial
            case Kind.DATE:
                return f"{1940 + serial % 65}-{1 + serial % 12:02}-{1 + serial % 28:02}"
            case Kind.DATETIME:
                return f"2026-{1 + serial % 12:02}-{1 + serial % 28:02}T{serial % 24:02}:{serial % 60:02}:{serial // 7 % 60:02}Z"
            case Kind.CHOICES:
                return ";".join(sorted(self.random.sample(TOPICS, self.random.randint(1, 3))))
            case Kind.REWRITTEN_PHONE:
                return f"415 555 {serial % 10_000:04}" if serial % 2 else f"+1-650-{serial // 10_000 % 900 + 100}-{serial % 10_000:04}"
            case Kind.EMAIL:
                return f"moved.{serial}@example.org"
            case _:
                return self._text(each.marketo, serial)

    def text(self) -> str:
        """A short text that has not been used before."""
        return self._text("", self._next())

    def same_person(self, facts: Facts, object_name: str) -> Facts:
        """The same person as the other system knows them: some fields blank, some different, the e-mail address in another case."""
        other = dict(facts)
        for each in VALUES[object_name]:
            chance = self.random.random()
            if each.marketo == "email" or each.marketo not in other:
                continue
            if chance < _DIFFERENT:
                other[each.marketo] = self.value(each)
            elif chance < 2 * _DIFFERENT and each.marketo not in DEMANDED:
                del other[each.marketo]
        if "email" in other and self.random.random() < 0.3:
            other["email"] = other["email"].upper()
        return other

    def _both(self, count: int) -> Iterator[Newcomer]:
        for _ in range(count):
            object_name = self._object()
            facts = self.facts(object_name)
            yield Newcomer(object=object_name, salesforce=facts, marketo={**self.same_person(facts, object_name), QUALIFIER: True})

    def _only_salesforce(self, count: int) -> Iterator[Newcomer]:
        for _ in range(count):
            object_name = self._object()
            facts = self.facts(object_name)
            if self.random.random() < 0.04:
                del facts["email"]
            yield Newcomer(object=object_name, salesforce=facts, marketo=None)

    def _only_marketo(self, count: int) -> Iterator[Newcomer]:
        """All qualify but one in ten. Some have no last name or company, which Salesforce demands."""
        for place in range(count):
            facts = self.facts(LEAD)
            for name in ("lastName", "company"):
                if self.random.random() < 0.05:
                    del facts[name]
            if self.random.random() < 0.1:
                facts["firstName"] = f"  {facts.get('firstName', 'Ada')} "
            yield Newcomer(object=LEAD, salesforce=None, marketo={**facts, QUALIFIER: place % 10 != 9})

    def _object(self) -> str:
        return self.random.choice((LEAD, CONTACT))

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _text(self, name: str, serial: int) -> str:
        if name in ("phone", "fax", "mobilePhone", "mainPhone"):
            return self._phone(self.random.choice(_lands())["dial"])
        if name == "mktoPersonNotes":
            return f"{serial}: {LONG_TEXT}" if serial % 5 else self._long_text()
        if name == "title":
            return f"{self.random.choice(TITLES)} {serial}"
        if name == "website":
            return f"https://www.example.org/{serial}?q=caf%C3%A9"
        if name.lower().endswith("postalcode"):
            return f"{serial:05}"
        land = self.random.choice(_lands())
        words = {"firstName": "first", "lastName": "last"}.get(name)
        return f"{self.random.choice(land[words])[0]} {serial}" if words else f"{self.random.choice(land['cities'])[0]} {serial}"

    def _phone(self, dial: str) -> str:
        serial = self._next()
        return f"{dial} {serial // 1000 % 1000:03} {serial % 1000:03}"

    def _long_text(self) -> str:
        text = f"{self._next()}: {LONG_TEXT * self.random.randint(10, 190)}"
        return text.encode()[:NOTES_BYTES_MAX].decode(errors="ignore").strip()


def salesforce_record(object_name: str, facts: Mapping[str, Any]) -> Facts:
    """Values by Salesforce's names."""
    return {each.salesforce: facts[each.marketo] for each in FIELDS[object_name] if each.marketo in facts}


def marketo_record(object_name: str, facts: Mapping[str, Any]) -> Facts:
    """What Marketo is told: the mapped fields of that kind of person, and whether they qualify; not to whom they belong."""
    names = {QUALIFIER, *(each.marketo for each in VALUES[object_name])}
    return {name: value for name, value in facts.items() if name in names}


@cache
def _lands() -> Sequence[Mapping[str, Any]]:
    told: Sequence[Mapping[str, Any]] = json.loads(files("infra.demo.scenario").joinpath("names.json").read_text("utf-8"))
    return told
