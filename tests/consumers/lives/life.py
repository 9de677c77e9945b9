"""Both systems and Tandem's loops between them, for whole lives: everybody does everything, events come in any order of topics, twice and
in any portions, calls get lost, the worker dies. At rest, both sides must be alike."""

import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.kinds.registry import SORTS
from consumers.kinds.role import NO_ROLE
from consumers.ledger.port import Ledger
from consumers.mapping.fields import Qualification
from consumers.merge.edits.values import NOBODY
from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import mergeable
from consumers.settle.driving.reconsider import reconsider
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.marketo.writer import MarketoWriter
from consumers.settle.writers.port import Writer
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import CONTACT, LEAD, MARKETO, SALESFORCE, Object, System
from tests.consumers.families.dying import Dead, Dying
from tests.consumers.families.family import ACCOUNT, OPPORTUNITY, ROLE, USER, Family, terms
from tests.consumers.families.marketo_model import COMPANIES, OPPORTUNITIES, OURS, ROLES, SALES
from tests.consumers.lives.marketo import WholeMarketo
from tests.consumers.lives.org import AsClient, WholeOrg

QUEUE = "00G000000000001AAA"
TEXTS = {"LastName": "lastName", "Title": "title", "Phone": "phone", "Email": "email"}
_TURNS_MAX = 600


class Life(Family):
    """One history. `rng` decides what is left open: in which portions events come, what fails, when the worker dies."""

    def __init__(self, seed: int, *, troubled: bool, muted: bool = False, late: bool = False) -> None:
        """`muted`: Salesforce's stream is off, its poll finds everything. `late`: calls that got lost may arrive all the same, later."""
        self.rng, self.troubled, self.deaths = random.Random(seed), troubled, 3 if troubled else 0
        self.late, self.under_way = late, list[tuple[int, Callable[[], object]]]()
        super().__init__()
        self.org: WholeOrg = WholeOrg(self.clock, self.fails)
        self.org.muted, self.org.late = muted, self.arrives_late
        people = self.terms.rules.people.values()
        names = sorted({item.marketo for mapping in people for item in mapping.fields if item.marketo})
        self.marketo: WholeMarketo = WholeMarketo(
            clock=self.clock, publish=self.feed.append, fails=self.fails, names=names, late=self.arrives_late
        )
        self.wrapped = lambda ledger: Dying(ledger, self.dies)
        self.told: list[ChangeEvent] = []
        self.found: list[ChangeEvent] = []
        """What polls have found, and nobody has been told yet."""
        self.gone_by_hand: dict[str, int] = {}
        """People whom somebody deleted in Marketo, and when."""
        self.started()

    def started(self, *off: str) -> None:
        """A worker that remembers nothing. Everybody qualifies."""
        del off
        if not isinstance(getattr(self, "marketo", None), WholeMarketo):
            super().started()
            return
        self.terms = terms(replace(terms().rules, qualification=Qualification(everyone=True)))
        self.writers: dict[System, Writer] = {
            MARKETO: MarketoWriter(cast("Any", self.marketo), self.terms.rules, OURS),
            SALESFORCE: SalesforceWriter(cast("Any", AsClient(self.org)), self.terms.rules),
        }
        ledger: Ledger = self.wrapped(self.ledger)
        self.settlers = {system: Settler(ledger, each, self.terms, self.clock) for system, each in self.writers.items()}
        self.lookers = {system: Looker(ledger, each, self.terms, self.clock) for system, each in self.writers.items()}

    def fails(self) -> str:
        """Whether a call gets lost."""
        return self.rng.choice(["answer", "request"]) if self.troubled and self.rng.random() < 0.1 else ""

    def arrives_late(self, made: Callable[[], object]) -> None:
        """This call got lost: nobody waits for it any more."""
        if self.late and self.rng.random() < 0.5:
            self.under_way.append((self.clock.now, made))

    def overdue(self, *, whole: bool = False) -> None:
        """Some of the calls that got lost arrive, each before its lease is over. `whole`: all of them."""
        last = self.clock.now - self.terms.patience(MARKETO).call_ms // 2
        arriving = [entry for entry in self.under_way if whole or entry[0] <= last or self.rng.random() < 0.3]
        self.under_way = [entry for entry in self.under_way if entry not in arriving]
        for _, made in arriving:
            made()

    def dies(self) -> bool:
        """Whether the worker dies here."""
        if self.deaths and self.rng.random() < 0.03:
            self.deaths -= 1
            return True
        return False

    async def some_arrive(self) -> None:
        """Of some topics, some of what was told: each in its order."""
        self.overdue()
        await self._living(self._deliver(whole=False))

    async def works(self) -> None:
        """One round of whatever is due."""
        self.overdue()
        await self._living(self.turn())

    async def ends(self) -> None:
        """All is told, and time passes until nothing is left to do."""
        self.troubled, self.deaths = False, 0
        self.overdue(whole=True)
        for _ in range(_TURNS_MAX):
            await self._deliver(whole=True)
            try:
                busy = await self.turn()
            except Retry:
                self.clock.now += 1_000
                continue
            if busy or self.org.events or self.feed:
                continue
            states = [state for state in self.memory.pairs.values() if not self._must_stay(state)]
            ahead = [moment for state in states for moment in state.due if moment > self.clock.now]
            if not ahead:
                return
            self.clock.now = min(ahead)
        due = [(state.object, state.salesforce.id, state.marketo.id, state.due) for state in self.memory.pairs.values() if any(state.due)]
        raise AssertionError(f"no rest: {due}")

    async def again(self) -> None:
        """All that was ever told is told once more, in any order."""
        for event in self.rng.sample(self.told, len(self.told)):
            await self.observe(event)
        await self.ends()

    async def _deliver(self, *, whole: bool) -> None:
        topics: dict[tuple[System, Object], list[ChangeEvent]] = {}
        if self.org.muted:
            self.found += self.org.polled() if whole or self.rng.random() < 0.5 else []
        for event in (*(self.found if self.org.muted else self.org.events), *self.feed):
            topics.setdefault((event.system, event.object), []).append(event)
        order = list(topics)
        self.rng.shuffle(order)
        for topic in order:
            some = topics[topic] if whole else topics[topic][: self.rng.randrange(len(topics[topic]) + 1)]
            if not some:
                continue
            again = [self.rng.choice(self.told)] if self.told and self.rng.random() < 0.2 else []
            await self.observe(*some, *(event for event in again if (event.system, event.object) == topic))
            self.told += some
            done = {id(event) for event in some}
            self.found[:] = [event for event in self.found if id(event) not in done]
            if not self.org.muted:
                self.org.events[:] = [event for event in self.org.events if id(event) not in done]
            self.feed[:] = [event for event in self.feed if id(event) not in done]

    async def _living(self, doing: Coroutine[Any, Any, object]) -> None:
        """A worker that dies is followed by another one."""
        try:
            await doing
        except Dead:
            self.started()
            with suppress(Dead):
                await reconsider(self.ledger, self.terms, self.clock)
        except Retry:
            self.clock.now += 1_000

    # -- at rest

    def faults(self) -> list[str]:
        """Where the two sides are not alike, whoever is there twice, came back by himself, or has no parent."""
        return [*self._records(), *self._people(), *self._nobody_twice(), *self._roles(), *self.marketo.orphans()]

    def _records(self) -> Iterator[str]:
        there = self.marketo.records
        for obj, path, names in (
            (USER, SALES, {"LastName": "lastName"}),
            (ACCOUNT, COMPANIES, {"Name": "company", "OwnerId": "externalSalesPersonId"}),
            (OPPORTUNITY, OPPORTUNITIES, {"Name": "name", "AccountId": "externalCompanyId", "OwnerId": "externalSalesPersonId"}),
        ):
            wanted = {each: {theirs: self.org.row(each).get(ours) for ours, theirs in names.items()} for each in self.org.live(obj)}
            shown = {
                key: {theirs: None if row.get(theirs) == NOBODY else row.get(theirs) for theirs in names.values()}
                for key, row in there[path].items()
                if key != NOBODY
                and not (obj == ACCOUNT and any(self._must_stay(state) for state in self._pairs_of(key) if key in self._to_go(state)))
            }
            if wanted != shown:
                yield f"{obj}: {_unlike(wanted, shown)}"

    def _people(self) -> Iterator[str]:
        mine = self._by_link()
        for record in self.org.live(LEAD, CONTACT):
            row, people = self.org.row(record), mine.get(record, [])
            if len(people) != 1:
                if not (self._is_excused(record) and not people):
                    yield f"{record} {row.get('LastName')}: people {people}, {self._told_of(record)}"
                continue
            person = self.marketo.people[people[0]]
            wanted: dict[str, Value] = {theirs: row.get(ours) for ours, theirs in TEXTS.items()}
            owner = str(row.get("OwnerId") or "")
            wanted["externalSalesPersonId"] = owner if owner.startswith("005") else None
            wanted["sfIsDeleted"] = False
            if self.org.records[record][0] == CONTACT:
                wanted["externalCompanyId"] = row.get("AccountId")
            shown = {name: person.get(name) for name in wanted}
            shown["sfIsDeleted"] = bool(shown["sfIsDeleted"])
            if shown.get("externalCompanyId") == NOBODY:
                shown["externalCompanyId"] = None
            company = shown.get("externalCompanyId")
            if company and not wanted["externalCompanyId"] and self._is_left(people[0], str(company)):
                wanted["externalCompanyId"] = company  # a merge in Marketo gave it that: a field that flows one way leaves it alone
            if shown != wanted and not self._is_held(record):
                yield f"{record}: {wanted}, {people[0]}: {shown}"

    def _nobody_twice(self) -> Iterator[str]:
        live = set(self.org.live(LEAD, CONTACT))
        for link, people in self._by_link().items():
            if link and link not in live and not all(self.marketo.people[each].get("sfIsDeleted") for each in people):
                yield f"{people} of {link}, which is gone, and no flag says so"
            if not link and not all(self._is_held(each) for each in people):
                yield f"{people} have not reached Salesforce"
            if link and len(people) > 1:
                yield f"{link} is there as {people}"

    def _roles(self) -> Iterator[str]:
        """Those of a contact that Salesforce can't merge into the lead that is the same person are that person's, if it is there."""
        person = {link: people[0] for link, people in self._by_link().items() if link}
        for state in (each for each in self.memory.pairs.values() if each.marketo.id in self.marketo.people):
            person |= {loser: state.marketo.id for system, loser in state.merges if system is SALESFORCE and loser not in person}
        wanted = {
            (str(row["OpportunityId"]), person[str(row["ContactId"])], str(row.get("Role") or NO_ROLE))
            for row in (self.org.row(each) for each in self.org.live(ROLE))
            if row["ContactId"] in person
        }
        shown = {(str(row["externalOpportunityId"]), str(row["leadId"]), str(row["role"])) for row in self.marketo.records[ROLES].values()}
        if wanted != shown:
            yield f"roles: missing {sorted(wanted - shown)}, too many {sorted(shown - wanted)}"

    def _by_link(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each, row in self.marketo.people.items():
            found.setdefault(str(row.get("sfContactId") or row.get("sfLeadId") or ""), []).append(each)
        return found

    def _pairs_of(self, record: str) -> list[PairState]:
        return [
            state
            for state in self.memory.pairs.values()
            if record in (state.salesforce.id, state.marketo.id) or (MARKETO, record) in state.merges
        ]

    def _must_stay(self, state: PairState) -> bool:
        """Whether an account is gone, or part of another one, whose company stays, since somebody belongs to it who waits for a
        person's word, or whom a merge in Marketo gave it to, which a field that flows one way leaves alone. That is said."""
        if state.object != ACCOUNT or "1022" not in state.marketo.refused:
            return False
        return any(
            self._is_held(each) or self._is_left(each, gone)
            for gone in self._to_go(state)
            for each, row in self.marketo.people.items()
            if row.get("externalCompanyId") == gone
        )

    def _to_go(self, state: PairState) -> list[str]:
        """The companies that are to go of this account's."""
        merged = [record for system, record in state.merges if system is MARKETO]
        return [*merged, state.salesforce.id] if state.salesforce.deleted else merged

    def _is_left(self, person: str, company: str) -> bool:
        """Also of somebody who is a lead since, and belongs to no account."""
        pairs = self._pairs_of(person)
        fields = [state.fields.get("externalCompanyId") for state in pairs if "externalCompanyId" in self.terms.mapping(state).by_key]
        return len(fields) < len(pairs) or any(field is None or field.value != company for field in fields)

    def _is_held(self, record: str) -> bool:
        """Whether it waits for a person's word, since several share an e-mail."""
        return any(state.hold.startswith(AMBIGUOUS) for state in self._pairs_of(record))

    def _is_excused(self, record: str) -> bool:
        """Whether it rightly has no person: somebody deleted that by hand, or it is to be merged and can't be, or it is held."""
        restored = 0 if self.org.muted else self.org.restored.get(record, 0)  # a poll doesn't tell that somebody was gone in between
        by_hand = any(state.marketo.deleted and self.gone_by_hand.get(state.marketo.id, -1) >= restored for state in self._pairs_of(record))
        owing = [
            (state.salesforce.id, loser) for state in self.memory.pairs.values() for system, loser in state.merges if system is SALESFORCE
        ]
        unmergeable = any(loser == record and not mergeable(SALESFORCE, winner, loser) for winner, loser in owing)
        return by_hand or unmergeable or self._is_held(record)

    def _told_of(self, record: str) -> object:
        pairs = self._pairs_of(record)
        return [
            (s.salesforce.id, s.salesforce.deleted, s.marketo.id, s.marketo.deleted, s.hold, s.merges, s.retract, s.marketo.refused)
            for s in pairs
        ]


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> object:
    return {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


__all__ = ["ACCOUNT", "CONTACT", "LEAD", "OPPORTUNITY", "QUEUE", "ROLE", "SORTS", "USER", "Life"]
