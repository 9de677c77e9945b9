"""Listeners that let only those in who say who they are: for tests of how Tandem reaches such brokers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
_MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """Two more listeners: `SIGNED` (SASL_SSL, all mechanisms, one user) and `MUTUAL` (TLS that asks for a certificate).

    `identity`: PEM with the broker's key and certificate; `authority`: PEM of whoever signed them, and the clients' certificates.
    OAUTHBEARER takes unsigned tokens, as Kafka does unless told otherwise: a stand-in for an identity provider.
    """

    identity: Path
    authority: Path
    user: str
    password: str

    @property
    def protocols(self) -> Mapping[str, str]:
        """Each listener's protocol."""
        return {"SIGNED": "SASL_SSL", "MUTUAL": "SSL"}

    def settings(self) -> dict[str, str]:
        """The broker's settings for them."""
        jaas = {
            "plain": f'{_MODULES}.plain.PlainLoginModule required user_{self.user}="{self.password}";',
            "scram-sha-256": f"{_MODULES}.scram.ScramLoginModule required;",
            "scram-sha-512": f"{_MODULES}.scram.ScramLoginModule required;",
            "oauthbearer": f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
        }
        found = {"listener.name.signed.sasl.enabled.mechanisms": ",".join(MECHANISMS)}
        for mechanism, module in jaas.items():
            found[f"listener.name.signed.{mechanism}.sasl.jaas.config"] = module
        for listener in ("signed", "mutual"):
            found[f"listener.name.{listener}.ssl.keystore.type"] = "PEM"
            found[f"listener.name.{listener}.ssl.keystore.location"] = str(self.identity)
            found[f"listener.name.{listener}.ssl.truststore.type"] = "PEM"
            found[f"listener.name.{listener}.ssl.truststore.location"] = str(self.authority)
        return found | {"listener.name.mutual.ssl.client.auth": "required"}

    def credentials(self) -> list[str]:
        """What the storage is formatted with: SCRAM users live in the cluster's metadata."""
        named = f"[name={self.user},password={self.password}]"
        return ["--add-scram", f"SCRAM-SHA-256={named}", "--add-scram", f"SCRAM-SHA-512={named}"]
