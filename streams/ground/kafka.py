"""Reaching Kafka as its administrator does, and why it can't be reached."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    BrokerResponseError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streams.ground.access import KafkaAccess, access_of
from streams.wire.errors import Fatal, Retry, SyncError

PATIENCE_SECONDS = 10.0
_REFUSALS = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


@asynccontextmanager
async def admin(kafka: KafkaAccess | str, *, client_id: str = "tandem-admin") -> AsyncIterator[Any]:
    """An admin client. Raises `Retry` while no broker answers, `Fatal` where they refuse; inside, aiokafka's errors go through."""
    access = access_of(kafka)
    client = AIOKafkaAdminClient(client_id=client_id, request_timeout_ms=int(PATIENCE_SECONDS * 1000), **access.options())
    try:
        try:
            async with asyncio.timeout(2 * PATIENCE_SECONDS):
                await client.start()
        except (KafkaError, OSError, TimeoutError) as error:
            raise await why_not(access, error) from error
        yield client
    finally:
        await client.close()


async def why_not(kafka: KafkaAccess | str, error: BaseException) -> SyncError:
    """Why no broker could be reached: aiokafka swallows what each of them said, so the first one is asked by itself."""
    access = access_of(kafka)
    options = access.options()
    said = [await _refusal(host, port, options) for host, port, _ in collect_hosts(options.pop("bootstrap_servers"))[:3]]
    where = f"Kafka at {access.bootstrap}"
    for each in said:
        if isinstance(each, ssl.SSLCertVerificationError):
            remedy = "Name its authority's certificate with kafka.ca_file, and the broker by a name in its certificate."
            return Fatal(f"{where}: its certificate is not trusted ({each.verify_message}).", remedy=remedy)
        if isinstance(each, _REFUSALS):
            remedy = "Check kafka.sasl, username, password and token_file, and what the broker's listener asks for."
            return Fatal(f"{where} refuses the sign-in ({type(each).__name__}).", remedy=remedy)
    reason = next((_words(each) for each in said if each is not None), type(error).__name__)
    remedy = "Check that it runs there, and that kafka.bootstrap_servers, kafka.tls and kafka.sasl fit its listener."
    return Retry(f"{where} can't be reached ({reason}). {remedy}", after_seconds=2.0)


async def _refusal(host: str, port: int, options: dict[str, Any]) -> BaseException | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            connection = await create_conn(host, port, client_id="tandem-why", request_timeout_ms=int(PATIENCE_SECONDS * 500), **options)
    except (KafkaError, OSError, TimeoutError, ValueError) as error:
        return _innermost(error)
    connection.close()
    return None


def _innermost(error: BaseException) -> BaseException:
    """aiokafka wraps what TLS says."""
    inner = error.__cause__ or error.__context__
    return inner if isinstance(inner, ssl.SSLError) else error


def _words(error: BaseException) -> str:
    if isinstance(error, BrokerResponseError):
        return error.message or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
