"""The configuration in the form that the adapters of the two systems take."""

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from consumers.configuration.groups.connections import Flow, SalesforceSettings
from consumers.configuration.reading.types import Secret
from consumers.configuration.settings import Settings
from streams.budget.reckoning.limits import MARKETO, SALESFORCE, Limits
from streams.marketo.api.settings import MarketoSettings as MarketoAdapterSettings
from streams.salesforce.api.access.settings import ClientCredentials, Credentials, JwtBearer, Password, RefreshToken
from streams.salesforce.api.access.settings import SalesforceSettings as SalesforceAdapterSettings
from streams.wire.systems import System

CALL_SHARE = 2 / 3
"""Of a lease, the longest that a client waits for a call under it: a call begins in time to end before its lease does."""
_PRODUCTION = "https://login.salesforce.com"


def salesforce_settings(settings: Settings) -> SalesforceAdapterSettings:
    """How to reach the org, with the secrets revealed."""
    told = settings.salesforce
    made = SalesforceAdapterSettings(
        base_url=told.url,
        credentials=_credentials(told),
        api_version=told.api_version,
        channel=told.channel,
        stream=told.stream,
        pubsub_url=told.pubsub_url,
        duplicates_allowed=told.duplicates_allowed,
    )
    return replace(made, request_timeout_seconds=min(made.request_timeout_seconds, settings.settle.lease_seconds * CALL_SHARE))


def marketo_settings(settings: Settings) -> MarketoAdapterSettings:
    """How to reach the instance, with the secret revealed."""
    told, longest = settings.marketo, settings.settle.lease_seconds * CALL_SHARE
    made = MarketoAdapterSettings(
        base_url=told.url,
        client_id=told.client_id,
        client_secret=told.client_secret.reveal(),
        time_zone=told.time_zone,
        connections_max=told.calls_at_once,
    )
    return replace(made, write_seconds=min(made.write_seconds, longest), merge_seconds=min(made.merge_seconds, longest))


def limits_of(settings: Settings) -> Mapping[System, Limits]:
    """What each system allows all workers together."""
    ours, theirs, gather_ms = settings.salesforce, settings.marketo, round(settings.settle.gather_at_most_seconds * 1000)
    return {
        System.SALESFORCE: replace(
            SALESFORCE,
            places=ours.calls_at_once,
            day_calls=ours.calls_per_day,
            others_share=ours.others_percent / 100,
            gather_ms_max=gather_ms,
        ),
        System.MARKETO: replace(
            MARKETO,
            calls=theirs.calls_per_20_seconds,
            places=theirs.calls_at_once,
            day_calls=theirs.calls_per_day,
            others_share=theirs.others_percent / 100,
            gather_ms_max=gather_ms,
        ),
    }


def _credentials(told: SalesforceSettings) -> Credentials:
    secret = told.client_secret.reveal() if told.client_secret else None
    match told.flow:
        case Flow.CLIENT_CREDENTIALS:
            return ClientCredentials(client_id=told.client_id, client_secret=secret or "")
        case Flow.JWT:
            return JwtBearer(
                client_id=told.client_id,
                username=told.username or "",
                private_key_pem=_revealed(told.private_key),
                audience=told.login_url or _PRODUCTION,
            )
        case Flow.REFRESH:
            return RefreshToken(client_id=told.client_id, refresh_token=_revealed(told.refresh_token), client_secret=secret)
        case Flow.PASSWORD:
            return Password(
                client_id=told.client_id, username=told.username or "", client_secret=secret or "", password=_revealed(told.password)
            )
        case _:
            assert_never(told.flow)


def _revealed(secret: Secret | None) -> str:
    return secret.reveal() if secret else ""
