"""Users and programs, from two files that an administrator keeps: read anew when they change, so that who is struck off is out at once.

A line of the users' file: `name role hash` (the hash by `tandem console password`); of the tokens' file: `name role sha256`.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from consumers.console.access.roles import Role
from consumers.console.access.sessions import Person
from streams.wire.errors import Fatal

_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_hex(16))
"""What an unknown name's password is compared with: an answer takes as long for it as for a known one."""
_REMEDY = "Each line is `name role hash`, the role one of viewer, operator, admin; a line of users is made by `tandem console password`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of either file."""

    person: Person
    proof: str


def read(file: Path) -> Mapping[str, Line]:
    """By name. Raises `Fatal` where the file can't be read or a line is wrong."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Fatal(f"{file} can't be read ({type(error).__name__}).", remedy=_REMEDY) from error
    lines: dict[str, Line] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3 or words[1] not in tuple(Role) or words[0] in lines:
            raise Fatal(f"{file}, line {number}: not a name of its own, a role and a hash.", remedy=_REMEDY)
        lines[words[0]] = Line(person=Person(who=words[0], role=Role(words[1])), proof=words[2])
    return lines


def hashed_password(password: str) -> str:
    """For the users' file."""
    return _HASHER.hash(password)


def with_password(users: Mapping[str, Line], name: str, password: str) -> Person | None:
    """Who that is; None: no such user, or another password. Takes tens of milliseconds on purpose: call it in a thread."""
    line = users.get(name)
    try:
        _HASHER.verify(line.proof if line else _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return None
    return line.person if line else None


def with_token(programs: Mapping[str, Line], token: str) -> Person | None:
    """Which program sends this token."""
    told = hashlib.sha256(token.encode()).hexdigest()
    found = [line.person for line in programs.values() if secrets.compare_digest(line.proof.lower(), told)]
    return found[0] if found else None
