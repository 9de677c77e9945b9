"""The code asks for every migration that comes with it."""

from consumers.fitting.grounds import MIGRATIONS
from infra.postgres.migrate import read_migrations


def test_the_code_knows_its_last_migration() -> None:
    assert read_migrations()[-1].number == MIGRATIONS, "whoever adds a migration counts on `consumers.fitting.grounds.MIGRATIONS`"
