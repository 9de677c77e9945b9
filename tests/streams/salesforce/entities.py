"""Objects that the sources are told of in tests."""

from streams.salesforce.api.entity import Entity
from streams.wire.systems import CONTACT, LEAD, Object

LEADS = Entity(object=LEAD, name="Lead", merges=True, converts=CONTACT)
CONTACTS = Entity(object=CONTACT, name="Contact", merges=True)
BOTH = (LEADS, CONTACTS)
ACCOUNTS = Entity(object=Object("account"), name="Account", merges=True)
OPPORTUNITIES = Entity(object=Object("opportunity"), name="Opportunity")
USERS = Entity(object=Object("user"), name="User", bin=False)
QUEUES = Entity(object=Object("queue"), name="Group", stream=False, bin=False, where=("Type = 'Queue'",))
TASKS = Entity(object=Object("task"), name="Task", archives=True)
