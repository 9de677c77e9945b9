"""Installing a flow-step service: its OpenAPI document and its definition are read and checked, and its choices asked for (service
provider interface)."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from infra.sandbox.kernel.system import VerbRefusedError
from infra.sandbox.marketo.state.records import Row

CHOICES_MAX = 1_000
_NEEDED = ("apiName", "provider", "i18n", "invocationEndpoint", "statusEndpoint", "authSetting", "primaryAttribute")
_PAYLOADS = ("invocationPayloadDef", "callbackPayloadDef")
_RESERVED = frozenset({"success", "reason", "errorCode"})
_TYPES = frozenset({"boolean", "integer", "date", "datetime", "email", "float", "score", "string", "url", "text"})
_WAIT = aiohttp.ClientTimeout(total=30)


async def installed(url: str, key: str) -> Row:
    """The service behind an install document. Raises VerbRefusedError with what is wrong with it."""
    async with aiohttp.ClientSession(timeout=_WAIT) as session:
        document = await _asked(session, "GET", url, {})
        base = _base(document)
        header = _header(document)
        headers = {header: key}
        definition = await _asked(session, "GET", f"{base}/getServiceDefinition", headers)
        _check(definition)
        told = definition["invocationPayloadDef"]
        attributes = told.get("flowAttributes") or []
        choices = {}
        for each in attributes:
            if each.get("picklistUrl"):
                body = {"name": each["apiName"], "type": "flow", "fieldMappingContext": {"invocation": [], "callback": []}}
                found = await _asked(session, "POST", each["picklistUrl"], headers, body)
                choices[each["apiName"]] = _choices(found)
    return {
        "name": definition["i18n"]["en_US"]["name"],
        "url": definition["invocationEndpoint"],
        "headers": {definition["authSetting"].get("headerName", header): key},
        "fields": [each["suggestedMarketoAttribute"] for each in told.get("fields") or []],
        "flowAttributes": {each["apiName"]: each["i18n"]["en_US"]["name"] for each in attributes},
        "attributes": {each["apiName"]: each["i18n"]["en_US"]["name"] for each in definition["callbackPayloadDef"].get("attributes") or []},
        "primary": definition["primaryAttribute"],
        "choices": choices,
    }


def _base(document: Mapping[str, Any]) -> str:
    servers, paths = document.get("servers") or [], document.get("paths") or {}
    if not str(document.get("openapi", "")).startswith("3.") or not servers:
        raise VerbRefusedError("no OpenAPI 3 document that names a server")
    for path, method in (("/getServiceDefinition", "get"), ("/status", "get"), ("/submitAsyncAction", "post")):
        if method not in (paths.get(path) or {}):
            raise VerbRefusedError(f"the document lacks {method.upper()} {path}")
    return str(servers[0]["url"])


def _header(document: Mapping[str, Any]) -> str:
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    found = [one for one in schemes.values() if one.get("type") == "apiKey" and one.get("in") == "header"]
    if not found:
        raise VerbRefusedError("the sandbox knows services with an API key in a header; the document names none")
    return str(found[0]["name"])


def _check(definition: Mapping[str, Any]) -> None:
    missing = [name for name in (*_NEEDED, *_PAYLOADS) if not definition.get(name)]
    if missing:
        raise VerbRefusedError(f"the service definition lacks {', '.join(missing)}")
    if not (definition.get("supportPage") or definition.get("supportEmail")):
        raise VerbRefusedError("the service definition names neither supportPage nor supportEmail")
    flow = {each["apiName"] for each in definition["invocationPayloadDef"].get("flowAttributes") or []}
    back = {each["apiName"] for each in definition["callbackPayloadDef"].get("attributes") or []}
    if definition["primaryAttribute"] not in flow or definition["primaryAttribute"] in back:
        raise VerbRefusedError("primaryAttribute must be one of the flow attributes, and none of the callback's")
    if flow & back or (flow | back) & _RESERVED:
        raise VerbRefusedError("flow and callback attributes must differ, and not be called success, reason or errorCode")
    every = [*(definition["invocationPayloadDef"].get("flowAttributes") or []), *(definition["callbackPayloadDef"].get("attributes") or [])]
    unknown = [each["apiName"] for each in every if each.get("dataType") not in _TYPES]
    if unknown:
        raise VerbRefusedError(f"unknown data types of {', '.join(unknown)}")


def _choices(found: Mapping[str, Any]) -> list[Any]:
    choices = found.get("choices")
    if not isinstance(choices, list) or len(choices) > CHOICES_MAX:
        raise VerbRefusedError(f"a picklist has up to {CHOICES_MAX} choices")
    if any("en_US" not in each.get("displayValue", {}) or "submittedValue" not in each for each in choices):
        raise VerbRefusedError("each choice has displayValue.en_US and submittedValue")
    return [each["submittedValue"] for each in choices]


async def _asked(session: aiohttp.ClientSession, method: str, url: str, headers: Mapping[str, str], body: Any = None) -> dict[str, Any]:
    data = None if body is None else orjson.dumps(body)
    try:
        async with session.request(method, url, data=data, headers={"Content-Type": "application/json", **headers}) as answer:
            if answer.status != 200:
                raise VerbRefusedError(f"{method} {url}: HTTP {answer.status}")
            found = orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        raise VerbRefusedError(f"{method} {url}: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise VerbRefusedError(f"{method} {url}: an object expected")
    return found
