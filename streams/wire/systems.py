"""The two systems and the identity of their records."""

from enum import StrEnum
from typing import NewType

RecordId = NewType("RecordId", str)
"""Salesforce: always the 18-character id. Marketo: the decimal id of the person, as text."""

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID_SHORT, _ID_LONG = 15, 18


class System(StrEnum):
    """One of the two systems that are kept in step."""

    SALESFORCE = "salesforce"
    MARKETO = "marketo"

    other: "System"
    """The system on the other side."""


SALESFORCE, MARKETO = System.SALESFORCE, System.MARKETO
"""For the paths that every event takes: a member found on its class costs a fifth of a microsecond (Python 3.11), as much as a small
function. Other enumerations have such names, too, in the modules where it counts."""
SALESFORCE.other, MARKETO.other = MARKETO, SALESFORCE

CREATED_FIELD = {SALESFORCE: "CreatedDate", MARKETO: "createdAt"}
"""The field that tells when a record was created, to the second."""


Object = NewType("Object", str)
"""What a system calls a sort of record, as on the topics (`crm.<system>.<object>.v1`): letters, digits and dashes. Which there are is
declared by the kinds of record that are kept in step, not here."""

LEAD, CONTACT = Object("lead"), Object("contact")
PERSON = Object("person")
"""A person's three: the only ones whose sources are not the same as everybody's."""


def salesforce_id(text: str) -> RecordId:
    """The 18-character form of a Salesforce id of 15 or 18 characters.

    The last three characters say which of the first fifteen are capitals, five to a character, so the long form
    survives systems that fold case (Salesforce, "Record IDs"). Raises ValueError for anything else.
    """
    if len(text) == _ID_LONG and text.isalnum():
        return RecordId(text)
    if len(text) != _ID_SHORT or not text.isalnum() or not text.isascii():
        raise ValueError(f"not a Salesforce id: {text!r} (want 15 or 18 letters and digits)")
    chunks = (text[start : start + 5] for start in range(0, _ID_SHORT, 5))
    return RecordId(text + "".join(_SUFFIX[sum(1 << bit for bit, char in enumerate(chunk) if "A" <= char <= "Z")] for chunk in chunks))
