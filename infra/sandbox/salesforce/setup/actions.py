"""Changes of the org's set-up: what an administrator does. Each is journaled as (verb, arguments) and carried out again at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.access.apps import App
from infra.sandbox.salesforce.records.formulas import compiled
from infra.sandbox.salesforce.rules.automation import AssignmentRule, Flow, ValidationRule
from infra.sandbox.salesforce.rules.duplicates import DuplicateRule
from infra.sandbox.salesforce.schema import personaccounts
from infra.sandbox.salesforce.schema.shapes import USER_OR_QUEUE, label_of, object_type, ref
from infra.sandbox.salesforce.schema.types import NUMERIC, Field, Kind, ObjectType, Schema
from infra.sandbox.salesforce.setup import channels as setup_channels
from infra.sandbox.salesforce.setup import rights as setup_access
from infra.sandbox.salesforce.setup.rights import object_of
from infra.sandbox.salesforce.setup.statuses import set_statuses
from infra.sandbox.salesforce.state.options import Options
from infra.sandbox.salesforce.state.state import State

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def apply_setup(org: State, verb: str, args: Mapping[str, Any]) -> None:
    """Raises ValueError for an unknown verb or arguments that make no sense; then nothing has changed."""
    action = _ACTIONS.get(verb)
    if action is None:
        raise ValueError(f"unknown set-up verb {verb!r}")
    action(org, args)
    org.forget_views()


def _define_field(org: State, args: Mapping[str, Any]) -> None:
    kind = object_of(org, args)
    field = field_of(args.get("field"))
    if field.name not in kind.fields and not field.custom:
        raise ValueError(f"{field.name}: the name of a custom field ends with __c")
    if field.master and (not kind.custom or "OwnerId" in kind.fields):
        raise ValueError(f"{field.name}: the fields that an object is defined with say whether its records are details of a master")
    formula = compiled(kind, field, field.formula) if field.formula is not None else None
    if field.rollup is not None:
        _check_rollup(org, kind, field)
    if field.name not in kind.fields:
        for row in org.store.tables[kind.name].rows.values():
            row.pop(field.name, None)
    kind.put_field(field)
    org.schema.forget_details()
    if field.indexed or (field.kind is Kind.REFERENCE and field.custom):
        org.store.tables[kind.name].add_index(field.name)
    if formula is not None:
        org.store.add_formula(kind, field.name, formula)
    if field.rollup is not None:
        child = org.store.tables[field.rollup.object]
        if not child.indexed(field.rollup.field):
            child.add_index(field.rollup.field)
        org.rollups.add(kind, field)


def _check_rollup(org: State, kind: ObjectType, field: Field) -> None:
    rollup = field.rollup
    child = org.schema.objects.get(rollup.object) if rollup is not None else None
    reference = child.fields.get(rollup.field) if child is not None and rollup is not None else None
    if rollup is None or child is None or reference is None or kind.name not in reference.reference_to:
        raise ValueError(f"{field.name}: a roll-up names a child object and its reference to {kind.name}")
    if rollup.op != "COUNT" and (rollup.of not in child.fields or child.fields[rollup.of].kind not in NUMERIC):
        raise ValueError(f"{field.name}: {rollup.op} needs a number of {rollup.object} in `of`")


def field_of(raw: Any) -> Field:
    """A field from its description: `{"name", "type" or "kind", "length", "picklist": [...], ...}`; sizes have defaults."""
    if not isinstance(raw, Mapping):
        raise ValueError("field must be an object")  # noqa: TRY004 - a refusal of input, not a bug
    values = dict(raw)
    values["kind"] = values.pop("type", values.get("kind", "string"))
    values.setdefault("label", label_of(str(values.get("name", ""))))
    kind = values["kind"]
    if kind in ("string", "textarea", "url", "picklist", "multipicklist"):
        values.setdefault("length", 255)
    elif kind in ("email", "phone"):
        values.setdefault("length", 80 if kind == "email" else 40)
    elif kind in ("double", "currency", "percent", "int"):
        values.setdefault("precision", 18 if kind != "int" else 8)
        values.setdefault("scale", 0 if kind == "int" else 2)
    elif kind == "boolean":
        values = {"nillable": False, "default": False, **values}
    elif kind == "reference":
        values.setdefault("relationship", str(values.get("name", "")).removesuffix("__c") + "__r")
        if values.get("master"):
            values = {"updateable": bool(values.get("reparentable")), **values, "nillable": False}
    if values.get("formula"):
        values = {**values, "derived": True, "createable": False, "updateable": False}
    elif values.get("rollup") or values.get("auto_number"):
        values = {**values, "createable": False, "updateable": False}
    field = msgspec.convert(values, Field)
    if field.kind is Kind.REFERENCE and not field.reference_to:
        raise ValueError(f"{field.name}: a reference names its objects in reference_to")
    if field.master and (field.kind is not Kind.REFERENCE or len(field.reference_to) != 1):
        raise ValueError(f"{field.name}: a master is a reference to one object")
    return field


def _define_object(org: State, args: Mapping[str, Any]) -> None:
    name = str(args.get("name", ""))
    if not name.endswith("__c") or name in org.schema.objects:
        raise ValueError(f"{name!r}: the name of a new custom object ends with __c")
    fields = [field_of(raw) for raw in args.get("fields", [])]
    if not any(field.name == "Name" for field in fields):
        fields.insert(0, field_of({"name": "Name", "type": "string", "length": 80}))
    masters = [field for field in fields if field.master]
    owners = () if masters else USER_OR_QUEUE
    kind: ObjectType = object_type(name, str(args.get("prefix") or _free_prefix(org.schema)), fields, owners=owners)
    kind.label = str(args.get("label") or kind.label)
    org.schema.add_object(kind)
    org.store.add_object(kind)
    for field in fields:
        if field.kind is Kind.REFERENCE or field.formula:
            _define_field(org, {"object": name, "field": msgspec.to_builtins(field)})
    if args.get("activities"):
        for activity in ("Task", "Event"):
            what = org.schema.objects[activity].fields["WhatId"]
            org.schema.objects[activity].put_field(msgspec.structs.replace(what, reference_to=(*what.reference_to, name)))


def _map_lead_fields(org: State, args: Mapping[str, Any]) -> None:
    """{"fields": {lead field: ["Contact.X__c", "Account.Y__c", ...]}}: which custom fields a conversion hands on; replaces what was."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, targets in dict(args.get("fields", {})).items():
        for target in targets:
            owner, _, there = str(target).partition(".")
            known = owner in ("Account", "Contact", "Opportunity") and there in org.schema.objects[owner].fields
            if name not in org.schema.objects["Lead"].fields or not known:
                raise ValueError(f"{name} can't be mapped to {target}")
            found.setdefault(owner, []).append((str(name), there))
    org.lead_mapping = found


def _free_prefix(schema: Schema) -> str:
    return next(f"a{a}{b}" for a in BASE62 for b in BASE62 if f"a{a}{b}" not in schema.by_prefix)


def _add_rule(rule_type: type[Flow | ValidationRule | AssignmentRule]) -> Callable[[State, Mapping[str, Any]], None]:
    def add(org: State, args: Mapping[str, Any]) -> None:
        rule = msgspec.convert(dict(args), rule_type)
        kind = object_of(org, args)
        if isinstance(rule, Flow):
            unknown = [name for name in (*rule.set, *rule.changed) if name not in kind.fields]
            if unknown:
                raise ValueError(f"{kind.name} has no field {unknown[0]!r}")
        org.automation.add(rule)

    return add


def _remove_rule(org: State, args: Mapping[str, Any]) -> None:
    name = str(args.get("name", ""))
    if org.duplicate_rules.pop(name, None) is None and not org.automation.remove(name):
        raise ValueError(f"no rule named {args.get('name')!r}")


def _add_duplicate_rule(org: State, args: Mapping[str, Any]) -> None:
    rule = msgspec.convert(dict(args), DuplicateRule)
    kind = object_of(org, args)
    unknown = [name for name in rule.fields if name not in kind.fields]
    if unknown or not rule.fields:
        raise ValueError(f"{kind.name} has no field {unknown[0] if unknown else ''!r}")
    org.duplicate_rules[rule.name] = rule


def _enable_person_accounts(org: State, _: Mapping[str, Any]) -> None:
    for field in personaccounts.enable(org.schema):
        if field.indexed:
            org.store.tables["Account"].add_index(field.name)


def _use_record_types(org: State, args: Mapping[str, Any]) -> None:
    """{object}: gives the object a RecordTypeId; the types themselves are records of RecordType."""
    object_of(org, args).put_field(ref("RecordTypeId", "RecordType"))


def _set_options(org: State, args: Mapping[str, Any]) -> None:
    options = msgspec.convert({**msgspec.structs.asdict(org.options), **args}, Options)
    org.options = options
    org.api_calls.most = options.api_calls_per_day
    org.delivered.most = options.delivered_events_per_day
    org.bulk_queries.most = options.bulk_jobs_per_day
    org.sessions.lifetime_ms = int(options.session_seconds * 1000)


def _add_app(org: State, args: Mapping[str, Any]) -> None:
    app = msgspec.convert(dict(args), App)
    org.apps.apps[app.client_id] = app


def _register_certificate(org: State, args: Mapping[str, Any]) -> None:
    app = org.apps.apps.get(str(args.get("client_id", "")))
    if app is None:
        raise ValueError("no app with that client_id")
    app.certificate = str(args.get("pem", ""))


def _set_password(org: State, args: Mapping[str, Any]) -> None:
    org.apps.passwords[str(args["username"])] = str(args["password"])


def _add_refresh_token(org: State, args: Mapping[str, Any]) -> None:
    org.apps.refresh_tokens[str(args["token"])] = (str(args["client_id"]), str(args["username"]))


_ACTIONS: dict[str, Callable[[State, Mapping[str, Any]], None]] = {
    "define_field": _define_field,
    "define_object": _define_object,
    "set_field_permission": setup_access.set_field_permission,
    "set_object_permission": setup_access.set_object_permission,
    "set_view_all_data": setup_access.set_view_all_data,
    "add_flow": _add_rule(Flow),
    "add_validation_rule": _add_rule(ValidationRule),
    "add_assignment_rule": _add_rule(AssignmentRule),
    "remove_rule": _remove_rule,
    "define_profile": setup_access.define_profile,
    "define_permission_set": setup_access.define_bundle,
    "assign_permissions": setup_access.assign_bundles,
    "set_sharing": setup_access.set_sharing,
    "add_duplicate_rule": _add_duplicate_rule,
    "enable_person_accounts": _enable_person_accounts,
    "use_record_types": _use_record_types,
    "set_statuses": set_statuses,
    "map_lead_fields": _map_lead_fields,
    "select_entities": setup_channels.select_entities,
    "add_managed_subscription": setup_channels.add_managed_subscription,
    "commit_replay": setup_channels.commit_replay,
    "add_channel": setup_channels.add_channel,
    "add_channel_member": setup_channels.add_channel_member,
    "remove_channel_member": setup_channels.remove_channel_member,
    "set_options": _set_options,
    "add_app": _add_app,
    "register_certificate": _register_certificate,
    "set_password": _set_password,
    "add_refresh_token": _add_refresh_token,
}
PUBLIC_SETUP = frozenset(_ACTIONS) - {"commit_replay", "use_record_types", "add_app", "set_password", "add_refresh_token"}
