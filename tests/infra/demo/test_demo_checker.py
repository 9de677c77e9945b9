"""The demo's check fails on each kind of wrong that it is there to find: planted differences, lost edits, duplicates."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from infra.demo.checker.comparison import compare
from infra.demo.checker.history import Key, Line, Mirror
from infra.demo.checker.judgement import FieldStory, Judged, judge, stories
from infra.demo.checker.naming import named_by, unnamed
from infra.demo.checker.report import DEGRADED, degraded
from infra.demo.checker.sameness import normal
from infra.demo.checker.table import (  # fmt: skip
    ACCOUNT,
    CAMPAIGN,
    COMPANY,
    COMPANY_KEY,
    CONTACT,
    CUSTOM_KEY,
    DEAL,
    DEAL_KEY,
    LEAD,
    MARKETO,
    MEMBER,
    NO_COMPANY,
    NO_PART,
    OPPORTUNITY,
    PART,
    PERSON,
    PLAN,
    PLANNED,
    PROGRAM,
    PROGRAM_MEMBER,
    ROLE,
    SALES_PERSON,
    SALES_PERSON_KEY,
    SALESFORCE,
    SUBSCRIBED,
    SUBSCRIPTION,
    USER,
    Kind,
)

ANN, EVA, TANDEM = "ann@sandbox.example", "eva@example.com", "tandem@sandbox.example"
USERS = {SALESFORCE: TANDEM, MARKETO: TANDEM}
LEAD_ID, CONTACT_ID = "00Q000000000001AAA", "003000000000001AAA"
REST = 1_000
"""When everything agreed, in the histories below."""


class Histories:
    """Both systems' histories, made up line by line; each change a second after the one before."""

    def __init__(self, object_name: str = LEAD, *, entered_twice: bool = False) -> None:
        self.object, self.mirror = object_name, Mirror()
        self.salesforce_id = LEAD_ID if object_name == LEAD else CONTACT_ID
        self._n = 0
        link = "sfLeadId" if object_name == LEAD else "sfContactId"
        person = {"id": 7, "lastName": "Ōno", "email": "o@example.com", link: self.salesforce_id, "title": "before"}
        self.change(ANN, SALESFORCE, {"Id": self.salesforce_id, "LastName": "Ōno", "Email": "o@example.com", "Title": "before"}, new=True)
        self.change(EVA if entered_twice else TANDEM, MARKETO, person, new=True, at=900)

    def change(self, who: str, system: str, values: dict[str, Any], *, new: bool = False, at: int | None = None) -> None:
        self._n += 1
        key: Key = (self.object, self.salesforce_id) if system == SALESFORCE else (PERSON, "7")
        here = self.mirror.live[system].get(key, {})
        line = Line(
            n=self._n, at_ms=self._n * 100 if at is None else at, system=system, actor=who, op="create" if new else "update",
            object=key[0], id=key[1], before=None if new else {name: here.get(name) for name in values}, after=values,
        )  # fmt: skip
        self.mirror.take([line])

    def title(self, who: str, system: str, value: str | None, *, at: int) -> None:
        self.change(who, system, {"Title" if system == SALESFORCE else "title": value}, at=at)

    def judged(self, rests: Sequence[int] = (REST,)) -> Judged:
        return judge(self.stories(rests))

    def stories(self, rests: Sequence[int] = (REST,)) -> list[FieldStory]:
        salesforce, marketo = self.mirror.live[SALESFORCE], self.mirror.live[MARKETO]
        compared = compare(salesforce, marketo)
        assert compared.pairs, "the pair is found by its link"
        return list(stories(self.mirror, compared.pairs, salesforce, marketo, tandem=USERS, rests=rests))


@pytest.mark.parametrize("object_name", [LEAD, CONTACT])
@pytest.mark.parametrize("system", [SALESFORCE, MARKETO])
def test_a_conflict_may_not_lift_an_opt_out(object_name: str, system: str) -> None:
    def ended(*, opted_out: bool) -> Judged:
        told, other = Histories(object_name), MARKETO if system == SALESFORCE else SALESFORCE
        names = {SALESFORCE: "HasOptedOutOfEmail", MARKETO: "unsubscribed"}
        told.change(ANN, other, {names[other]: True}, at=400)
        told.change(TANDEM, system, {names[system]: True}, at=500)
        told.change(TANDEM, other, {names[other]: False}, at=2_000)
        told.change(ANN, system, {names[system]: False}, at=2_000)
        told.change(ANN, other, {names[other]: True}, at=3_000)
        told.change(TANDEM, system if opted_out else other, {names[system if opted_out else other]: opted_out}, at=4_000)
        return told.judged()

    assert not ended(opted_out=True).lost
    assert [each.system for each in ended(opted_out=False).lost] == [MARKETO if system == SALESFORCE else SALESFORCE]


Step = tuple[str, str, str | None]


def played(object_name: str, steps: Iterable[Step], rests: Sequence[int] = (REST,)) -> Judged:
    """The steps (who, where, title) a second apart, after both sides had come to rest."""
    told = Histories(object_name)
    for place, (who, system, value) in enumerate(steps):
        told.title(who, system, value, at=2_000 + 1_000 * place)
    return told.judged(rests)


S, M = SALESFORCE, MARKETO
ALL_IS_WELL: dict[str, tuple[str, list[Step]]] = {
    "an edit that was carried over": (LEAD, [(ANN, S, "a"), (TANDEM, M, "a")]),
    "a later edit of the same side stands": (LEAD, [(ANN, S, "a"), (ANN, S, "b"), (TANDEM, M, "b")]),
    "the other side's answer to it stands": (LEAD, [(ANN, S, "a"), (TANDEM, M, "a"), (EVA, M, "b"), (TANDEM, S, "b")]),
    "a contact's answer from Marketo stands": (CONTACT, [(ANN, S, "a"), (TANDEM, M, "a"), (EVA, M, "b"), (TANDEM, S, "b")]),
    "a lead's conflict goes to Marketo": (LEAD, [(ANN, S, "a"), (EVA, M, "b"), (TANDEM, S, "b")]),
    "whichever came first": (LEAD, [(EVA, M, "b"), (ANN, S, "a"), (TANDEM, S, "b")]),
    "a contact's conflict goes to Salesforce": (CONTACT, [(EVA, M, "b"), (ANN, S, "a"), (TANDEM, M, "a")]),
    "overwritten unawares, then restored": (LEAD, [(ANN, S, "a"), (EVA, M, "b"), (TANDEM, M, "a"), (TANDEM, S, "b"), (TANDEM, M, "b")]),
    "an emptied field": (CONTACT, [(EVA, M, None), (TANDEM, S, None)]),
    "the same value on both sides": (LEAD, [(ANN, S, "a"), (EVA, M, "a")]),
}
LOST: dict[str, tuple[str, list[Step], set[str]]] = {
    "a lead's conflict decided for Salesforce": (LEAD, [(ANN, S, "a"), (EVA, M, "b"), (TANDEM, M, "a")], {M}),
    "a contact's conflict decided for Marketo": (CONTACT, [(ANN, S, "a"), (EVA, M, "b"), (TANDEM, S, "b")], {S}),
    "an answer overwritten with what it answered": (
        LEAD, [(EVA, M, "b"), (TANDEM, S, "b"), (ANN, S, "a"), (TANDEM, S, "b")], {S}
    ),
    "an edit put back to what was before": (LEAD, [(EVA, M, "b"), (TANDEM, M, "before")], {M}),
    "an older edit of the same side stands": (LEAD, [(EVA, M, "b"), (EVA, M, "c"), (TANDEM, S, "b"), (TANDEM, M, "b")], {M}),
    "never carried over": (LEAD, [(ANN, S, "a")], {S}),
    "an emptied field filled again": (CONTACT, [(ANN, S, None), (TANDEM, S, "before")], {S}),
    "both thrown away": (LEAD, [(ANN, S, "a"), (EVA, M, "b"), (TANDEM, S, "before"), (TANDEM, M, "before")], {M}),
    "an old value brought back after all had agreed on a newer": (
        CONTACT, [(ANN, S, "a"), (TANDEM, M, "a"), (EVA, M, "b"), (TANDEM, S, "b"), (TANDEM, S, "a"), (TANDEM, M, "a")], {M}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALL_IS_WELL)
def test_what_gave_way_by_the_rules_is_not_lost(name: str) -> None:
    assert played(*ALL_IS_WELL[name]).lost == []


@pytest.mark.parametrize("name", LOST)
def test_a_lost_edit_is_found(name: str) -> None:
    object_name, steps, sides = LOST[name]
    judged = played(object_name, steps)
    assert {lost.system for lost in judged.lost} == sides
    assert {lost.field for lost in judged.lost} == {"title"}


def test_a_value_that_was_there_by_chance_may_or_may_not_have_been_seen() -> None:
    """A contact entered on both sides with one title, which is then changed in Marketo; Salesforce's comes back."""
    told = Histories(CONTACT, entered_twice=True)
    told.title(EVA, M, "b", at=2_000)
    told.title(TANDEM, M, "before", at=3_000)
    assert [lost.system for lost in told.judged(rests=[REST]).lost] == [M], "she could see Salesforce's title, so hers stands"
    assert told.judged(rests=[]).lost == [], "perhaps she could not: then Salesforce wins"


def test_clashes_are_counted_with_the_side_whose_value_stood() -> None:
    judged = played(LEAD, ALL_IS_WELL["a lead's conflict goes to Marketo"][1])
    assert [(clash.winner, clash.stood, clash.last, clash.met) for clash in judged.clashes] == [(M, M, True, False)]
    assert judged.edits == 2
    assert played(LEAD, ALL_IS_WELL["the other side's answer to it stands"][1]).clashes == []


def records(object_name: str = LEAD, **changes: Any) -> tuple[dict[Key, dict[str, Any]], dict[Key, dict[str, Any]]]:
    """One pair in step; `changes` go to its Marketo person."""
    record_id = LEAD_ID if object_name == LEAD else CONTACT_ID
    address = "Street" if object_name == LEAD else "MailingStreet"
    here = {
        "Id": record_id, "FirstName": "Zoë", "LastName": "Ōno", "Email": "Zoe@Example.com", "HasOptedOutOfEmail": False,
        address: "Königstraße 1",
    }  # fmt: skip
    link = "sfLeadId" if object_name == LEAD else "sfContactId"
    there = {
        "id": 7, "firstName": "Zoë ", "lastName": "Ōno", "email": "zoe@example.com", "unsubscribed": None, "address": "Königstraße 1",
        link: record_id,
    }  # fmt: skip
    if object_name == LEAD:
        here |= {"MobilePhone": "(415) 555-0123", "NumberOfEmployees": 12, "Company": "[not provided]"}
        here |= {"Last_Visit__c": "2026-03-01T12:00:00.000+0000"}
        there |= {"mobilePhone": "415 555 0123", "numberOfEmployees": 12.0, "company": None, "lastVisit": "2026-03-01T12:00:00Z"}
    else:
        here |= {"Birthdate": "1990-02-03", "Interests__c": "Chess;Wine"}
        there |= {"dateOfBirth": "1990-02-03", "interests": "Wine; Chess"}
    there |= changes
    return {(object_name, record_id): here}, {(PERSON, "7"): there}


@pytest.mark.parametrize("object_name", [LEAD, CONTACT])
def test_equal_in_other_words_is_equal(object_name: str) -> None:
    compared = compare(*records(object_name))
    assert (compared.differences, compared.duplicates, len(compared.pairs)) == ([], [], 1)
    assert compared.fields_compared[object_name] >= 18


@pytest.mark.parametrize(
    ("object_name", "changes"),
    [
        (LEAD, {"firstName": "Zoe"}), (LEAD, {"firstName": "zoë"}), (LEAD, {"email": "zoe@example.org"}), (LEAD, {"unsubscribed": True}),
        (LEAD, {"numberOfEmployees": 13}), (LEAD, {"numberOfEmployees": None}), (LEAD, {"mobilePhone": "415 555 0124"}),
        (LEAD, {"company": "Umbrella"}), (LEAD, {"lastVisit": "2026-03-01T13:00:00Z"}), (LEAD, {"address": None}),
        (LEAD, {"lastName": None}), (CONTACT, {"dateOfBirth": "1990-02-04"}), (CONTACT, {"interests": "Wine"}), (CONTACT, {"title": "x"}),
    ],
)  # fmt: skip
def test_a_planted_difference_is_found(object_name: str, changes: dict[str, Any]) -> None:
    compared = compare(*records(object_name, **changes))
    assert [each.field for each in compared.differences] == list(changes)


def test_every_mapped_field_is_looked_at() -> None:
    """A value on one side alone is a difference in each field, whatever its kind."""
    from infra.demo.checker.table import ENTRIES, VALUES  # noqa: PLC0415 - the table is what this test is about

    for object_name, fields in VALUES.items():
        for each in fields:
            here, there = (
                records(object_name) if object_name in (LEAD, CONTACT) else family(*(() if object_name in WHOLE else (object_name,)))
            )
            place = (ENTRIES[object_name].marketo, "7")
            there[place][each.marketo] = (
                object_name not in (ROLE, SUBSCRIPTION) if each.kind is Kind.BOOLEAN else "9999-09-09" if each.kind is Kind.DATE else "9999"
            )
            assert [found.field for found in compare(here, there).differences] == [each.marketo], each


WHOLE = (ROLE, PLAN, SUBSCRIPTION, CAMPAIGN, MEMBER)
CAMPAIGN_ID, MEMBER_ID = "701000000000001AAA", "00v000000000001AAA"
PLAN_ID, SUBSCRIPTION_ID = "a01000000000001AAA", "a02000000000001AAA"
DEAL_ID, ROLE_ID = "006000000000001AAA", "00K000000000001AAA"
ACCOUNT_ID, USER_ID, QUEUE_ID = "001000000000001AAA", "005000000000001AAA", "00G000000000001AAA"
Both = tuple[dict[Key, dict[str, Any]], dict[Key, dict[str, Any]]]


def family(*objects: str) -> Both:
    """A contact of an account that a user owns, as does the contact; only those objects, where some are named."""
    here: dict[Key, dict[str, Any]] = {
        (USER, USER_ID): {"Id": USER_ID, "LastName": "Curie"},
        (ACCOUNT, ACCOUNT_ID): {"Id": ACCOUNT_ID, "Name": "Acme", "NumberOfEmployees": 3, "OwnerId": USER_ID},
        (CONTACT, CONTACT_ID): {"Id": CONTACT_ID, "LastName": "Ōno", "AccountId": ACCOUNT_ID, "OwnerId": USER_ID},
        (OPPORTUNITY, DEAL_ID): {"Id": DEAL_ID, "Name": "Deal", "AccountId": ACCOUNT_ID, "OwnerId": USER_ID},
        (ROLE, ROLE_ID): {"Id": ROLE_ID, "OpportunityId": DEAL_ID, "ContactId": CONTACT_ID, "Role": None, "IsPrimary": True},
        (PLAN, PLAN_ID): {"Id": PLAN_ID, "Name": "Large"},
        (SUBSCRIPTION, SUBSCRIPTION_ID): {
            "Id": SUBSCRIPTION_ID, "Name": "First", "Contact__c": CONTACT_ID, "Account__c": ACCOUNT_ID, "Plan__c": PLAN_ID, "Seats__c": 2,
            "Features__c": "Mail;Web", "Active__c": True,
        },
        (CAMPAIGN, CAMPAIGN_ID): {"Id": CAMPAIGN_ID, "Name": "Spring", "Type": "Webinar", "ActualCost": 300.0},
        (MEMBER, MEMBER_ID): {"Id": MEMBER_ID, "CampaignId": CAMPAIGN_ID, "ContactId": CONTACT_ID, "Status": "Sent"},
    }  # fmt: skip
    there: dict[Key, dict[str, Any]] = {
        (SALES_PERSON, "7"): {"id": 7, SALES_PERSON_KEY: USER_ID, "lastName": "Curie"},
        (COMPANY, "7"): {"id": 7, COMPANY_KEY: ACCOUNT_ID, "company": "Acme", "numberOfEmployees": 3.0, SALES_PERSON_KEY: USER_ID},
        (PERSON, "7"): {"id": 7, "sfContactId": CONTACT_ID, "lastName": "Ōno", COMPANY_KEY: ACCOUNT_ID, SALES_PERSON_KEY: USER_ID},
        (DEAL, "7"): {"id": 7, DEAL_KEY: DEAL_ID, "name": "Deal", COMPANY_KEY: ACCOUNT_ID, SALES_PERSON_KEY: USER_ID},
        (PART, "7"): {"id": 7, DEAL_KEY: DEAL_ID, "leadId": 7, "role": NO_PART, "isPrimary": True},
        (PLANNED, "7"): {"id": 7, CUSTOM_KEY: PLAN_ID, "Name": "Large"},
        (SUBSCRIBED, "7"): {
            "id": 7, CUSTOM_KEY: SUBSCRIPTION_ID, "Name": "First", "Contact__c": 7, "Account__c": 7, "Plan__c": PLAN_ID, "Seats__c": 2.0,
            "Features__c": "Web;Mail", "Active__c": True,
        },
        (PROGRAM, "7"): {"id": 7, "name": "Spring", "channel": "Webinar", "costs": [{"cost": 100}, {"cost": 200}]},
        (PROGRAM_MEMBER, "7"): {"id": 7, "programId": 7, "leadId": 7, "statusName": "Sent"},
    }  # fmt: skip
    if not objects:
        return here, there
    left_out: dict[str, Any] = {SALES_PERSON_KEY: None, "OwnerId": None}
    if OPPORTUNITY in objects:
        left_out |= {COMPANY_KEY: None, "AccountId": None}
    names = {USER: SALES_PERSON, ACCOUNT: COMPANY, CONTACT: PERSON, OPPORTUNITY: DEAL}
    kept = {names[each] for each in objects}
    return (
        {key: {**record, **left_out} if key[0] != USER else record for key, record in here.items() if key[0] in objects},
        {key: {**record, **left_out} if key[0] != SALES_PERSON else record for key, record in there.items() if key[0] in kept},
    )


def told_of(both: Both) -> list[tuple[str, str, str]]:
    compared = compare(*both)
    return sorted((each.object, each.what, each.field) for each in [*compared.differences, *compared.duplicates])


def test_a_family_in_step_differs_in_nothing() -> None:
    compared = compare(*family())
    assert told_of(family()) == []
    assert sorted(pair.object for pair in compared.pairs) == sorted(
        [ACCOUNT, CAMPAIGN, CONTACT, MEMBER, OPPORTUNITY, PLAN, ROLE, SUBSCRIPTION, USER]
    )
    assert all(compared.fields_compared[name] >= 8 for name in (ACCOUNT, CONTACT, OPPORTUNITY, USER))
    assert compared.fields_compared[ROLE] == 4


@pytest.mark.parametrize(("place", "name", "value", "told"), [
    ((PROGRAM, "7"), "costs", [{"cost": 1}], [(CAMPAIGN, "values differ", "costs")]),
    ((PROGRAM_MEMBER, "7"), "statusName", "Responded", [(MEMBER, "values differ", "statusName")]),
    ((PROGRAM_MEMBER, "7"), "leadId", 9, [(MEMBER, "names a Salesforce record that is gone", ""), (MEMBER, "not in Marketo", "")]),
    ((COMPANY, "7"), "company", "Umbrella", [(ACCOUNT, "values differ", "company")]),
    ((COMPANY, "7"), SALES_PERSON_KEY, None, [(ACCOUNT, "values differ", SALES_PERSON_KEY)]),
    ((SALES_PERSON, "7"), "lastName", "Skłodowska", [(USER, "values differ", "lastName")]),
    ((PERSON, "7"), COMPANY_KEY, None, [(CONTACT, "values differ", COMPANY_KEY)]),
    ((PERSON, "7"), SALES_PERSON_KEY, None, [(CONTACT, "values differ", SALES_PERSON_KEY)]),
    ((PERSON, "7"), COMPANY_KEY, "001000000000009AAA", [
        (CONTACT, "names a Company that does not exist", COMPANY_KEY), (CONTACT, "values differ", COMPANY_KEY),
    ]),
    ((PERSON, "7"), SALES_PERSON_KEY, QUEUE_ID, [
        (CONTACT, "names a SalesPerson that does not exist", SALES_PERSON_KEY), (CONTACT, "values differ", SALES_PERSON_KEY),
    ]),
    ((DEAL, "7"), "name", "Other", [(OPPORTUNITY, "values differ", "name")]),
    ((SUBSCRIBED, "7"), "Contact__c", 8, [(SUBSCRIPTION, "values differ", "Contact__c")]),
    ((SUBSCRIBED, "7"), "Account__c", None, [(SUBSCRIPTION, "values differ", "Account__c")]),
    ((SUBSCRIBED, "7"), "Plan__c", "a01000000000009AAA", [
        (SUBSCRIPTION, "names a plan_c that does not exist", "Plan__c"), (SUBSCRIPTION, "values differ", "Plan__c"),
    ]),
    ((SUBSCRIBED, "7"), CUSTOM_KEY, "a02000000000009AAA", [
        (SUBSCRIPTION, "names a Salesforce record that is gone", ""), (SUBSCRIPTION, "not in Marketo", ""),
    ]),
    ((PART, "7"), "isPrimary", None, [(ROLE, "values differ", "isPrimary")]),
    ((PART, "7"), "role", "Influencer", [(ROLE, "names a Salesforce record that is gone", ""), (ROLE, "not in Marketo", "")]),
    ((PART, "7"), "leadId", "8", [(ROLE, "names a Salesforce record that is gone", ""), (ROLE, "not in Marketo", "")]),
    ((DEAL, "7"), COMPANY_KEY, "001000000000009AAA", [
        (OPPORTUNITY, "names a Company that does not exist", COMPANY_KEY), (OPPORTUNITY, "values differ", COMPANY_KEY),
    ]),
    ((COMPANY, "7"), SALES_PERSON_KEY, "005000000000009AAA", [
        (ACCOUNT, "names a SalesPerson that does not exist", SALES_PERSON_KEY), (ACCOUNT, "values differ", SALES_PERSON_KEY),
    ]),
])  # fmt: skip
def test_what_is_wrong_with_a_family_is_found(place: Key, name: str, value: str | None, told: list[tuple[str, str, str]]) -> None:
    here, there = family()
    there[place][name] = value
    assert told_of((here, there)) == told


def test_a_parent_that_is_missing_is_found_and_so_are_its_orphans() -> None:
    here, there = family()
    del there[COMPANY, "7"]
    assert told_of((here, there)) == [
        (ACCOUNT, "not in Marketo", ""),
        (CONTACT, "names a Company that does not exist", COMPANY_KEY),
        (OPPORTUNITY, "names a Company that does not exist", COMPANY_KEY),
        (SUBSCRIPTION, "values differ", "Account__c"),
    ]
    here, there = family()
    del there[DEAL, "7"]
    assert told_of((here, there)) == [(OPPORTUNITY, "not in Marketo", ""), (ROLE, "names a Opportunity that does not exist", DEAL_KEY)]


def test_a_company_goes_with_its_account() -> None:
    here, there = family(ACCOUNT)
    assert told_of(({}, there)) == [(ACCOUNT, "names a Salesforce record that is gone", "")]
    assert compare({}, {}, deleted={ACCOUNT_ID: ACCOUNT}).differences == [], "it leaves nobody who could be flagged"
    twice = {**there, (COMPANY, "8"): {**there[COMPANY, "7"], "id": 8}}
    assert [each.what for each in compare(here, twice).duplicates] == ["named by 7 too"]


def test_a_queue_is_nobody_and_the_company_that_stands_for_none_is_none() -> None:
    here, there = family()
    here[CONTACT, CONTACT_ID] |= {"OwnerId": QUEUE_ID, "AccountId": None}
    there[PERSON, "7"] |= {SALES_PERSON_KEY: None, COMPANY_KEY: NO_COMPANY}
    there[COMPANY, "9"] = {"id": 9, COMPANY_KEY: NO_COMPANY, "company": "(none)"}
    assert told_of((here, there)) == []
    del there[COMPANY, "9"]
    assert told_of((here, there)) == [(CONTACT, "names a Company that does not exist", COMPANY_KEY)]


def test_a_placeholder_in_marketo_is_a_difference() -> None:
    """Salesforce's placeholder for a demanded value belongs to Salesforce; over there it may stand only in the same words."""
    here, there = records(LEAD)
    here[LEAD, LEAD_ID]["Company"] = None
    assert [each.field for each in compare(here, there).differences] == ["company"]


def test_people_who_are_missing_are_found() -> None:
    here, there = records(LEAD)
    assert [each.what for each in compare(here, {}).differences] == ["not in Marketo"]
    alone = {(PERSON, "8"): {"id": 8, "email": "a@example.com", "syncToSalesforce": True}}
    assert [each.what for each in compare({}, alone).differences] == ["not in Salesforce"]
    assert compare({}, {(PERSON, "8"): {"id": 8, "email": "a@example.com"}}).differences == [], "one who doesn't qualify stays"
    assert [each.what for each in compare({}, there).differences] == ["names a Salesforce record that is gone, and has no flag"]
    assert here


def test_a_deletion_has_to_be_flagged() -> None:
    _, there = records(LEAD, sfIsDeleted=True)
    gone = {LEAD_ID: LEAD}
    assert compare({}, there, deleted=gone).differences == []
    assert [each.what for each in compare({}, {}, deleted=gone).differences] == ["deleted in Salesforce, and not to be found in Marketo"]
    assert compare({}, records(LEAD)[1], deleted=gone).differences != []
    assert [each.what for each in compare(*records(LEAD, sfIsDeleted=True)).differences] == ["flagged as deleted, but alive in Salesforce"]


def test_someone_who_exists_twice_is_found() -> None:
    here, there = records(LEAD)
    twice = {**here, (CONTACT, CONTACT_ID): {"Id": CONTACT_ID, "LastName": "Ōno", "Email": "ZOE@example.com "}}
    assert [each.field for each in compare(twice, there).duplicates] == ["zoe@example.com"]
    doubled = {**there, (PERSON, "8"): {"id": 8, "email": "Zoe@example.COM"}}
    assert [each.marketo_id for each in compare(here, doubled).duplicates] == ["7, 8"]
    claimed = {**there, (PERSON, "8"): {"id": 8, "email": "other@example.com", "sfLeadId": LEAD_ID}}
    assert [each.what for each in compare(here, claimed).duplicates] == ["named by 7 too"]


def test_the_flow_rewrites_only_what_looks_like_an_american_number() -> None:
    kind = Kind.REWRITTEN_PHONE
    assert normal(kind, "+1-650-555-0001") == normal(kind, "(650) 555-0001")
    assert normal(kind, "+44 20 7946 0000") != normal(kind, "(442) 079-4600")
    assert normal(Kind.TEXT, "+1-650-555-0001") != normal(Kind.TEXT, "(650) 555-0001")


@pytest.mark.parametrize(
    ("status", "failures"),
    [
        ({"state": "in step"}, 0),
        ({"state": "attention", "troubles": [{"where": "refused", "what": "a field is refused"}]}, 0),
        ({"state": DEGRADED, "troubles": [{"where": "observe", "what": "PostgreSQL is away"}]}, 1),
        ({"state": DEGRADED}, 1),
        ({}, 0),
    ],
)
def test_what_still_does_not_flow_at_the_end_is_a_failure(status: dict[str, Any], failures: int) -> None:
    assert len(degraded(status)) == failures


def test_the_check_knows_nothing_of_tandem() -> None:
    """No module of the check imports the code that it checks."""
    import ast  # noqa: PLC0415 - this test alone reads source
    from pathlib import Path  # noqa: PLC0415 - as above

    import infra.demo  # noqa: PLC0415 - as above

    folder = Path(next(iter(infra.demo.__path__)))
    checked = sorted(each for room in ("checker", "scenario") for each in (folder / room).glob("*.py"))
    assert len(checked) > 15
    for file in checked:
        tree = ast.parse(file.read_text())
        imported = {
            module.split(".")[0]
            for node in ast.walk(tree)
            for module in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [each.name for each in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        }
        assert not imported & {"streams", "consumers"}, file.name


# -- named by a decision ---------------------------------------------------------------------------------------------------
def decided(system: str, record: str, verdict: str = "lost", field: str = "title", value: str = "a") -> dict[str, Any]:
    """A line of the decisions topic."""
    return {"kind": "judged", "system": system, "record": record, "fields": [{"field": field, "verdict": verdict, "value": value}]}


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ([decided(S, LEAD_ID)], []),
        ([decided(S, LEAD_ID, "lost"), decided(M, "7")], []),
        ([], ["a"]),
        ([decided(M, "7")], ["a"]),
        ([decided(S, "00Q000000000002AAA")], ["a"]),
        ([decided(S, LEAD_ID, field="city")], ["a"]),
        ([decided(S, LEAD_ID, value="b")], ["a"]),
        ([decided(S, LEAD_ID, "superseded")], ["a"]),
        ([{**decided(S, LEAD_ID), "kind": "written"}], ["a"]),
    ],
)
def test_an_edit_that_tandem_replaced_is_named_by_a_decision(told: list[dict[str, Any]], missing: list[str]) -> None:
    histories = Histories(LEAD)
    for place, (who, system, value) in enumerate([(ANN, S, "a"), (EVA, M, "b"), (TANDEM, S, "b"), (ANN, S, "c"), (TANDEM, M, "c")]):
        histories.title(who, system, value, at=2_000 + 1_000 * place)
    named = named_by([*told, decided(M, "7", value="b")])
    assert [each.value for each in unnamed(histories.stories(), named) if each.field == "title"] == missing
