"""The settings of what tells of changes in Marketo at once: webhooks, and Adobe's data stream."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Choice, Secret, SecretText, Text, Url, Whole


class DataStream(StrEnum):
    """How Adobe's data stream of lead activities is followed."""

    NO = "no"
    WEBHOOK = "webhook"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """What tells of changes in Marketo at once; the activity log stays what is believed (infra/docs/sources.md)."""

    host: Annotated[str, Text("Address to listen on; anything but loopback shows it to the network")] = "127.0.0.1"
    port: Annotated[int, Whole("Port to listen on", 1, 65_535)] = 6068
    webhook_secret: Annotated[
        Secret | None, SecretText("What Marketo's webhooks send in the header x-tandem-secret; without it none is taken in")
    ] = None
    data_stream: Annotated[
        DataStream,
        Choice("How Adobe's data stream of lead activities is followed: its calls taken in, its journal read, or not", DataStream),
    ] = DataStream.NO
    munchkin_id: Annotated[str | None, Text("The instance whose events count, 123-ABC-456", r"[0-9A-Za-z-]{3,30}", "a Munchkin id")] = None
    adobe_client_id: Annotated[str | None, Text("Client id of the project in Adobe's developer console; events name it")] = None
    adobe_client_secret: Annotated[Secret | None, SecretText("Its client secret (OAuth server to server), for the journal")] = None
    adobe_organisation: Annotated[
        str | None, Text("Adobe's organisation, for the journal", r"[0-9A-Za-z]+@AdobeOrg", "an organisation such as 0123ABC@AdobeOrg")
    ] = None
    journal_url: Annotated[str | None, Url("The journaling endpoint that the console shows for the registration")] = None
    login_url: Annotated[str, Url("Where Adobe gives tokens")] = "https://ims-na1.adobelogin.com/ims/token/v3"
    keys_url: Annotated[str, Url("The only host from which public keys of signatures are taken")] = "https://static.adobeioevents.com"
    validation_url: Annotated[str, Url("The only place that is visited when an address is registered")] = (
        "https://csm.adobe.io/csm/registrations/validate"
    )
    body_kilobytes_max: Annotated[int, Whole("The largest request that is read; Adobe sends up to 2 MB", 16, 102_400)] = 4096
    quiet_seconds: Annotated[
        float, Duration("Between two looks at the activities without a hint, as long as hints come before whatever they show", "1s", "1h")
    ] = 30.0

    @property
    def served(self) -> bool:
        """Whether anybody is to call."""
        return self.webhook_secret is not None or self.data_stream is DataStream.WEBHOOK

    @property
    def told(self) -> bool:
        """Whether hints are to be expected."""
        return self.served or self.data_stream is DataStream.JOURNAL
