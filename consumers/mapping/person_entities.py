"""A person's objects in Salesforce as the sources read them, and the topics that carry a person's changes."""

from collections.abc import Mapping

from streams.salesforce.entity import Entity
from streams.wire.systems import CONTACT, LEAD, MARKETO, PERSON, SALESFORCE, Object, System
from streams.wire.topics import change_topics

LEAD_ENTITY = Entity(object=LEAD, name="Lead", merges=True, converts=CONTACT)
CONTACT_ENTITY = Entity(object=CONTACT, name="Contact", merges=True)
ENTITIES: Mapping[Object, Entity] = {entity.object: entity for entity in (LEAD_ENTITY, CONTACT_ENTITY)}

OBJECTS: tuple[tuple[System, Object], ...] = (*((SALESFORCE, obj) for obj in ENTITIES), (MARKETO, PERSON))
"""What is kept in step on each side: each has a topic."""
CHANGE_TOPICS = change_topics(OBJECTS)
