"""Whom people are expected to meet, from some of Marketo's, judged in a ledger that is thrown away."""

from collections.abc import Mapping, Sequence

from consumers.copy.rehearsal import Sampled, rehearsed
from consumers.merge.pair.state import PairState
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, MARKETO, PERSON, SALESFORCE
from tests.consumers.merge.person_pair import T, terms

TERMS, NOW = terms(), T + 60_000


def _lead(number: int, email: str, **fields: Value) -> ChangeEvent:
    told = {"Email": email, "LastName": f"L{number}", "Company": "Acme", **fields}
    return ChangeEvent(
        system=SALESFORCE, object=LEAD, id=f"00Q{number:012}AAA", kind=Happened.READ, source="copy", at=NOW, until=NOW, fields=told
    )  # fmt: skip


def _person(number: int, email: str, **fields: Value) -> ChangeEvent:
    told: dict[str, Value] = {"email": email, "lastName": f"L{number}", "company": "Acme", **fields}
    return ChangeEvent(
        system=MARKETO, object=PERSON, id=str(number), kind=Happened.READ, source="copy", at=NOW, until=NOW, fields=told
    )  # fmt: skip


class Org:
    """Leads, found by e-mail."""

    def __init__(self, leads: Sequence[ChangeEvent]) -> None:
        self.leads = leads

    async def candidates(self, wanted: Mapping[int, PairState]) -> Mapping[int, Sequence[ChangeEvent]]:
        emails = {pair: state.fields["email"].marketo.seen for pair, state in wanted.items()}
        return {pair: [lead for lead in self.leads if lead.fields["Email"] == email] for pair, email in emails.items()}


async def test_matches_differences_doubles_and_those_who_are_alone() -> None:
    leads = [_lead(1, "a@x.io"), _lead(2, "b@x.io", Title="chief"), _lead(3, "c@x.io"), _lead(4, "c@x.io"), _lead(5, "e@x.io")]
    people = [_person(1, "a@x.io"), _person(2, "b@x.io"), _person(3, "c@x.io"), _person(4, "d@x.io")]
    told = await rehearsed(Sampled(people=people, count=4, salesforce=5), TERMS, Org(leads).candidates, NOW)
    assert (told.email, told.stored, told.ambiguous) == (3, 0, 1), "one of the two leads meets the person, the other is held"
    assert told.alone == 1
    assert told.made_in_salesforce == 1, "all who have an e-mail qualify here"


async def test_some_stand_for_all_and_those_in_step_are_not_written() -> None:
    people = [_person(number, f"{number}@x.io") for number in range(10, 20)]
    leads = [_lead(number, f"{number}@x.io", Title="chief") for number in range(10, 15)]
    org = Org(leads)
    told = await rehearsed(Sampled(people=people, count=1_000, salesforce=700), TERMS, org.candidates, NOW)
    assert (told.email, told.alone, told.to_marketo) == (500, 200, 500)
    told = await rehearsed(
        Sampled(people=people, count=1_000, salesforce=700, in_step={"10", "11"}), TERMS, org.candidates, NOW
    )  # fmt: skip
    assert (told.stored, told.email, told.to_marketo) == (200, 300, 300)


async def test_fields_that_are_written_in_marketo_are_counted_for_its_feed_tells_of_each() -> None:
    org = Org([_lead(1, "a@x.io", Title="chief", Phone="+49 1")])
    plain = Org([_lead(1, "a@x.io")])
    more, less = [await rehearsed(Sampled(people=[_person(1, "a@x.io")], count=100, salesforce=100), TERMS, each.candidates, NOW)
                  for each in (org, plain)]  # fmt: skip
    assert less.marketo_fields >= 100, "the link fields at the least"
    assert more.marketo_fields == less.marketo_fields + 200
