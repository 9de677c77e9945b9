"""Campaigns and their members: one only since somebody has linked them, named in Marketo by what they belong to."""

from dataclasses import replace

import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.families.belonging import NOT_KNOWN, NOT_LINKED
from consumers.judging.families.families import Families
from consumers.kinds.member import MEMBER
from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Pair
from consumers.mapping.fields import Direction, FieldMapping, FieldType, ObjectMapping, Rule, RuleName, SyncRules
from consumers.merge.lives.naming import agreed, anew, named_parents
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Identity, Terms, won_by
from consumers.merge.writing.parents import Reference
from consumers.merge.writing.plan import Create, Delete, Nothing, plan
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, MARKETO, PERSON, SALESFORCE, Object, System

CAMPAIGN, PROGRAM, IN = Object("campaign"), Object("program"), Object("member")
SPRING, ADA, HERE = "701000000000001AAA", "00Q000000000001EAA", "00v000000000001AAA"
RULE = Rule(name=RuleName.SALESFORCE, default=System.SALESFORCE)


def line(salesforce: str, marketo: str, **said: object) -> FieldMapping:
    made = FieldMapping(
        key=marketo, salesforce=salesforce, marketo=marketo, type=FieldType.PICKLIST, direction=Direction.BOTH, rule=RULE
    )  # fmt: skip
    return replace(made, **said)  # type: ignore[arg-type]


def reference(salesforce: str, marketo: str, parent: str) -> FieldMapping:
    return line(salesforce, marketo, type=FieldType.REFERENCE, parent=parent, parent_required=True, is_key=True, fixed=True)


MEMBERS = ObjectMapping(
    object=IN, kind="member", marketo=IN, resource=MEMBER.resource, answer_is_witness=True, delete_in_marketo=True,
    delete_in_salesforce=True,
    fields=(reference("CampaignId", "programId", "campaign"), reference("LeadOrContactId", "leadId", "person"),
            line("Status", "statusName")),
)  # fmt: skip
CAMPAIGNS = ObjectMapping(object=CAMPAIGN, kind="campaign", marketo=PROGRAM, resource=MEMBER.resource, fields=(), linked=True)
CAMPAIGNS = replace(CAMPAIGNS, resource=replace(MEMBER.resource, object=PROGRAM, interface=type(MEMBER.resource.interface).PROGRAMS))  # type: ignore[type-var,union-attr]
PEOPLE = ObjectMapping(object=LEAD, fields=(line("Email", "email", type=FieldType.EMAIL),), prefix="00Q")
RULES = SyncRules(objects={LEAD: PEOPLE, CAMPAIGN: CAMPAIGNS, IN: MEMBERS})
TERMS = Terms(rules=RULES, identity=Identity(salesforce_user="005000000000001AAA", marketo_user="tandem@example.com"))


def told(system: System, record: str, kind: Happened = Happened.READ, at: int = 5_000, **fields: str) -> ChangeEvent:
    return ChangeEvent(system=system, object=IN, id=record, kind=kind, source="read", at=at, until=at, fields=dict(fields))


def of_salesforce(record: str = HERE, kind: Happened = Happened.READ, at: int = 5_000, **fields: str) -> ChangeEvent:
    return told(SALESFORCE, record, kind, at, **{"CampaignId": SPRING, "LeadOrContactId": ADA, **fields})


async def ledger(*, linked: bool = True, person: str = ADA) -> MemoryLedger:
    made = MemoryLedger()
    states = [PairState(LEAD, {}, Record(id=person, complete=bool(person)), Record(id="7", complete=True), counterpart=PERSON)]
    if linked:
        states.append(PairState(CAMPAIGN, {}, Record(id=SPRING), Record(id="1001"), counterpart=PROGRAM))
    async with made.transaction() as tx:
        await tx.save([Pair(id=0, state=state, loaded=None) for state in states], 1)
    return made


async def judged(made: MemoryLedger, *events: ChangeEvent) -> list[str]:
    """What was said of each, and the ledger with it."""
    async with made.transaction() as tx:
        judging = Judging(tx, TERMS, 10_000)
        await judging.load(events)
        for event in events:
            judging.judge(event, NOWHERE)
        await judging.save()
    return [ruling.reason for decision in made.decisions for ruling in decision.fields]


def members(made: MemoryLedger) -> list[PairState]:
    return [state for state in made.pairs.values() if state.object == IN]


@pytest.mark.parametrize("event", [of_salesforce(Status="Sent"), told(MARKETO, "1001.7", statusName="Sent")], ids=["salesforce", "marketo"])
async def test_nothing_is_kept_of_members_of_what_is_not_linked(event: ChangeEvent) -> None:
    made = await ledger(linked=False)
    assert await judged(made, event) == [NOT_LINKED]
    assert not members(made)


async def test_a_change_of_a_member_whom_nobody_knows_makes_nobody() -> None:
    made = await ledger()
    assert await judged(made, told(SALESFORCE, HERE, Happened.UPDATED, Status="Sent")) == [NOT_KNOWN]
    assert not members(made)


@pytest.mark.parametrize("first", [SALESFORCE, MARKETO])
async def test_one_member_on_both_sides_is_one_pair_whichever_comes_first(first: System) -> None:
    made = await ledger()
    both = {SALESFORCE: of_salesforce(Status="Responded"), MARKETO: told(MARKETO, "1001.7", statusName="Sent")}
    await judged(made, both[first])
    await judged(made, both[first.other])
    (state,) = members(made)
    assert (state.salesforce.id, state.marketo.id) == (HERE, "1001.7")
    assert state.fields["statusName"].value == "Responded", "where nobody has seen anybody, Salesforce wins"
    planned = plan(state, MARKETO, RULES, exact=False)
    assert [(out.name, out.value) for out in getattr(planned, "fields", ())] == [("statusName", "Responded")]


async def test_a_member_in_salesforce_is_made_in_marketo_under_the_name_of_its_parents() -> None:
    made = await ledger()
    await judged(made, of_salesforce(Status="Sent"))
    (state,) = members(made)
    assert (state.name, TERMS.match_key(state)) == ("1001.7", "member:1001.7")
    assert isinstance(plan(state, MARKETO, RULES, exact=False), Create)


async def test_a_member_whose_person_is_not_in_salesforce_waits_and_has_the_person_qualify() -> None:
    made = await ledger(person="")
    await judged(made, told(MARKETO, "1001.7", statusName="Sent"))
    (state,) = members(made)
    parents = named_parents(MEMBERS, "1001.7", RULES)
    assert parents == {"programId": "program:1001", "leadId": "person:7"}
    async with made.transaction() as tx:
        there = await tx.in_marketo(sorted(parents.values()), list(RULES.objects))
    assert there == {"program:1001": SPRING}
    _, references, why = agreed(state, MEMBERS, parents, there)
    assert why.startswith("waits for person 7 of Marketo")
    number = next(key for key, each in made.pairs.items() if each is state)
    async with made.transaction() as tx:
        await tx.relate({number: references})
    await Families(made, TERMS).release(20_000)
    person = next(each for each in made.pairs.values() if each.counterpart == PERSON)
    assert person.wanted == 20_000


def test_what_names_it_is_agreed_once_its_parents_are_there() -> None:
    status = Field("Sent", 1, 0, Side(), Side(seen="Sent", shows=1))
    state = PairState(IN, {"statusName": status}, Record(), Record(id="1001.7", complete=True), counterpart=IN)
    parents = named_parents(MEMBERS, "1001.7", RULES)
    ready, references, why = agreed(state, MEMBERS, parents, {"program:1001": SPRING, "person:7": ADA})
    assert not why
    assert references == tuple(Reference(role=role, parent=parent, waiting=False) for role, parent in parents.items())
    planned = plan(ready, SALESFORCE, RULES, exact=False)
    assert isinstance(planned, Create)
    assert {out.name: out.value for out in planned.fields} == {"CampaignId": SPRING, "LeadOrContactId": ADA, "Status": "Sent"}


def in_step(salesforce: Record | None = None, marketo: Record | None = None) -> PairState:
    status = Field("Sent", 1, 0, salesforce=Side(seen="Sent", shows=1), marketo=Side(seen="Sent", shows=1))
    one, other = salesforce or Record(id=HERE, complete=True), marketo or Record(id="1001.7", complete=True)
    return PairState(IN, {"statusName": status}, one, other, counterpart=IN)


def test_who_leaves_on_one_side_leaves_on_the_other_and_is_not_made_again() -> None:
    gone = in_step(marketo=Record(id="1001.7", complete=True, deleted=True))
    assert isinstance(plan(gone, SALESFORCE, RULES, exact=False), Delete)
    assert isinstance(plan(gone, MARKETO, RULES, exact=False), Nothing)
    gone = in_step(salesforce=Record(id=HERE, complete=True, deleted=True))
    assert isinstance(plan(gone, MARKETO, RULES, exact=False), Delete)


def test_who_comes_back_is_made_again_on_the_other_side() -> None:
    again = anew(in_step(salesforce=Record(id=HERE, deleted=True)), SALESFORCE, TERMS)
    assert again.salesforce == Record()
    assert {out.key for out in getattr(plan(again, SALESFORCE, RULES, exact=False), "fields", ())} == {"statusName"}


def test_nobody_is_moved_from_one_program_to_another() -> None:
    """A converted lead is a contact in Salesforce, and the same member in Marketo."""
    moved = Field("003000000000001AAA", 2, 0, Side(seen="003000000000001AAA", shows=2), Side(seen=ADA, shows=1))
    state = in_step().with_fields({"leadId": moved})
    assert isinstance(plan(state, MARKETO, RULES, exact=False), Nothing)


def test_its_link_says_who_wins() -> None:
    terms = replace(TERMS, winner_of=lambda program: MARKETO if program == "1001" else None)
    assert terms.mapping(in_step()).by_key["statusName"].rule.name is RuleName.MARKETO
    assert terms.mapping(in_step(marketo=Record(id="1002.7"))) is MEMBERS
    summed = replace(MEMBERS, fields=(line("Status", "statusName", rule=Rule(name=RuleName.NEWEST, default=SALESFORCE)),))
    assert won_by(summed, MARKETO).fields[0].rule == Rule(name=RuleName.NEWEST, default=MARKETO), "another rule stays"
