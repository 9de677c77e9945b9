"""A whole stack on the sandbox: person accounts, each one person of one company, through the streams and through the polls alone."""

from pathlib import Path

import pytest

from infra.stack.stack import Lent
from tests.infra.stack.both import POLLS, STREAMS, Both, Row, a_stack, plays, tandem, until

pytestmark = pytest.mark.integration

COMPANY, KEY = "marketo/Company", "externalCompanyId"


async def person_account(both: Both, first: str, last: str, **fields: str) -> tuple[str, str]:
    """A new one in Salesforce: the ids of its account and of its contact."""
    account = await both.create("Account", FirstName=first, LastName=last, PersonEmail=f"{last.lower()}@example.com", **fields)
    return account, str((await both.rows("salesforce/Account"))[account]["PersonContactId"])


async def one_of_each(both: Both, account: str, last: str) -> Row:
    """The one person of this address, who is the only one of the one company of this account."""
    everybody = await both.everybody()
    (person,) = [each for each in everybody if str(each.get("email", "")).lower() == f"{last.lower()}@example.com"]
    assert [each["id"] for each in everybody if each.get(KEY) == account] == [person["id"]]
    assert [each[KEY] for each in (await both.rows(COMPANY)).values() if each.get(KEY) == account] == [account]
    return person


async def a_person_account_through_its_life(both: Both) -> None:
    """Made, edited on both sides, deleted, and brought back."""
    account, contact = await person_account(both, "Aki", "Ito", PersonTitle="Cook", Industry="Energy")
    person = await both.person("Ito", sfContactId=contact, externalCompanyId=account, firstName="Aki", title="Cook")
    await both.record(COMPANY, account, KEY, company="Aki Ito", industry="Energy")

    await both.edit("Account", account, PersonTitle="Chef", Industry="Banking", PersonMailingCity="Oslo")
    await both.person("Ito", title="Chef", city="Oslo", industry="Banking")

    await both.touch(person, title="Baker", lastName="Ida")
    await both.record("salesforce/Contact", contact, Title="Baker", LastName="Ida")
    await both.record("salesforce/Account", account, PersonTitle="Baker", Name="Aki Ida")
    await both.record(COMPANY, account, KEY, company="Aki Ida")
    assert (await one_of_each(both, account, "Ito"))["id"] == person["id"]

    await both.does("salesforce/delete", id=account)
    await both.person("Ida", sfIsDeleted=True)
    await both.gone(COMPANY, account, KEY)
    await both.does("salesforce/undelete", id=account)
    await both.record(COMPANY, account, KEY, company="Aki Ida", industry="Banking")
    await both.person("Ida", sfIsDeleted=False, sfContactId=contact, externalCompanyId=account)
    assert (await one_of_each(both, account, "Ito"))["id"] == person["id"]


async def somebody_of_this_address_was_there(both: Both) -> None:
    """He is the person of the account: nobody else is made."""
    fields = {"lastName": "Known", "email": "known@example.com", "postalCode": "0150"}
    there = await both.does("marketo/person/create", fields=fields)
    account, contact = await person_account(both, "Kim", "Known")
    person = await both.person("Known", sfContactId=contact, externalCompanyId=account, firstName="Kim")
    await both.record("salesforce/Account", account, PersonMailingPostalCode="0150")
    assert person["id"] == there["id"] == (await one_of_each(both, account, "Known"))["id"]


async def deleted_in_marketo(both: Both) -> None:
    """Followed to Salesforce, it is refused there: a person account goes as an account, and no other way. The refusal is told."""
    account, contact = await person_account(both, "Una", "Stays")
    person = await both.person("Stays", sfContactId=contact, externalCompanyId=account)
    await both.does("marketo/person/delete", ids=[person["id"]])

    async def told() -> bool:
        return "INVALID_PERSON_ACCOUNT_OPERATION" in (await tandem(both, "list", "refused", "--csv"))[1]

    await until(told, "the refusal is told")
    assert contact in await both.rows("salesforce/Contact")
    assert account in await both.rows("salesforce/Account")


@pytest.mark.parametrize("roles", [STREAMS, POLLS], ids=["streams", "polls"])
async def test_person_accounts_are_one_person_of_one_company(tmp_path: Path, lent: Lent, roles: tuple[str, ...]) -> None:
    async with a_stack(tmp_path, roles, "  delete_in_salesforce: true\n", lent=lent) as both:
        await both.does("salesforce/enable_person_accounts")
        await plays(both, a_person_account_through_its_life, somebody_of_this_address_was_there, deleted_in_marketo)
