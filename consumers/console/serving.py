"""Serving the console, and the links that sign somebody in."""

from pathlib import Path

import uvicorn

from consumers.configuration.groups.services import ConsoleSettings
from consumers.configuration.loading import Settings
from consumers.console.access.roles import Role
from consumers.console.access.sessions import Person, new_link
from consumers.console.access.users import read
from consumers.console.app import application
from consumers.console.ground import grounded
from consumers.console.pages.signing import LOOPBACK
from consumers.fitting.grounds import look_at_migrations
from streams.ground.clock import now_ms
from streams.ground.database import connected
from streams.wire.errors import Fatal

_REMEDY = "Set console.users (see `tandem console password`) or console.oidc, or let it listen on loopback alone."


def address(settings: ConsoleSettings) -> str:
    """Where people reach it, without a slash at its end."""
    return settings.address


def has_links(settings: ConsoleSettings) -> bool:
    """Whether one-time links sign somebody in."""
    return settings.users is None and (settings.host in LOOPBACK or settings.links)


async def link_of(settings: Settings, who: str) -> str:
    """The address that signs somebody in once, as an administrator. Raises `Fatal` where links are not to be used, and as
    `ledger_connection`."""
    console = settings.console
    if not has_links(console):
        raise Fatal("One-time links sign in only where no users are configured, on loopback.", remedy=_REMEDY)
    dsn = settings.postgres.dsn.reveal()
    connection = await connected(dsn, application_name="tandem-console")
    try:
        await look_at_migrations(connection, dsn)
        token = await new_link(connection, Person(who=f"link:{who}", role=Role.ADMIN), now_ms())
    finally:
        connection.terminate()
    return f"{address(console)}/sign-in?link={token}"


async def serve(settings: Settings, file: Path | None = None) -> None:
    """Until it is told to stop. `file`: the configuration.

    Raises `Fatal` where the port is taken, or nobody could sign in; and as `ledger_connection`."""
    await _look(settings)
    async with grounded(settings, file) as ground:
        config = uvicorn.Config(
            application(ground),
            host=settings.console.host,
            port=settings.console.port,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=2,
            proxy_headers=False,
            ws="none",
        )
        server = uvicorn.Server(config)
        try:
            await server.serve()
        except SystemExit as error:
            where = f"{settings.console.host}:{settings.console.port}"
            raise Fatal(f"The console can't listen on {where}.", remedy="Choose another console.port.") from error


async def _look(settings: Settings) -> None:
    """Nothing is served that nobody may use."""
    console = settings.console
    if console.users is not None:
        read(Path(console.users))
    elif not has_links(console) and console.oidc.issuer is None:
        raise Fatal(f"The console would listen on {console.host}, and nobody could sign in.", remedy=_REMEDY)
    if console.tokens is not None:
        read(Path(console.tokens))
    dsn = settings.postgres.dsn.reveal()
    connection = await connected(dsn, application_name="tandem-console")
    try:
        await look_at_migrations(connection, dsn)
    finally:
        connection.terminate()
