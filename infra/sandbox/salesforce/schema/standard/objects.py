"""All standard objects of an org. More come through the control verb `define_object`."""

from __future__ import annotations

from infra.sandbox.salesforce.schema.standard.activities import event, event_relation, task
from infra.sandbox.salesforce.schema.standard.sales import (
    account,
    campaign,
    campaign_member,
    campaign_member_status,
    contact,
    contact_role,
    lead,
    opportunity,
)
from infra.sandbox.salesforce.schema.standard.setup import setup_objects
from infra.sandbox.salesforce.schema.types import ObjectType


def standard_objects() -> list[ObjectType]:
    return [
        lead(), contact(), account(), campaign(), campaign_member(), campaign_member_status(), opportunity(), contact_role(), task(),
        event(), event_relation(), *setup_objects(),
    ]  # fmt: skip
