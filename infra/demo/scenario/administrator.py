"""What an administrator does before Tandem can start: custom fields, a flow, and Tandem's configuration file."""

from pathlib import Path

import yaml

from infra.demo.checker.table import (
    CUSTOM_OBJECTS,
    EXTERNAL_ID,
    FIELDS,
    LEAD,
    MARKETO_CUSTOM,
    PEOPLE,
    PLAN,
    QUALIFIER,
    SALESFORCE_CUSTOM,
    SUBSCRIPTION,
    CustomField,
    Kind,
)
from infra.demo.scenario.systems import Systems

FLOW = "Write mobile phone numbers our way"
POLL_SECONDS, POLL_ALONE_SECONDS = 10, 3
"""How often it polls beside the stream, and where no stream tells anything."""


async def prepare(systems: Systems) -> None:
    """The custom fields on both sides, Tandem's external id, and a flow that rewrites what is written."""
    for object_name in PEOPLE:
        await systems.verb("salesforce/define_field", {"object": object_name, "field": {
            "name": EXTERNAL_ID, "type": "string", "length": 18, "external_id": True, "unique": True}})  # fmt: skip
        for each in SALESFORCE_CUSTOM[object_name]:
            await systems.verb("salesforce/define_field", {"object": object_name, "field": _salesforce_field(each)})
    for name, (label, fields) in CUSTOM_OBJECTS.items():
        await systems.verb("salesforce/define_object", {"name": name, "label": label, "fields": list(fields)})
    for each in MARKETO_CUSTOM:
        await systems.verb("marketo/field/create", {"name": each.name, "displayName": each.label, "dataType": each.kind})
    rewritten = next(each.salesforce for each in FIELDS[LEAD] if each.kind is Kind.REWRITTEN_PHONE)
    flow = {"name": FLOW, "object": LEAD, "timing": "before_save", "changed": [rewritten], "set": {rewritten: {"transform": "phone"}}}
    await systems.verb("salesforce/add_flow", flow)


def write_configuration(file: Path, *, poll_seconds: int = POLL_SECONDS) -> None:
    """Tandem's configuration for the demo; addresses and secrets come from the environment that the stack hands over."""
    content = {
        "salesforce": {"url": _env("SALESFORCE_URL"), "client_id": _env("SALESFORCE_CLIENT_ID"),
                       "client_secret": _env("SALESFORCE_CLIENT_SECRET")},
        "marketo": {"url": _env("MARKETO_URL"), "client_id": _env("MARKETO_CLIENT_ID"), "client_secret": _env("MARKETO_CLIENT_SECRET"),
                    "calls_per_20_seconds": 90, "calls_per_day": 5_000_000, "polling_calls_per_day": 45_000,
                    "program_calls_per_day": 500_000},
        "kafka": {"bootstrap_servers": _env("KAFKA_BOOTSTRAP")},
        "postgres": {"dsn": _env("POSTGRES_DSN")},
        "people": {"qualify": [{QUALIFIER: True}]},
        "first_copy": "automatic",
        "lead": {"fields": {"leadScore": {"salesforce": "Lead_Score__c", "type": "number"},
                            "lastVisit": {"salesforce": "Last_Visit__c", "type": "datetime"}}},
        "contact": {"fields": {"interests": {"salesforce": "Interests__c", "type": "multipicklist"}}},
        "custom_objects": {
            SUBSCRIPTION: {"links": {"Contact__c": "contact", "Account__c": "account", "Plan__c": PLAN}, "stream": False},
            PLAN: {"stream": False},  # Salesforce selects five objects for its change events, and these are none of them
        },
        "task": {"as": "activity"}, "event": {"as": "activity"},
        "intervals": {"poll": f"{poll_seconds}s", "overlap": "1m", "activities_min": "1s", "activities_max": "2s", "lateness": "20s"},
        "settle": {"lease": "10s"},
        "flow_steps": {"key": _env("FLOW_STEPS_KEY"), "port": _env("FLOW_STEPS_PORT"), "callback_hosts": "localhost, 127.0.0.1"},
        "web": {"host": _env("WEB_HOST"), "port": _env("WEB_PORT")},
        "console": {"host": _env("CONSOLE_HOST"), "port": _env("CONSOLE_PORT")},
        "log": {"level": "info", "format": "json"},
    }  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content, sort_keys=False))


def _env(name: str) -> dict[str, str]:
    return {"env": f"TANDEM_{name}"}


def _salesforce_field(each: CustomField) -> dict[str, object]:
    told: dict[str, object] = {"name": each.name, "type": each.kind, "label": each.label}
    return {**told, "length": each.length} if each.length else {**told, "scale": 0} if each.kind == "double" else told
