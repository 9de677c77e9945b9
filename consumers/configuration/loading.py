"""The configuration: one YAML file in, one frozen `Settings` out, or every problem of the file at once."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from consumers.configuration.access import kafka_problems
from consumers.configuration.groups.connections import Flow
from consumers.configuration.groups.pushes import DataStream
from consumers.configuration.mapping.problems import mapping_problems
from consumers.configuration.mapping.registered import custom_problems
from consumers.configuration.reading.places import ConfigurationError, Invalid, Problem, Reading, document
from consumers.configuration.reading.sections import Broken, Section
from consumers.configuration.reading.times import duration_text
from consumers.configuration.reading.types import Secret
from consumers.configuration.settings import Settings

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
_DELETED_PEOPLE_DAYS_MIN = 30
"""Salesforce's recycle bin gives back for 15 days, and our change topics can be read again for 14 (streams.wire.topics)."""
_PUSH_NEEDED: Mapping[DataStream, tuple[str, ...]] = {
    DataStream.NO: (),
    DataStream.WEBHOOK: ("munchkin_id", "adobe_client_id"),
    DataStream.JOURNAL: ("munchkin_id", "adobe_client_id", "adobe_client_secret", "adobe_organisation", "journal_url"),
}
_CREDENTIALS = ("client_secret", "username", "password", "private_key", "refresh_token", "login_url")


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in a file; `environ` is where `{env: NAME}` looks. Raises `ConfigurationError` with all problems."""
    root = document(path)
    reading = Reading(directory=path.parent, environ=environ)
    rest: Settings | None = None
    try:
        rest = Section("", Settings).read(root, reading)
    except Invalid as error:
        reading.complain(error.place, str(error))
    except Broken as broken:
        rest = broken.rest  # what is wrong with single keys has been noted one by one; what contradicts itself is told as well
    if rest is not None:
        wrong = [problem.key for problem in reading.problems]
        for key, message in _contradictions(rest):
            if not any(_within(key, other) or _within(other, key) for other in wrong):
                reading.complain_of(key, message)
    if rest is None or reading.problems:
        raise ConfigurationError(str(path), reading.problems)
    return rest


def _within(key: str, other: str) -> bool:
    """Whether a key is another one, or a part of it."""
    return key == other or key.startswith(f"{other}.")


def _contradictions(settings: Settings) -> Iterator[tuple[str, str]]:
    for needs, problems in _RULES:
        if all(getattr(settings, name) is not None for name in needs):
            yield from problems(settings)


def _credential_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    salesforce = settings.salesforce
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


def _currency_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    currencies = settings.currencies
    if currencies.rates and currencies.corporate is None:
        yield "currencies.corporate", "rates are of no use without it; say in which currency Marketo keeps its amounts"
    elif currencies.corporate in currencies.rates:
        yield f"currencies.rates.{currencies.corporate}", "this is the corporate currency, whose rate is 1; remove the line"


def _retention_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    days = settings.retention.deleted_people_days
    if 0 < days < _DELETED_PEOPLE_DAYS_MIN:
        yield (
            "retention.deleted_people_days",
            (
                f"{days} is too short: a record can come back out of a recycle bin, or off a topic, for weeks; "
                f"write {_DELETED_PEOPLE_DAYS_MIN} or more, or 0 to keep them for ever"
            ),
        )


def _push_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    pushes = settings.pushes
    needed = _PUSH_NEEDED[pushes.data_stream]
    for name in (name for name in needed if getattr(pushes, name) is None):
        yield f"pushes.{name}", f"needed where data_stream is {pushes.data_stream}; the project in Adobe's developer console shows it"
    for name in _PUSH_NEEDED[DataStream.JOURNAL]:
        if name not in needed and getattr(pushes, name) is not None:
            yield f"pushes.{name}", f"of no use where data_stream is {pushes.data_stream}; remove it, or set data_stream"


_RULES: tuple[tuple[tuple[str, ...], Callable[[Settings], Iterator[tuple[str, str]]]], ...] = (
    (("salesforce",), _credential_problems),
    (("marketo",), _interval_problems),
    ((), _link_problems),
    (("kafka",), lambda settings: kafka_problems(settings.kafka)),
    ((), _retention_problems),
    ((), lambda settings: settings.console.oidc.problems()),
    ((), lambda settings: settings.schema_registry.problems()),
    ((), _push_problems),
    ((), _currency_problems),
    ((), custom_problems),
    ((), mapping_problems),
)
"""What may contradict itself, and the sections without defaults that must have been readable to tell."""
