"""Kinds of settings that name what lies outside of the file: other files, a database."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from consumers.configuration.reading.places import Invalid, Place, Reading
from consumers.configuration.reading.types import REFERENCE_SCHEMA, Secret, SecretText, resolved

_SCHEMES = ("postgresql", "postgres")


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file that can be read; a relative path counts from the configuration's folder."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Path:
        """The path, of a file that is there."""
        path = reading.directory / resolved(place, reading).strip()
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise Invalid(place, f"the file {path} can't be read ({error.strerror})") from error
        return path

    def schema(self) -> dict[str, Any]:
        """A string or a reference."""
        return {"anyOf": [{"type": "string", "minLength": 1}, REFERENCE_SCHEMA]}

    def words(self) -> str:
        """What may stand there."""
        return "path of a file"


@dataclass(frozen=True, slots=True)
class Dsn(SecretText):
    """The address of a database, with the password in it: a secret. What is wrong with it is said without quoting it."""

    def read(self, place: Place, reading: Reading) -> Secret:
        """The secret that the reference points to, of the right form."""
        secret = SecretText.read(self, place, reading)
        if wrong := _wrong(secret.reveal()):
            raise Invalid(place, f"{wrong}; write it as postgresql://user:password@host:port/database ({secret.origin})")
        return secret


def _wrong(dsn: str) -> str:
    try:
        parts = urlsplit(dsn)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        ports = [host.port for host in hosts]
    except ValueError:
        return "the address of the database can't be read (special characters of a password stand as %XX)"
    if parts.scheme not in _SCHEMES:
        return "the address of the database does not begin with postgresql://"
    if parts.fragment:
        return "the address of the database has a # in it, which stands as %23"
    return "" if len(ports) == len(hosts) else "the address of the database names no host"
