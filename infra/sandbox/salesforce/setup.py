"""Changes of the org's set-up: what an administrator does. Each is journaled as (verb, arguments) and carried out again at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from infra.sandbox.salesforce import personaccounts, setup_channels
from infra.sandbox.salesforce.automation import AssignmentRule, Flow, ValidationRule
from infra.sandbox.salesforce.duplicates import DuplicateRule
from infra.sandbox.salesforce.formulas import compiled
from infra.sandbox.salesforce.identity import App
from infra.sandbox.salesforce.profiles import Bundle
from infra.sandbox.salesforce.rights import FieldRight, ObjectRight
from infra.sandbox.salesforce.schema import NUMERIC, Field, Kind, ObjectType, Schema
from infra.sandbox.salesforce.standard import label_of, object_type, ref

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Limits and habits of the org. The daily allowances are far above those of a real edition, so that a benchmark isn't cut short."""

    api_calls_per_day: int = 5_000_000
    delivered_events_per_day: int = 5_000_000
    selected_entities_max: int = 5
    """Without the add-on, an org may select five entities for change data capture (CDC guide, allocations)."""
    session_seconds: float = 7200.0
    cometd_connect_seconds: float = 110.0
    """How long a connect is held when there is nothing to deliver (Streaming API guide, clients and timeouts)."""
    cometd_idle_seconds: float = 40.0
    """After that long without a connect the client id is forgotten; real time."""
    cometd_clients_max: int = 2000
    query_batch: int = 2000
    changes_per_transaction_max: int = 100_000
    """More changes than this in one transaction end in a GAP_OVERFLOW event (CDC guide, overflow events)."""
    pubsub_keepalive_seconds: float = 270.0
    """How long a subscription with events asked for stays without an answer (Pub/Sub API guide, flow control)."""
    pubsub_idle_seconds: float = 60.0
    """How long one on which no events are asked for stays open."""
    bulk_jobs_per_day: int = 10_000
    bulk_seconds: float = 0.0
    """How long a bulk job stays InProgress at least."""
    latest_date_held_back_seconds: int = 0
    """How far `latestDateCovered` stays behind, as it does while a transaction runs for long."""


def apply_setup(org: Org, verb: str, args: Mapping[str, Any]) -> None:
    """Raises ValueError for an unknown verb or arguments that make no sense; then nothing has changed."""
    action = _ACTIONS.get(verb)
    if action is None:
        raise ValueError(f"unknown set-up verb {verb!r}")
    action(org, args)
    org.forget_views()


def _define_field(org: Org, args: Mapping[str, Any]) -> None:
    kind = _object(org, args)
    field = field_of(args.get("field"))
    if field.name not in kind.fields and not field.custom:
        raise ValueError(f"{field.name}: the name of a custom field ends with __c")
    formula = compiled(kind, field, field.formula) if field.formula is not None else None
    if field.rollup is not None:
        _check_rollup(org, kind, field)
    if field.name not in kind.fields:
        for row in org.store.tables[kind.name].rows.values():
            row.pop(field.name, None)
    kind.put_field(field)
    if field.indexed or (field.kind is Kind.REFERENCE and field.custom):
        org.store.tables[kind.name].add_index(field.name)
    if formula is not None:
        org.store.add_formula(kind, field.name, formula)
    if field.rollup is not None:
        child = org.store.tables[field.rollup.object]
        if not child.indexed(field.rollup.field):
            child.add_index(field.rollup.field)
        org.rollups.add(kind, field)


def _check_rollup(org: Org, kind: ObjectType, field: Field) -> None:
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
    if values.get("formula"):
        values = {**values, "derived": True, "createable": False, "updateable": False}
    elif values.get("rollup") or values.get("auto_number"):
        values = {**values, "createable": False, "updateable": False}
    field = msgspec.convert(values, Field)
    if field.kind is Kind.REFERENCE and not field.reference_to:
        raise ValueError(f"{field.name}: a reference names its objects in reference_to")
    return field


def _define_object(org: Org, args: Mapping[str, Any]) -> None:
    name = str(args.get("name", ""))
    if not name.endswith("__c") or name in org.schema.objects:
        raise ValueError(f"{name!r}: the name of a new custom object ends with __c")
    fields = [field_of(raw) for raw in args.get("fields", [])]
    if not any(field.name == "Name" for field in fields):
        fields.insert(0, field_of({"name": "Name", "type": "string", "length": 80}))
    kind: ObjectType = object_type(name, str(args.get("prefix") or _free_prefix(org.schema)), fields)
    kind.label = str(args.get("label") or kind.label)
    org.schema.add_object(kind)
    org.store.add_object(kind)
    for field in fields:
        if field.kind is Kind.REFERENCE or field.formula:
            _define_field(org, {"object": name, "field": msgspec.to_builtins(field)})


def _free_prefix(schema: Schema) -> str:
    return next(f"a{a}{b}" for a in BASE62 for b in BASE62 if f"a{a}{b}" not in schema.by_prefix)


def _set_field_permission(org: Org, args: Mapping[str, Any]) -> None:
    kind = _object(org, args)
    name = str(args.get("field", ""))
    if name not in kind.fields:
        raise ValueError(f"{kind.name} has no field {name!r}")
    right = msgspec.convert({key: args[key] for key in ("readable", "editable") if key in args}, FieldRight)
    org.permissions.fields[_user_id(org, args), kind.name, name] = right


def _set_object_permission(org: Org, args: Mapping[str, Any]) -> None:
    kind = _object(org, args)
    wanted = {key: args[key] for key in ObjectRight.__struct_fields__ if key in args}
    org.permissions.objects[_user_id(org, args), kind.name] = msgspec.convert(wanted, ObjectRight)


def _set_view_all_data(org: Org, args: Mapping[str, Any]) -> None:
    org.permissions.view_all_data[_user_id(org, args)] = bool(args.get("value", True))


def _add_rule(rule_type: type[Flow | ValidationRule | AssignmentRule]) -> Callable[[Org, Mapping[str, Any]], None]:
    def add(org: Org, args: Mapping[str, Any]) -> None:
        rule = msgspec.convert(dict(args), rule_type)
        kind = _object(org, args)
        if isinstance(rule, Flow):
            unknown = [name for name in (*rule.set, *rule.changed) if name not in kind.fields]
            if unknown:
                raise ValueError(f"{kind.name} has no field {unknown[0]!r}")
        org.automation.add(rule)

    return add


def _remove_rule(org: Org, args: Mapping[str, Any]) -> None:
    name = str(args.get("name", ""))
    if org.duplicate_rules.pop(name, None) is None and not org.automation.remove(name):
        raise ValueError(f"no rule named {args.get('name')!r}")


def _define_bundle(org: Org, args: Mapping[str, Any]) -> None:
    """{name, everything?, objects?, fields?, view_all_data?}: a profile or permission set."""
    bundle = msgspec.convert(dict(args), Bundle)
    unknown = [name for name in bundle.objects if name not in org.schema.objects]
    if unknown:
        raise ValueError(f"no object {unknown[0]!r}")
    org.permissions.bundles[bundle.name] = bundle


def _assign_bundles(org: Org, args: Mapping[str, Any]) -> None:
    """{user, names}: the user's profile and permission sets; none is everything."""
    names = [str(each) for each in args.get("names", [])]
    unknown = [name for name in names if name not in org.permissions.bundles]
    if unknown:
        raise ValueError(f"no profile or permission set {unknown[0]!r}")
    org.permissions.assigned[_user_id(org, args)] = names


def _set_sharing(org: Org, args: Mapping[str, Any]) -> None:
    """{object, private}: whether only owners, and who has View All, see its records."""
    kind = _object(org, args)
    (org.permissions.private.add if args.get("private", True) else org.permissions.private.discard)(kind.name)


def _add_duplicate_rule(org: Org, args: Mapping[str, Any]) -> None:
    rule = msgspec.convert(dict(args), DuplicateRule)
    kind = _object(org, args)
    unknown = [name for name in rule.fields if name not in kind.fields]
    if unknown or not rule.fields:
        raise ValueError(f"{kind.name} has no field {unknown[0] if unknown else ''!r}")
    org.duplicate_rules[rule.name] = rule


def _enable_person_accounts(org: Org, _: Mapping[str, Any]) -> None:
    for field in personaccounts.enable(org.schema):
        if field.indexed:
            org.store.tables["Account"].add_index(field.name)


def _use_record_types(org: Org, args: Mapping[str, Any]) -> None:
    """{object}: gives the object a RecordTypeId; the types themselves are records of RecordType."""
    _object(org, args).put_field(ref("RecordTypeId", "RecordType"))


def _set_options(org: Org, args: Mapping[str, Any]) -> None:
    options = msgspec.convert({**msgspec.structs.asdict(org.options), **args}, Options)
    org.options = options
    org.api_calls.most = options.api_calls_per_day
    org.delivered.most = options.delivered_events_per_day
    org.bulk_queries.most = options.bulk_jobs_per_day
    org.sessions.lifetime_ms = int(options.session_seconds * 1000)


def _add_app(org: Org, args: Mapping[str, Any]) -> None:
    app = msgspec.convert(dict(args), App)
    org.apps.apps[app.client_id] = app


def _register_certificate(org: Org, args: Mapping[str, Any]) -> None:
    app = org.apps.apps.get(str(args.get("client_id", "")))
    if app is None:
        raise ValueError("no app with that client_id")
    app.certificate = str(args.get("pem", ""))


def _set_password(org: Org, args: Mapping[str, Any]) -> None:
    org.apps.passwords[str(args["username"])] = str(args["password"])


def _add_refresh_token(org: Org, args: Mapping[str, Any]) -> None:
    org.apps.refresh_tokens[str(args["token"])] = (str(args["client_id"]), str(args["username"]))


def _object(org: Org, args: Mapping[str, Any]) -> ObjectType:
    kind = org.schema.objects.get(str(args.get("object", "")))
    if kind is None:
        raise ValueError(f"no object {args.get('object')!r}")
    return kind


def _user_id(org: Org, args: Mapping[str, Any]) -> str:
    user = org.user_named(str(args.get("user", "")))
    if user is None:
        raise ValueError(f"no user {args.get('user')!r}")
    return str(user["Id"])


_ACTIONS: dict[str, Callable[[Org, Mapping[str, Any]], None]] = {
    "define_field": _define_field,
    "define_object": _define_object,
    "set_field_permission": _set_field_permission,
    "set_object_permission": _set_object_permission,
    "set_view_all_data": _set_view_all_data,
    "add_flow": _add_rule(Flow),
    "add_validation_rule": _add_rule(ValidationRule),
    "add_assignment_rule": _add_rule(AssignmentRule),
    "remove_rule": _remove_rule,
    "define_profile": _define_bundle,
    "define_permission_set": _define_bundle,
    "assign_permissions": _assign_bundles,
    "set_sharing": _set_sharing,
    "add_duplicate_rule": _add_duplicate_rule,
    "enable_person_accounts": _enable_person_accounts,
    "use_record_types": _use_record_types,
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
