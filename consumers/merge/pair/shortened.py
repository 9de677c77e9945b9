"""Shortened: names and times as a pair is stored with them, in a sixth and a half of the room. Pure.

A default person has some thirty fields, each with its name and a time: as they are, these take more room than its values.
"""

_NAMES = (
    *("salutation", "firstName", "lastName", "title", "email", "unsubscribed", "phone", "mobilePhone", "fax", "leadSource"),
    *("mktoPersonNotes", "address", "city", "state", "postalCode", "country", "leadStatus", "rating", "company", "industry"),
    *("annualRevenue", "numberOfEmployees", "website", "sfLeadId", "sfContactId", "sfType", "sfIsDeleted", "externalSalesPersonId"),
    *("externalCompanyId", "dateOfBirth"),
)
"""Fields that most people have. What is stored tells them by their places here: a name may be added at the end, none may be moved."""
_SECOND_MS = 1_000

CODES = dict(zip(_NAMES, "!#$%&'()*+,-./:;<=>?@[]^`{|}~0123456789", strict=False))
"""For each a character that no field is called by: names of fields begin with a letter. None of them is escaped in JSON, which msgspec asks
of what a member of a struct is renamed to."""
NAMES = {code: name for name, code in CODES.items()}


def code_of(name: str) -> str:
    """As what a field is stored."""
    return CODES.get(name, name)


def name_of(code: str) -> str:
    """What is stored so."""
    return NAMES.get(code, code)


def shortest(at: int) -> int:
    """A moment (ms) as it is stored: where it is a whole second, as that, below zero."""
    return at if at <= 0 or at % _SECOND_MS else -(at // _SECOND_MS)


def moment(stored: int) -> int:
    """The moment that is stored so (ms)."""
    return stored if stored >= 0 else stored * -_SECOND_MS
