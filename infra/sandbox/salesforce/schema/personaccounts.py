"""Person accounts, an option of the org: an account and a contact that are one person (CDC guide, person accounts).

The account carries the contact's fields under names of its own (`PersonEmail`), custom ones as `X__pc`. Both rows are kept, and a save
of one is followed by a save of the other, so that both publish an event.
"""

from __future__ import annotations

import msgspec

from infra.sandbox.salesforce.schema.shapes import address, fixed, flag, person_name, ref
from infra.sandbox.salesforce.schema.types import Field, Row, Schema, Value

_OWN_NAMES = ("FirstName", "LastName", "Salutation")
_PREFIXED = (
    "Email", "Title", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone", "AssistantName", "Birthdate", "Department", "LeadSource",
    "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall",
)  # fmt: skip
_SHARED = ("Phone", "Fax", "Description", "OwnerId")


def enable(schema: Schema) -> list[Field]:
    """Adds the fields to Account and Contact; returns those of Account."""
    account, contact = schema.objects["Account"], schema.objects["Contact"]
    found = [msgspec.structs.replace(each, nillable=True) for each in person_name()[:3]]
    found += [msgspec.structs.replace(contact.fields[name], name=f"Person{name}") for name in _PREFIXED]
    for prefix in ("Mailing", "Other"):
        found += address(f"Person{prefix}")
    found.append(fixed(ref("PersonContactId", "Contact")))
    found += [
        msgspec.structs.replace(each, name=f"{each.name[:-1]}pc", nillable=True, unique=False)
        for each in contact.fields.values() if each.custom
    ]  # fmt: skip
    for each in found:
        account.put_field(each)
    contact.put_field(fixed(flag("IsPersonAccount")))
    return found


def contact_name(name: str) -> str | None:
    """What an account's field is called on its contact; None for one that only the account has."""
    if name in _OWN_NAMES or name in _SHARED:
        return name
    if name.endswith("__pc"):
        return f"{name[:-2]}c"
    if name.startswith("Person") and name != "PersonContactId":
        return name.removeprefix("Person")
    return None


def account_name(name: str, fields: dict[str, Field]) -> str | None:
    """The inverse of `contact_name`."""
    if name in _OWN_NAMES or name in _SHARED:
        return name
    found = f"{name[:-1]}pc" if name.endswith("__c") else f"Person{name}"
    return found if found in fields else None


def to_contact(values: Row, fields: dict[str, Field]) -> dict[str, Value]:
    """The contact's values from those of the account."""
    named = {contact_name(name): value for name, value in values.items()}
    return {name: value for name, value in named.items() if name is not None and name in fields and not fields[name].derived}


def own_contact(values: Row, account: str, fields: dict[str, Field]) -> Row:
    """The contact of an account of these values, as it is made with it."""
    return {**to_contact(values, fields), "AccountId": account, "IsPersonAccount": True}


def to_account(values: Row, fields: dict[str, Field]) -> dict[str, Value]:
    named = {account_name(name, fields): value for name, value in values.items()}
    return {name: value for name, value in named.items() if name is not None and not fields[name].derived}
