"""Changes of the org's set-up: what an administrator does. Each is journaled as (verb, arguments) and carried out again at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.rules.automation import AssignmentRule, Flow, ValidationRule
from infra.sandbox.salesforce.setup import apps, channels, fields, rights, rules, statuses
from infra.sandbox.salesforce.state.options import Options
from infra.sandbox.salesforce.state.state import State


def apply_setup(org: State, verb: str, args: Mapping[str, Any]) -> None:
    """Raises ValueError for an unknown verb or arguments that make no sense; then nothing has changed."""
    action = _ACTIONS.get(verb)
    if action is None:
        raise ValueError(f"unknown set-up verb {verb!r}")
    action(org, args)
    org.forget_views()


def _set_options(org: State, args: Mapping[str, Any]) -> None:
    options = msgspec.convert({**msgspec.structs.asdict(org.options), **args}, Options)
    org.options = options
    org.api_calls.most = options.api_calls_per_day
    org.delivered.most = options.delivered_events_per_day
    org.bulk_queries.most = options.bulk_jobs_per_day
    org.sessions.lifetime_ms = int(options.session_seconds * 1000)


_ACTIONS: dict[str, Callable[[State, Mapping[str, Any]], None]] = {
    "define_field": fields.define_field,
    "delete_field": fields.delete_field,
    "rename_field": fields.rename_field,
    "define_object": fields.define_object,
    "set_field_permission": rights.set_field_permission,
    "set_object_permission": rights.set_object_permission,
    "set_view_all_data": rights.set_view_all_data,
    "add_flow": rules.add_rule(Flow),
    "add_validation_rule": rules.add_rule(ValidationRule),
    "add_assignment_rule": rules.add_rule(AssignmentRule),
    "remove_rule": rules.remove_rule,
    "define_profile": rights.define_profile,
    "define_permission_set": rights.define_bundle,
    "assign_permissions": rights.assign_bundles,
    "set_sharing": rights.set_sharing,
    "add_duplicate_rule": rules.add_duplicate_rule,
    "enable_person_accounts": fields.enable_person_accounts,
    "enable_currencies": fields.enable_currencies,
    "use_record_types": fields.use_record_types,
    "set_statuses": statuses.set_statuses,
    "map_lead_fields": fields.map_lead_fields,
    "select_entities": channels.select_entities,
    "add_managed_subscription": channels.add_managed_subscription,
    "commit_replay": channels.commit_replay,
    "add_channel": channels.add_channel,
    "add_channel_member": channels.add_channel_member,
    "remove_channel_member": channels.remove_channel_member,
    "set_options": _set_options,
    "add_app": apps.add_app,
    "register_certificate": apps.register_certificate,
    "set_password": apps.set_password,
    "add_refresh_token": apps.add_refresh_token,
}
PUBLIC_SETUP = frozenset(_ACTIONS) - {"commit_replay", "use_record_types", "add_app", "set_password", "add_refresh_token"}
