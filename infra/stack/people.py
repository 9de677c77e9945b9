"""Twenty people for who tries the sandbox out: entered in the systems as their users do, so that Tandem brings them together."""

import json
import urllib.request
from collections.abc import Iterator
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
    ("Contact", "Emmy", "Noether", "", "Professor"),
    ("Contact", "Sofia", "Kovalevskaya", "", "Professor"),
    ("Contact", "Srinivasa", "Ramanujan", "", "Fellow"),
    ("Contact", "Barbara", "Liskov", "", "Architect"),
)
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
    """Enter them by the control API at `sandbox`; how many they are. Raises StartError with what the systems said."""
    for verb, body in _entries():
        request = urllib.request.Request(f"{sandbox}/{verb}", data=json.dumps(body).encode(), method="POST")  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
                pass
        except OSError as error:
            raise StartError(f"the sandbox refused {verb}: {error}") from error
    return len(_SALESFORCE) + len(_MARKETO)


def _entries() -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in ("Lead", "Contact"):
        rows = [
            {"FirstName": first, "LastName": last, "Title": title, "Email": _email(first), **({"Company": company} if company else {})}
            for name, first, last, company, title in _SALESFORCE
            if name == kind
        ]
        yield "salesforce/create", {"object": kind, "records": rows}
    for first, last, company, score in _MARKETO:
        fields = {"firstName": first, "lastName": last, "company": company, "leadScore": score, "email": _email(first)}
        yield "marketo/person/create", {"fields": fields}


def _email(first: str) -> str:
    plain = {"José": "jose"}.get(first, first.lower())
    return f"{plain}@example.com"
