"""The topics' schemas in a schema registry, as the configuration names it: how they stand there, and registering them."""

from consumers.configuration.groups.connections import Compatibility
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.subscriptions.registered import RegistryAccess, Subject, looked_up, register
from streams.wire.errors import Fatal


async def schemas_of(settings: Settings) -> list[Subject]:
    """How each topic's schema stands in the registry. Raises `Fatal` where none is configured, and as `looked_up`."""
    return await looked_up(registry_access(settings), registry_of(settings))


async def registered(settings: Settings) -> list[Subject]:
    """Registered, all or none. Raises as `schemas_of`; whoever calls it has written it into the audit log before."""
    return await register(registry_access(settings), registry_of(settings))


def registry_access(settings: Settings) -> RegistryAccess:
    """Where it is. Raises `Fatal` where none is configured."""
    told = settings.schema_registry
    if told.url is None:
        raise Fatal("No schema registry is configured.", remedy="Name its address: schema_registry.url.")
    return RegistryAccess(
        url=told.url.rstrip("/"),
        username=told.username or "",
        password=told.password.reveal() if told.password else "",
        compatibility="" if told.compatibility is Compatibility.REGISTRY else told.compatibility.value.upper(),
    )
