"""By what a record is found in a batch. Pure."""

from consumers.ledger.port import Named
from streams.wire.events import ChangeEvent
from streams.wire.systems import MARKETO, PERSON, SALESFORCE, Object, System

_ANY = Object("")
"""Of Salesforce, whose ids are unique in the whole org."""


def named(system: System, obj: Object, record: str) -> Named:
    """By what a record is found."""
    return (system, _ANY, record) if system is SALESFORCE else (system, obj, record)


def name_of(event: ChangeEvent) -> Named:
    """By what the record of an event is found."""
    return (SALESFORCE, _ANY, event.id) if event.system is SALESFORCE else (MARKETO, event.object, event.id)


def name_in_full(event: ChangeEvent) -> Named:
    """The record of an event, as the ledger remembers it."""
    return (event.system, event.object, event.id)


def into_of(event: ChangeEvent) -> Named:
    """The record that the event's is part of from now on, as the ledger remembers it."""
    return (event.system, Object(event.into_object) if event.into_object else event.object, event.into)


def stored_name(system: System, record: str) -> Named:
    """By what the person is found whose id a person of `system` carries."""
    return (SALESFORCE, _ANY, record) if system is MARKETO else (MARKETO, PERSON, record)
