"""One section of the configuration alone: what tandem-migrate and tandem-topics need, whatever else the file asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from consumers.configuration.access import kafka_problems
from consumers.configuration.groups.connections import KafkaSettings, PostgresSettings
from consumers.configuration.groups.custom import CustomObjectSettings
from consumers.configuration.reading.places import ConfigurationError, Invalid, Reading, document
from consumers.configuration.reading.sections import Broken, settings
from consumers.configuration.settings import Settings


def kafka_in(path: Path, environ: Mapping[str, str]) -> KafkaSettings:
    """How Kafka is reached. Raises `ConfigurationError` with all problems of that section."""
    told, reading = _section(path, environ, "kafka")
    for key, message in kafka_problems(told):
        reading.complain_of(key, message)
    if reading.problems:
        raise ConfigurationError(str(path), reading.problems)
    return cast("KafkaSettings", told)


def postgres_in(path: Path, environ: Mapping[str, str]) -> PostgresSettings:
    """How the database is reached. Raises `ConfigurationError` with all problems of that section."""
    return cast("PostgresSettings", _section(path, environ, "postgres")[0])


def custom_objects_in(path: Path, environ: Mapping[str, str]) -> Mapping[str, CustomObjectSettings]:
    """The custom objects that are declared; none where the file says nothing of any. Raises as `kafka_in`."""
    if not any(key.key == "custom_objects" for key, _ in document(path).items()):
        return {}
    return cast("Mapping[str, CustomObjectSettings]", _section(path, environ, "custom_objects")[0])


def _section(path: Path, environ: Mapping[str, str], wanted: str) -> tuple[Any, Reading]:
    root, reading = document(path), Reading(directory=path.parent, environ=environ)
    try:
        for name, _, value in reading.unique_items(root):
            if name == wanted:
                return settings(Settings)[wanted].kind.read(value, reading), reading
        reading.complain(root, f"{wanted} is missing; add it ({settings(Settings)[wanted].kind.words()})")
    except Invalid as error:
        reading.complain(error.place, str(error))
    except Broken:
        pass  # its problems have been noted one by one
    raise ConfigurationError(str(path), reading.problems)
