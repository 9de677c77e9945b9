"""A whole stack on the sandbox: the members of a linked campaign are those of its program, once through the streams and once through the
polls alone."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, Row, a_stack, plays, tandem, until

pytestmark = pytest.mark.integration

CHANNEL, STATUSES = "As campaigns", ("Sent", "Responded")


class Linked:
    """A campaign and a program, as people see them in both systems."""

    def __init__(self, both: Both, campaign: str, program: str) -> None:
        self.both, self.campaign, self.program = both, campaign, program

    async def add(self, person: str, status: str = "Sent") -> str:
        """A lead or contact becomes a member in Salesforce."""
        name = "ContactId" if person.startswith("003") else "LeadId"
        return await self.both.create("CampaignMember", **{"CampaignId": self.campaign, name: person, "Status": status})

    async def put(self, *people: Row, status: str) -> None:
        """People become members in Marketo, or go on to a status there."""
        await self.both.does("marketo/program/status", program=int(self.program), ids=[row["id"] for row in people], status=status)

    async def take(self, person: Row) -> None:
        """A person leaves the program."""
        await self.both.does("marketo/program/remove", program=int(self.program), ids=[person["id"]])

    async def members(self) -> dict[str, Row]:
        """Of the campaign, by the name of their person."""
        rows = [row for row in (await self.both.rows("salesforce/CampaignMember")).values() if row["CampaignId"] == self.campaign]
        people = {**await self.both.rows("salesforce/Lead"), **await self.both.rows("salesforce/Contact")}
        return {people[each]["LastName"]: row for row in rows if (each := str(row.get("ContactId") or row.get("LeadId"))) in people}

    async def in_program(self) -> dict[str, Row]:
        """Of the program, by the name of their person."""
        people = await self.both.rows("marketo/Lead")
        rows = (await self.both.rows("marketo/ProgramMember")).values()
        return {people[str(row["leadId"])]["lastName"]: row for row in rows if str(row["programId"]) == self.program}

    async def stands(self, said: str, **statuses: str) -> None:
        """Once both have these members, by name, with these statuses, and no others."""
        seen: list[Any] = []

        async def so() -> bool:
            here = {name: row.get("Status") for name, row in (await self.members()).items()}
            there = {name: row["statusName"] for name, row in (await self.in_program()).items()}
            seen[:] = [here, there]
            return here == there == statuses

        await until(so, f"{said}: {statuses}", lambda: seen)


async def campaign_and_program(both: Both, name: str, **fields: Any) -> Linked:
    """One of each, of one name, with the same statuses."""
    campaign = await both.create("Campaign", Name=name, **fields)
    program = (await both.does("marketo/program/create", name=name, channel=CHANNEL))["id"]
    return Linked(both, campaign, str(program))


async def linked(both: Both, name: str, *options: str) -> Linked:
    """One of each, linked."""
    made = await campaign_and_program(both, name)
    code, said = await tandem(both, "link", made.campaign, made.program, *options)
    assert code == 0, said
    return made


async def person(both: Both, name: str) -> Row:
    """A person whom only Marketo knows, and whom nothing but a campaign brings to Salesforce."""
    return await both.does("marketo/person/create", fields={"lastName": name, "email": f"{name.lower()}@example.com", "company": "Acme"})


async def members_flow_both_ways(both: Both) -> None:
    """Those who were there before the link, those who come after it, their statuses, and those who leave."""
    spring = await campaign_and_program(both, "Spring")
    await spring.add(await both.lead("Early"), "Responded")
    before = await person(both, "Before")
    await spring.put(before, status="Sent")
    assert (await tandem(both, "link", spring.campaign, spring.program))[0] == 0
    await spring.stands("who was a member before", Early="Responded", Before="Sent")

    member = await spring.add(await both.contact("Late"))
    await spring.stands("a new one in Salesforce", Early="Responded", Before="Sent", Late="Sent")
    await both.edit("CampaignMember", member, Status="Responded")
    await spring.put(before, status="Responded")
    await spring.stands("statuses go on", Early="Responded", Before="Responded", Late="Responded")

    await spring.take(before)
    await spring.stands("who leaves the program leaves the campaign", Early="Responded", Late="Responded")
    await both.does("salesforce/delete", object="CampaignMember", id=member)
    await spring.stands("who leaves the campaign leaves the program", Early="Responded")
    await spring.put(before, await both.person("Late"), status="Sent")
    await spring.stands("and comes again", Early="Responded", Before="Sent", Late="Sent")
    mine = [each for each in json.loads((await tandem(both, "links", "--json"))[1]) if each["link"]["campaign"] == spring.campaign]
    assert [each["members"] for each in mine] == [3]


async def a_member_on_both_sides_is_one(both: Both) -> None:
    """The status of the side that wins stands, by link: by itself Salesforce's."""
    for winner, status in (("salesforce", "Responded"), ("marketo", "Sent")):
        name = f"Both-{winner}"
        met = await campaign_and_program(both, name)
        await met.add(await both.lead(name), "Responded")
        await met.put(await both.person(name), status="Sent")
        assert (await tandem(both, "link", met.campaign, met.program, "--winner", winner))[0] == 0
        await met.stands(f"{winner} wins", **{name: status})


async def a_status_that_goes_back_is_refused_or_made_again(both: Both) -> None:
    """By what the link says."""
    refusing, again = await linked(both, "Refusing"), await linked(both, "Again", "--backwards", "again")
    lead = await both.lead("Backwards")
    members = [await each.add(lead, "Responded") for each in (refusing, again)]
    for each in (refusing, again):
        await each.stands("it begins", Backwards="Responded")
    for member in members:
        await both.edit("CampaignMember", member, Status="Sent")
    await again.stands("taken out and put in again", Backwards="Sent")

    async def told() -> bool:
        return "never go back" in (await tandem(both, "list", "refused", "--csv"))[1]

    await until(told, "the difference is told, and what to do")
    assert (await refusing.in_program())["Backwards"]["statusName"] == "Responded"
    assert (await refusing.members())["Backwards"]["Status"] == "Sent"


async def only_linked_ones_are_kept_in_step(both: Both) -> None:
    """Others are let be, and those that are linked no more; linked again, they meet."""
    other, link = await campaign_and_program(both, "Other"), await linked(both, "Ends")
    await other.add(await both.lead("Elsewhere"))
    await link.add(await both.lead("Within"))
    await link.stands("linked", Within="Sent")
    assert (await tandem(both, "unlink", link.program))[0] == 0
    member = (await link.members())["Within"]["Id"]
    await both.edit("CampaignMember", member, Status="Responded")
    after = await linked(both, "Goes on")
    await after.add(await both.lead("Follows"))
    await after.stands("whatever came later has come", Follows="Sent")
    assert (await link.in_program())["Within"]["statusName"] == "Sent"
    assert not await other.in_program()
    assert (await tandem(both, "link", link.campaign, link.program))[0] == 0
    await link.stands("linked again", Within="Responded")


async def what_does_not_fit_is_not_linked(both: Both) -> None:
    """And says what is missing, where, and what to do."""
    campaign = await both.create("Campaign", Name="Unlike")
    program = str((await both.does("marketo/program/create", name="Unlike", type="Event", channel="Webinar"))["id"])
    code, said = await tandem(both, "link", campaign, program)
    assert code == 1
    assert "the campaign lacks “Invited”, “Registered”, “No Show”, “Attended”" in said
    assert "the program's channel lacks “Sent”, “Responded”" in said
    one, two = await linked(both, "One"), await campaign_and_program(both, "Two")
    code, said = await tandem(both, "link", one.campaign, two.program)
    assert (code, f"`tandem unlink {one.campaign}`" in said) == (1, True)
    assert "no campaign" in (await tandem(both, "link", "701000000000999AAA", two.program))[1]
    assert "no program 987654" in (await tandem(both, "link", two.campaign, "987654"))[1]


async def a_program_tells_its_campaign_channel_and_costs(both: Both) -> None:
    """One way, from Marketo."""
    dear = await linked(both, "Dear")
    await both.record("salesforce/Campaign", dear.campaign, Type=CHANNEL)
    await both.does("marketo/program/cost", program=int(dear.program), startDate="2026-11-01", cost=1200)
    await both.does("marketo/program/cost", program=int(dear.program), startDate="2026-12-01", cost=300)
    await both.record("salesforce/Campaign", dear.campaign, Type=CHANNEL, ActualCost=1500)


async def a_converted_or_merged_lead_stays_a_member(both: Both) -> None:
    """The same member, of one who is a contact since, or somebody else."""
    life = await linked(both, "Life")
    converts, wins, loses = [await both.lead(name) for name in ("Turns", "Wins", "Loses")]
    await life.add(converts, "Responded")
    await life.add(loses, "Responded")
    await life.stands("they begin", Turns="Responded", Loses="Responded")
    before = {name: row["id"] if "id" in row else row.get("membershipDate") for name, row in (await life.in_program()).items()}
    await both.does("salesforce/convert", lead=converts)
    await both.does("salesforce/merge", object="Lead", master=wins, victims=[loses])
    await life.stands("they are who they are now", Turns="Responded", Wins="Responded")
    after = {name: row["id"] if "id" in row else row.get("membershipDate") for name, row in (await life.in_program()).items()}
    assert after["Turns"] == before["Turns"], "converted, nobody left the program"


async def who_is_deleted_with_a_parent_comes_back_with_it(both: Both) -> None:
    """A lead that goes takes the membership along, a campaign all of them; out of the bin they are members again, with their statuses."""
    binned = await linked(both, "Bin")
    lead, other = await both.lead("Binned"), await both.lead("Stays")
    await binned.add(lead, "Responded")
    await binned.add(other)
    await binned.stands("they begin", Binned="Responded", Stays="Sent")
    await both.does("salesforce/delete", id=lead)
    await until(lambda: _without(binned, "Binned"), "who is gone has left the program")
    await both.does("salesforce/undelete", id=lead)
    await binned.stands("back with the lead", Binned="Responded", Stays="Sent")
    await both.does("salesforce/delete", id=binned.campaign)
    await until(lambda: _without(binned, "Binned", "Stays"), "with the campaign all have left the program")
    await both.does("salesforce/undelete", id=binned.campaign)
    await binned.stands("back with the campaign", Binned="Responded", Stays="Sent")


async def _without(link: Linked, *names: str) -> bool:
    return not set(names) & set(await link.in_program())


async def each_kind_of_record_is_told_side_by_side(both: Both) -> None:
    """`tandem record` asks both systems, whatever it is."""
    shown = await linked(both, "Shown")
    owner, account = await both.user("Shower"), await both.create("Account", Name="Shown Ltd")
    member = await shown.add(await both.lead("Seen"), "Responded")
    deal = {"Name": "Shown deal", "StageName": "Prospecting", "CloseDate": "2027-01-01"}
    opportunity = await both.create("Opportunity", AccountId=account, OwnerId=owner, **deal)
    role = await both.create("OpportunityContactRole", OpportunityId=opportunity, ContactId=await both.contact("Plays"), Role="Evaluator")
    wanted = {
        owner: ("lastName", "Shower"), account: ("company", "Shown Ltd"), shown.campaign: ("channel", CHANNEL),
        member: ("statusName", "Responded"), opportunity: ("name", "Shown deal"), role: ("role", "Evaluator"),
    }  # fmt: skip
    for record, (field, value) in wanted.items():
        await until(partial(shown_alike, both, record, field, value), f"{field} of {record}, {value}, is told as both systems show it")


async def shown_alike(both: Both, record: str, field: str, value: str) -> bool:
    """Whether the command has asked both systems, and they show this."""
    code, said = await tandem(both, "record", record, "--json")
    records = json.loads(said)["records"] if code == 0 else []
    fields = [each for one in records if one["live"] for each in one["fields"] if each["field"] == field]
    return [(each["salesforce"]["value"], each["marketo"]["value"]) for each in fields] == [(value, value)]


async def a_field_of_members_is_mapped(both: Both) -> None:
    """A field of one's own, in both systems and then in the configuration, flows both ways as any other does."""
    guests = await linked(both, "Guests")
    member, put = await guests.add(await both.lead("Guest")), await both.person("Guest")
    await guests.stands("a member", Guest="Sent")
    await both.does("salesforce/define_field", object="CampaignMember", field={"name": "Table__c", "type": "string", "length": 40})
    await made_in_marketo(both, {"name": "table", "displayName": "Table", "dataType": "string"})
    await both.stack.stop("tandem")
    config = Path(str(both.stack.tandem.config))
    config.write_text(f"{config.read_text()}\nmember:\n  fields:\n    table: {{salesforce: Table__c, type: text}}\n")
    await both.stack.start("tandem")

    async def shows_table(table: str) -> bool:
        return (await guests.in_program())["Guest"].get("table") == table

    await both.edit("CampaignMember", member, Table__c="by the window")
    await until(partial(shows_table, "by the window"), "Marketo has it")
    await both.does("marketo/program/member", program=int(guests.program), id=put["id"], fields={"table": "at the back"})
    await both.record("salesforce/CampaignMember", member, Table__c="at the back")


async def made_in_marketo(both: Both, field: Row) -> None:
    """An integration makes a field of members."""
    own = both.stack.endpoints()["marketo"]
    asked = {"grant_type": "client_credentials", "client_id": own["client_id"], "client_secret": own["client_secret"]}
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{own['url']}/identity/oauth/token", params=asked) as answer:
            token = (await answer.json())["access_token"]
        where, head = f"{own['url']}/rest/v1/programs/members/schema/fields.json", {"Authorization": f"Bearer {token}"}
        async with http.post(where, json={"input": [field]}, headers=head) as answer:
            told = await answer.json()
    assert [each["status"] for each in told.get("result", ())] == ["created"], told


SCENES = (
    members_flow_both_ways,
    a_member_on_both_sides_is_one,
    a_status_that_goes_back_is_refused_or_made_again,
    only_linked_ones_are_kept_in_step,
    what_does_not_fit_is_not_linked,
    a_program_tells_its_campaign_channel_and_costs,
    a_converted_or_merged_lead_stays_a_member,
    who_is_deleted_with_a_parent_comes_back_with_it,
    each_kind_of_record_is_told_side_by_side,
)


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_members_of_a_linked_campaign_are_those_of_its_program(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with a_stack(tmp_path, roles, lent=lent) as both:
        statuses = [{"name": status, "step": 10 * place, "success": place == 2} for place, status in enumerate(STATUSES, start=1)]
        await both.does("marketo/channel", name=CHANNEL, type="program", statuses=statuses)
        await plays(both, *SCENES)
        await a_field_of_members_is_mapped(both)
