"""How to reach Kafka: addresses, TLS, SASL. Every client of it (consumers, producers, the admin step) is made from a `KafkaAccess`."""

import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from streams.wire.errors import Fatal


class Sasl(StrEnum):
    """How a client says who it is."""

    NONE = "none"
    PLAIN = "plain"
    SCRAM_SHA_256 = "scram-sha-256"
    SCRAM_SHA_512 = "scram-sha-512"
    OAUTHBEARER = "oauthbearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaAccess:
    """Addresses, and what they ask for. Secrets are not shown."""

    bootstrap: str
    tls: bool = False
    ca_file: Path | None = None
    """None: the authorities that the machine trusts."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)
    sasl: Sasl = Sasl.NONE
    username: str = ""
    password: str = field(default="", repr=False)
    token_file: Path | None = None
    """OAUTHBEARER: read anew for every connection, so that whoever renews the token only writes the file."""

    def options(self) -> dict[str, Any]:
        """What aiokafka's clients take. Raises `Fatal` where a file can't be used. Only inside a running loop."""
        found: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self._protocol}
        if self.tls:
            found["ssl_context"] = self._trust()
        if self.sasl is Sasl.OAUTHBEARER:
            from streams.ground.token import TokenInFile  # noqa: PLC0415 - the Kafka client is slow to import, and settings are read by every command

            found |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": TokenInFile(self.token_file or Path())}
        elif self.sasl is not Sasl.NONE:
            found |= {"sasl_mechanism": str(self.sasl).upper(), "sasl_plain_username": self.username, "sasl_plain_password": self.password}
        return found

    @property
    def _protocol(self) -> str:
        if self.sasl is Sasl.NONE:
            return "SSL" if self.tls else "PLAINTEXT"
        return "SASL_SSL" if self.tls else "SASL_PLAINTEXT"

    def _trust(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file, self.key_password)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise Fatal(
                f"TLS for Kafka can't be set up ({reason}).",
                remedy="Check kafka.ca_file, certificate_file, key_file and key_password: PEM files that belong together.",
            ) from error
        return context


def access_of(kafka: KafkaAccess | str) -> KafkaAccess:
    """Bare addresses are a broker that asks for nothing."""
    return KafkaAccess(bootstrap=kafka) if isinstance(kafka, str) else kafka
