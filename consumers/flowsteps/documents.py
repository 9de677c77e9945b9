"""What Marketo reads of a service at its installation: the OpenAPI document and the definition of the step. Pure.

In the form of Adobe's Self-Service Flow Action service provider interface 0.2: each step is a service of its own, under a path of its own.
"""

from typing import Any

from consumers.configuration.groups.services import FlowStepSettings
from consumers.errands.catalogue import STEPS, Input, Step
from consumers.errands.errand import What

HEADER = "x-api-key"
ROOT = "/flow-steps"
DOCUMENT, DEFINITION, SUBMIT, PICKLIST, STATUS = "openapi.json", "getServiceDefinition", "submitAsyncAction", "getPicklist", "status"
INSTRUCTIONS, BRAND_ICON, SERVICE_ICON = "providerInstructions", "brandIcon", "serviceIcon"
PROVIDER, SUPPORT = "Tandem", "https://github.com/"
RECORD = "salesforceId"
"""The activity's own attribute: what was made or found."""
_OBJECT = {"type": "object"}


def base_of(settings: FlowStepSettings) -> str:
    """Where Marketo reaches the service."""
    return settings.url or f"http://{settings.host}:{settings.port}"


def addresses(settings: FlowStepSettings) -> tuple[str, ...]:
    """What an administrator installs in Marketo, one for each step; none where nothing is served."""
    return tuple(f"{base_of(settings)}{ROOT}/{what}/{DOCUMENT}" for what in STEPS) if settings.key else ()


def install_document(base: str, what: What) -> dict[str, Any]:
    """The OpenAPI document that an administrator installs a step by. `base`: where Marketo reaches the service."""
    step = STEPS[what]
    return {
        "openapi": "3.0.1",
        "info": {"title": f"Tandem: {step.name}", "description": step.doc, "version": "1"},
        "servers": [{"url": f"{base}{ROOT}/{what}"}],
        "security": [{"key": []}],
        "paths": {
            f"/{SUBMIT}": {"post": _operation("Takes people of a smart campaign", body=_SUBMISSION, status="201", what="Accepted")},
            f"/{DEFINITION}": {"get": _operation("Describes the step")},
            f"/{STATUS}": {"get": _operation("How the service is")},
            f"/{PICKLIST}": {"post": _operation("Choices for an input", body=_CHOICE)},
            f"/{INSTRUCTIONS}": {"get": _operation("How to configure the step", content="text/html")},
            f"/{BRAND_ICON}": {"get": _operation("Icon of the brand", content="image/png")},
            f"/{SERVICE_ICON}": {"get": _operation("Icon of the step", content="image/png")},
        },
        "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": HEADER}}},
    }


def definition(base: str, what: What) -> dict[str, Any]:
    """The service definition."""
    step, here = STEPS[what], f"{base}{ROOT}/{what}"
    return {
        "apiName": f"tandem{step.name.title().replace(' ', '')}",
        "provider": PROVIDER,
        "i18n": {
            "en_US": {
                "name": step.name,
                "filterName": f"Was asked for: {step.name}",
                "triggerName": f"Is asked for: {step.name}",
                "description": step.doc,
            }
        },
        "invocationEndpoint": f"{here}/{SUBMIT}",
        "statusEndpoint": f"{here}/{STATUS}",
        "authSetting": {"authType": "apiKey", "headerName": HEADER},
        "supportPage": f"{here}/{INSTRUCTIONS}",
        "primaryAttribute": step.inputs[0].name,
        "invocationPayloadDef": {
            "flowAttributes": [_attribute(each, here) for each in step.inputs],
            "globalAttributes": [],
            "fields": [],
            "userDrivenMapping": False,
            "subscriptionContext": True,
            "campaignContext": True,
            "programContext": False,
            "programMemberContext": False,
            "triggerContext": False,
        },
        "callbackPayloadDef": {
            "attributes": [_named(RECORD, "Salesforce Id", "The record that was made or found in Salesforce", "string")],
            "fields": [],
            "userDrivenMapping": False,
        },
    }


def instructions(step: Step) -> str:
    """How to configure the step, as a page."""
    rows = "".join(f"<dt>{each.label}{' (required)' if each.required else ''}</dt><dd>{each.doc}</dd>" for each in step.inputs)
    return f"<!doctype html><title>{step.name}</title><h1>{step.name}</h1><p>{step.doc}</p><dl>{rows}</dl>"


def _attribute(wanted: Input, here: str) -> dict[str, Any]:
    told = _named(wanted.name, wanted.label, wanted.doc, wanted.type)
    if wanted.choices is None:
        return told
    return {**told, "enforcePicklistSelect": False, "picklistUrl": f"{here}/{PICKLIST}"}


def _named(name: str, label: str, doc: str, kind: str) -> dict[str, Any]:
    return {"apiName": name, "dataType": kind, "i18n": {"en_US": {"name": label, "description": doc, "uiTooltip": doc}}}


def _operation(
    summary: str, *, body: dict[str, Any] | None = None, status: str = "200", what: str = "OK", content: str = "application/json"
) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} if content != "application/json" else _OBJECT
    answers = {status: {"description": what, "content": {content: {"schema": schema}}}, "401": {"description": "A wrong key"}}
    asked = {} if body is None else {"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}}
    return {"summary": summary, **asked, "responses": answers}


_SUBMISSION: dict[str, Any] = {
    "type": "object",
    "required": ["token", "batchid", "apiCallBackKey", "campaignId", "callbackUrl", "context", "objectData"],
    "properties": {
        "token": {"type": "string"},
        "batchid": {"type": "string"},
        "apiCallBackKey": {"type": "string"},
        "campaignId": {"type": "integer"},
        "callbackUrl": {"type": "string", "format": "uri"},
        "context": _OBJECT,
        "objectData": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["objectType", "objectContext"],
                "properties": {
                    "objectType": {"type": "string", "enum": ["lead"]},
                    "objectContext": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
                    "flowStepContext": _OBJECT,
                },
            },
        },
    },
}
_CHOICE: dict[str, Any] = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {"name": {"type": "string"}, "type": {"type": "string", "enum": ["flow", "global"]}},
}
