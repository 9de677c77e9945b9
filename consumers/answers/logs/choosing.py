"""Which messages somebody means who names fields and records as either system does."""

from collections.abc import Iterable

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.ledger.findings import mapped
from consumers.mapping.fields import SyncRules
from consumers.reports.database import ledger_connection
from consumers.reports.records.people import find
from consumers.subscriptions.message import Choice


async def choice_of(
    settings: Settings, *, kinds: list[str], fields: list[str], records: list[str], actors: list[str], verdicts: list[str]
) -> Choice:
    """Fields by their names on either side, records by all their names. Raises `UnknownRecord`, and as `ledger_connection`."""
    called, named = {each.casefold() for each in fields}, set(records)
    if fields or records:
        async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
            rules = build(settings, known=await mapped(connection))
            for name in records:
                for found in await find(connection, name):
                    ids = (found.state.salesforce.id, found.state.marketo.id, f"pair:{found.pair}", found.was)
                    named |= {each for each in ids if each}
        called |= set(_also_called(rules, called))
    return Choice(
        kinds=frozenset(each.casefold() for each in kinds),
        fields=frozenset(called),
        records=frozenset(named),
        actors=frozenset(actors),
        verdicts=frozenset(each.casefold() for each in verdicts),
    )


def _also_called(rules: SyncRules, names: set[str]) -> Iterable[str]:
    for mapping in rules.objects.values():
        for item in mapping.fields:
            called = {each.casefold() for each in (item.salesforce, item.marketo, item.key) if each}
            if called & names:
                yield from called
