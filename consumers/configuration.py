"""The configuration: one YAML file in, one frozen `Settings` out, or every problem of the file at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from consumers.configuration_kinds import Secret
from consumers.configuration_sections import Broken, Section
from consumers.configuration_settings import Flow, SalesforceSettings, Settings
from consumers.configuration_times import duration_text
from consumers.configuration_yaml import ConfigurationError, Invalid, Problem, Reading, document
from consumers.defaults import mapping_problems

__all__ = ["ConfigurationError", "Flow", "Problem", "Secret", "Settings", "load"]

_NEEDED: Mapping[Flow, tuple[str, ...]] = {
    Flow.CLIENT_CREDENTIALS: ("client_secret",),
    Flow.JWT: ("private_key", "username"),
    Flow.REFRESH: ("refresh_token",),
    Flow.PASSWORD: ("client_secret", "username", "password"),
}
_ALLOWED: Mapping[Flow, frozenset[str]] = {
    Flow.CLIENT_CREDENTIALS: frozenset({"client_secret"}),
    Flow.JWT: frozenset({"private_key", "username", "login_url"}),
    Flow.REFRESH: frozenset({"refresh_token", "client_secret"}),
    Flow.PASSWORD: frozenset({"client_secret", "username", "password"}),
}
_DAY_SECONDS = 86_400
_CREDENTIALS = ("client_secret", "username", "password", "private_key", "refresh_token", "login_url")


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in a file; `environ` is where `{env: NAME}` looks. Raises `ConfigurationError` with all problems."""
    root = document(path)
    reading = Reading(directory=path.parent, environ=environ)
    settings: Settings | None = None
    try:
        settings = Section("", Settings).read(root, reading)
    except Invalid as error:
        reading.complain(error.place, str(error))
    except Broken:
        pass  # its problems have been noted one by one
    if settings is not None:
        for key, message in _contradictions(settings):
            reading.complain_of(key, message)
    if settings is None or reading.problems:
        raise ConfigurationError(str(path), reading.problems)
    return settings


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from _credential_problems(settings.salesforce)
    yield from _interval_problems(settings)
    yield from _link_problems(settings)
    yield from mapping_problems(settings)


def _credential_problems(salesforce: SalesforceSettings) -> Iterator[tuple[str, str]]:
    flow = salesforce.flow
    missing = [name for name in _NEEDED[flow] if getattr(salesforce, name) is None]
    if missing:
        yield (
            "salesforce",
            (
                f"{' and '.join(missing)} missing for the {flow} flow; give client_secret, or private_key and username, "
                "or refresh_token, or client_secret with username and password"
            ),
        )
    for name in _CREDENTIALS:
        if getattr(salesforce, name) is not None and name not in _ALLOWED[flow]:
            yield f"salesforce.{name}", f"not used by the {flow} flow that the other credentials ask for; remove it"


def _interval_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    intervals = settings.intervals
    if intervals.activities_min_seconds > intervals.activities_max_seconds:
        yield "intervals.activities_min", f"longer than activities_max ({duration_text(intervals.activities_max_seconds)}); make it shorter"
    least = int(_DAY_SECONDS / intervals.activities_max_seconds) + 1
    if settings.marketo.polling_calls_per_day < least:
        longest = duration_text(intervals.activities_max_seconds)
        yield (
            "marketo.polling_calls_per_day",
            (
                f"{settings.marketo.polling_calls_per_day} does not pay for a look every {longest} (intervals.activities_max); "
                f"allow at least {least}, or make activities_max longer"
            ),
        )


def _link_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    links = settings.links
    seen: dict[str, str] = {}
    for name in ("lead_id", "contact_id", "type", "is_deleted", "stamp"):
        field = getattr(links, name)
        if field in seen:
            yield f"links.{name}", f"{field} is used for {seen[field]} already; each link needs a field of its own"
        seen.setdefault(field, name)
