"""The configuration of Kafka, in the form that its clients take."""

from collections.abc import Iterator

from consumers.configuration.groups.connections import KafkaSettings
from consumers.configuration.settings import Settings
from streams.ground.access import KafkaAccess, Sasl

_BY_PASSWORD = (Sasl.PLAIN, Sasl.SCRAM_SHA_256, Sasl.SCRAM_SHA_512)


def kafka_access(settings: Settings) -> KafkaAccess:
    """How to reach Kafka, with the secrets revealed."""
    return access_to(settings.kafka)


def access_to(told: KafkaSettings) -> KafkaAccess:
    """The same from its section alone."""
    return KafkaAccess(
        bootstrap=told.bootstrap_servers,
        tls=told.tls,
        ca_file=told.ca_file,
        certificate_file=told.certificate_file,
        key_file=told.key_file,
        key_password=told.key_password.reveal() if told.key_password else None,
        sasl=told.sasl,
        username=told.username or "",
        password=told.password.reveal() if told.password else "",
        token_file=told.token_file,
    )


def kafka_problems(told: KafkaSettings) -> Iterator[tuple[str, str]]:
    """What contradicts itself: key, and what to do."""
    by_password, by_token = told.sasl in _BY_PASSWORD, told.sasl is Sasl.OAUTHBEARER
    for name, wanted in (("username", by_password), ("password", by_password), ("token_file", by_token)):
        given = getattr(told, name) is not None
        if wanted and not given:
            yield "kafka", f"{name} is missing for sasl: {told.sasl}; add it"
        if given and not wanted:
            yield f"kafka.{name}", f"not used with sasl: {told.sasl}; remove it, or change kafka.sasl"
    for name in ("ca_file", "certificate_file", "key_file", "key_password"):
        if getattr(told, name) is not None and not told.tls:
            yield f"kafka.{name}", "not used without TLS; add `tls: true`, or remove it"
    if told.certificate_file is None and (told.key_file or told.key_password):
        yield "kafka", "certificate_file is missing beside its key; add it"
