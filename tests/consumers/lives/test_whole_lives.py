"""Whatever people do in either system, in whatever order it arrives, however often, and whatever fails on the way: both sides end alike,
nobody is there twice, nothing that was deleted comes back by itself, nobody is left without a parent, and a second pass writes nothing.

2,000 operations in `make test`, the same each time, so that nobody's change is stopped by what it has nothing to do with; 100,000 others in
`make nightly`.
"""

import asyncio
import os
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from streams.wire.events import Value
from streams.wire.systems import Object
from tests.consumers.lives.life import ACCOUNT, CONTACT, LEAD, OPPORTUNITY, QUEUE, ROLE, USER, Life

NIGHTLY = bool(os.environ.get("TANDEM_NIGHTLY") or os.environ.get("TANDEM_LIVES_OPERATIONS"))
OPERATIONS = int(os.environ.get("TANDEM_LIVES_OPERATIONS") or (100_000 if NIGHTLY else 2_000))
STEPS, STEPS_ON_AVERAGE = 25, 20
NUMBER = st.integers(0, 7)


class Lives(RuleBasedStateMachine):
    """One history; its rules are what people do, and when Tandem gets to work."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.texts = 0

    @initialize(seed=st.integers(0, 2**32), troubled=st.booleans(), muted=st.booleans(), late=st.booleans())
    def begins(self, seed: int, troubled: bool, muted: bool = False, late: bool = False) -> None:
        self.life = Life(seed, troubled=troubled, muted=muted, late=late)
        for obj in (USER, ACCOUNT, LEAD, CONTACT):
            self._add(obj, 0)

    # -- in Salesforce

    @rule(obj=st.sampled_from([LEAD, CONTACT, CONTACT, ACCOUNT, OPPORTUNITY, ROLE, USER]), number=NUMBER)
    def somebody_is_added(self, obj: Object, number: int) -> None:
        self._add(obj, number)

    @rule(
        obj=st.sampled_from([LEAD, CONTACT, ACCOUNT, OPPORTUNITY, USER]),
        number=NUMBER,
        name=st.sampled_from(["LastName", "Title", "Phone"]),
    )
    def somebody_is_edited(self, obj: Object, number: int, name: str) -> None:
        record = self._some(number, obj)
        if record is None:
            return
        if obj in (ACCOUNT, OPPORTUNITY):
            self.life.org.edit(record, Name=self._text())
        elif obj == USER:
            self.life.org.edit(record, LastName=self._text())
        else:
            self.life.org.edit(record, **{name: self._text() if name == "LastName" or number % 3 else None})

    @rule(number=NUMBER, other=NUMBER)
    def a_part_changes(self, number: int, other: int) -> None:
        record = self._some(number, ROLE)
        if record is not None:
            self.life.org.edit(record, Role=self._text() if other % 3 else None)

    @rule(obj=st.sampled_from([CONTACT, OPPORTUNITY]), number=NUMBER, other=NUMBER)
    def somebody_moves(self, obj: Object, number: int, other: int) -> None:
        record = self._some(number, obj)
        if record is not None:
            self.life.org.edit(record, AccountId=self._some(other, ACCOUNT) if other % 3 or obj == OPPORTUNITY else None)

    @rule(obj=st.sampled_from([LEAD, CONTACT, ACCOUNT, OPPORTUNITY]), number=NUMBER, other=NUMBER)
    def somebody_has_another_owner(self, obj: Object, number: int, other: int) -> None:
        record = self._some(number, obj)
        if record is not None:
            self.life.org.edit(record, OwnerId=QUEUE if obj == LEAD and other % 3 == 0 else self._some(other, USER))

    @rule(obj=st.sampled_from([LEAD, CONTACT, ACCOUNT, OPPORTUNITY, ROLE]), number=NUMBER)
    def somebody_is_deleted(self, obj: Object, number: int) -> None:
        record = self._some(number, obj)
        if record is not None:
            self.life.org.remove(record)

    @rule(number=NUMBER)
    def somebody_is_restored(self, number: int) -> None:
        gone = list(self.life.org.bin)
        if gone:
            self.life.org.bring_back(gone[number % len(gone)])

    @rule(obj=st.sampled_from([LEAD, CONTACT, ACCOUNT]), number=NUMBER, other=NUMBER, many=st.integers(1, 2))
    def some_are_merged(self, obj: Object, number: int, other: int, many: int) -> None:
        there = self.life.org.live(obj)
        if len(there) > many:
            winner = there[number % len(there)]
            rest = [each for each in there if each != winner]
            self.life.org.unite(winner, (rest[other % len(rest) :] + rest)[:many])

    @rule(number=NUMBER, other=NUMBER, how=st.sampled_from(["new", "account", "contact"]), deal=st.booleans())
    def a_lead_is_converted(self, number: int, other: int, how: str, deal: bool) -> None:
        lead = self._some(number, LEAD)
        if lead is not None:
            account = self._some(other, ACCOUNT) if how == "account" else None
            self.life.org.convert(lead, account, self._some(other, CONTACT) if how == "contact" else None, deal=deal)

    @rule(number=NUMBER, other=NUMBER, swap=st.booleans())
    def an_address_changes_hands(self, number: int, other: int, swap: bool) -> None:
        one, two = self._some(number, LEAD, CONTACT), self._some(other, LEAD, CONTACT)
        if one is None or two is None or one == two:
            return
        org = self.life.org
        mine, theirs = org.row(one).get("Email"), org.row(two).get("Email")
        org.edit(one, Email=theirs)
        if swap:
            org.edit(two, Email=mine)

    # -- in Marketo

    @rule()
    def somebody_comes_in_marketo(self) -> None:
        text = self._text()
        with self.life.marketo.by_hand():
            self.life.marketo.make(lastName=text, email=f"{text}@example.com", title=text)

    @rule(number=NUMBER, name=st.sampled_from(["lastName", "title", "phone"]))
    def a_person_is_edited(self, number: int, name: str) -> None:
        person = self._person(number)
        if person is not None:
            with self.life.marketo.by_hand():
                self.life.marketo.edit(person, **{name: self._text() if name == "lastName" or number % 3 else None})

    @rule(number=NUMBER)
    def a_person_is_deleted(self, number: int) -> None:
        person = self._person(number)
        if person is not None:
            with self.life.marketo.by_hand():
                self.life.gone_by_hand[person] = self.life.clock.now
                self.life.marketo.bury(person)

    @rule(number=NUMBER, other=NUMBER, many=st.integers(1, 3))
    def people_are_merged(self, number: int, other: int, many: int) -> None:
        there = list(self.life.marketo.people)
        if len(there) > many:
            winner = there[number % len(there)]
            rest = [each for each in there if each != winner]
            with self.life.marketo.by_hand():
                self.life.marketo.unite(winner, (rest[other % len(rest) :] + rest)[:many])

    # -- in between

    @rule()
    def some_arrive(self) -> None:
        self.runner.run(self.life.some_arrive())

    @rule(rounds=st.integers(1, 3))
    def tandem_works(self, rounds: int) -> None:
        for _ in range(rounds):
            self.runner.run(self.life.works())

    @rule()
    def time_passes(self) -> None:
        self.life.overdue(whole=True)
        self.life.clock.now += 40_000

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.runner.run(self._ends())
        self.runner.close()

    async def _ends(self) -> None:
        life = self.life
        await life.ends()
        self._sound()
        before = len(life.marketo.written), life.org.writes
        await life.again()
        assert (len(life.marketo.written), life.org.writes) == before, life.marketo.written[before[0] :]
        self._sound()

    def _sound(self) -> None:
        faults = self.life.faults()
        assert not faults, faults

    def _add(self, obj: Object, number: int) -> None:
        org, text = self.life.org, self._text()
        owner: Value = self._some(number, USER)
        if obj == USER:
            org.add(USER, LastName=text, Email=f"{text}@example.com")
        elif obj == ACCOUNT:
            org.add(ACCOUNT, Name=text, OwnerId=owner)
        elif obj == OPPORTUNITY:
            org.add(OPPORTUNITY, Name=text, AccountId=self._some(number, ACCOUNT), OwnerId=owner)
        elif obj == ROLE:
            self._take_part(number, text)
        else:
            known: dict[str, Any] = {
                "LastName": text,
                "Email": f"{text}@example.com",
                "Title": text if number % 2 else None,
                "OwnerId": owner,
            }
            more = {"AccountId": self._some(number, ACCOUNT)} if obj == CONTACT else {"Company": "Acme"}
            org.add(obj, **known, **more)

    def _take_part(self, number: int, text: str) -> None:
        org = self.life.org
        deal, contact = self._some(number, OPPORTUNITY), self._some(number, CONTACT)
        taken = {(org.row(each)["OpportunityId"], org.row(each)["ContactId"]) for each in org.live(ROLE)}
        if deal and contact and (deal, contact) not in taken:
            org.add(ROLE, OpportunityId=deal, ContactId=contact, Role=text if number % 3 else None)

    def _some(self, number: int, *objects: Object) -> str | None:
        there = self.life.org.live(*objects)
        return there[number % len(there)] if there else None

    def _person(self, number: int) -> str | None:
        there = list(self.life.marketo.people)
        return there[number % len(there)] if there else None

    def _text(self) -> str:
        self.texts += 1
        return f"t{self.texts}"


TestWholeLives = Lives.TestCase
TestWholeLives.settings = hypothesis.settings(
    max_examples=OPERATIONS // STEPS_ON_AVERAGE,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    print_blob=True,
    derandomize=not NIGHTLY,
)
