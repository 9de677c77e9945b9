"""PostgreSQL with TLS and client certificates: every user of it gets in, at a real server, and who doesn't hears why."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import asyncpg
import pytest

from consumers.fitting.grounds import look_at_database
from consumers.ledger.port import Duty
from consumers.ledger.postgres.ledger import open_ledger
from consumers.reconcile.confirmation import confirm_deletes
from consumers.reports.database import ledger_connection
from infra.postgres.migrate import migrate
from infra.postgres.server import DATABASE, Guarded, Server
from streams.budget.port import Lane
from streams.budget.reckoning.limits import MARKETO
from streams.budget.shared.postgres import PostgresBudget
from streams.relay.singleton import PostgresSingleton
from streams.wire.errors import Fatal
from streams.wire.systems import LEAD, System
from tests.certificates import Papers, made

pytestmark = pytest.mark.integration
ROLE = "certified"
SECURE = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


@dataclass(frozen=True, kw_only=True)
class Ground:
    server: Server
    papers: Papers

    def dsn(self, **options: str) -> str:
        own = {
            "sslmode": "verify-full",
            "sslrootcert": str(self.papers.authority),
            "sslcert": str(self.papers.client_certificate),
            "sslkey": str(self.papers.client_key),
        }
        chosen = {key: value for key, value in (own | options).items() if value}
        return f"postgresql://{ROLE}@localhost:{self.server.port}/{DATABASE}?{urlencode(chosen)}"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("guarded")
    papers = made(folder / "papers", ROLE)
    guarded = Guarded(certificate=papers.server_certificate, key=papers.server_key, authority=papers.authority, role=ROLE)
    server = Server(folder / "postgres", guarded=guarded)
    try:
        server.start()
        asyncio.run(_admit(server))
        yield Ground(server=server, papers=papers)
    finally:
        server.remove()


async def _admit(server: Server) -> None:
    connection = await asyncpg.connect(server.dsn())
    try:
        await connection.execute(f"create role {ROLE} login in role tandem; grant create on schema public to {ROLE}")
    finally:
        await connection.close()


async def test_every_user_of_the_database_gets_in(ground: Ground) -> None:
    dsn = ground.dsn()
    assert await migrate(dsn)
    await look_at_database(dsn)
    ledger = await open_ledger(dsn)
    try:
        assert await ledger.waiting(Duty.WRITE_MARKETO, 0) is None
    finally:
        await ledger.close()
    budget = PostgresBudget(dsn, System.MARKETO, MARKETO)
    try:
        async with asyncio.timeout(30), budget.call(Lane.LIVE):
            pass
    finally:
        await budget.close()
    async with asyncio.timeout(30), PostgresSingleton(dsn).hold("guarded"):
        pass
    async with ledger_connection(dsn) as connection:
        assert await connection.fetchval(SECURE)
    await confirm_deletes(dsn, LEAD, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sslcert": "", "sslkey": ""}, "Check user, password and client certificate"),
        ({"sslmode": "disable"}, "Check user, password and client certificate"),
        ({"sslrootcert": "stranger"}, "Name the authority's certificate with sslrootcert"),
        ({"sslrootcert": "/nowhere.pem"}, "files that it names"),
    ],
)
async def test_who_does_not_get_in_hears_why(ground: Ground, options: dict[str, str], said: str) -> None:
    chosen = {key: str(ground.papers.stranger) if value == "stranger" else value for key, value in options.items()}
    with pytest.raises(Fatal, match=said):
        await look_at_database(ground.dsn(**chosen))
