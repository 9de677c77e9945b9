"""Twenty people for who tries the sandbox out, some of them of an account, all owned by a user: entered in the systems as their users do,
so that Tandem brings them together.
"""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from infra.process import StartError

_SECONDS = 30
_SALESFORCE = (
    ("Lead", "Ada", "Lovelace", "Analytical Engines", "Programmer"),
    ("Lead", "Grace", "Hopper", "Compilers & Co", "Rear Admiral"),
    ("Lead", "Alan", "Turing", "Hut Eight", "Researcher"),
    ("Lead", "Katherine", "Johnson", "Orbit Works", "Mathematician"),
    ("Lead", "Niels", "Bohr", "Quanta A/S", "Head of Physics"),
    ("Lead", "José", "Álvarez", "Marés", "Diretor"),
    ("Lead", "Mary", "Jackson", "Orbit Works", "Engineer"),
    ("Lead", "Claude", "Shannon", "Bits Inc.", "Engineer"),
    ("Contact", "Emmy", "Noether", "University of Göttingen", "Professor"),
    ("Contact", "Sofia", "Kovalevskaya", "University of Göttingen", "Professor"),
    ("Contact", "Srinivasa", "Ramanujan", "Trinity College", "Fellow"),
    ("Contact", "Barbara", "Liskov", "", "Architect"),
)
"""Object, first and last name, company (of a contact: the account), title."""
_ACCOUNTS = (("University of Göttingen", "Education", "Göttingen"), ("Trinity College", "Education", "Cambridge"))
_USERS = (("Otto", "Hahn"), ("Irène", "Joliot-Curie"))
"""Who own the accounts and their people, in turn; the rest is owned by whoever enters it."""
_MARKETO = (
    ("Chien-Shiung", "Wu", "Beta Decay Ltd", 75),
    ("Rosalind", "Franklin", "Helix Labs", 60),
    ("Lise", "Meitner", "Kernel GmbH", 55),
    ("Hedy", "Lamarr", "Hopping Radio", 50),
    ("Marie", "Curie", "Radium SA", 30),
    ("Vera", "Rubin", "Dark Matters", 20),
    ("Dorothy", "Vaughan", "Orbit Works", 10),
    ("Jocelyn", "Burnell", "Pulsar plc", 0),
)
"""The first four reach the score at which the sandbox's configuration lets a person into Salesforce."""


def move_in(sandbox: str) -> int:
    """Enter them by the control API at `sandbox`; how many people they are. Raises StartError with what the systems said."""
    owners = [_done(sandbox, "salesforce/create_user", _user(first, last))["id"] for first, last in _USERS]
    rows = [
        {"Name": name, "Industry": industry, "BillingCity": city, "OwnerId": owners[place % len(owners)]}
        for place, (name, industry, city) in enumerate(_ACCOUNTS)
    ]
    made = _done(sandbox, "salesforce/create", {"object": "Account", "records": rows})["ids"]
    accounts = {row["Name"]: {"AccountId": account, "OwnerId": row["OwnerId"]} for account, row in zip(made, rows, strict=True)}
    for verb, body in _entries(accounts):
        _done(sandbox, verb, body)
    return len(_SALESFORCE) + len(_MARKETO)


def _done(sandbox: str, verb: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(f"{sandbox}/{verb}", data=json.dumps(body).encode(), method="POST")  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
            return json.loads(answer.read())
    except OSError as error:
        raise StartError(f"the sandbox refused {verb}: {error}") from error


def _user(first: str, last: str) -> dict[str, Any]:
    email = _email(first)
    return {"username": email, "first_name": first, "last_name": last, "email": email}


def _entries(accounts: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """`accounts`: what a contact of each names."""
    for kind in ("Lead", "Contact"):
        rows = [
            {
                "FirstName": first, "LastName": last, "Title": title, "Email": _email(first),
                **({"Company": company} if kind == "Lead" else accounts.get(company, {})),
            }
            for name, first, last, company, title in _SALESFORCE
            if name == kind
        ]  # fmt: skip
        yield "salesforce/create", {"object": kind, "records": rows}
    for first, last, company, score in _MARKETO:
        fields = {"firstName": first, "lastName": last, "company": company, "leadScore": score, "email": _email(first)}
        yield "marketo/person/create", {"fields": fields}


def _email(first: str) -> str:
    plain = {"José": "jose", "Irène": "irene"}.get(first, first.lower())
    return f"{plain}@example.com"
