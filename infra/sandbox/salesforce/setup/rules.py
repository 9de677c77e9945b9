"""Flows, validation, assignment and duplicate rules, as an administrator adds and removes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.rules.automation import AssignmentRule, Flow, ValidationRule
from infra.sandbox.salesforce.rules.duplicates import DuplicateRule
from infra.sandbox.salesforce.setup.rights import object_of
from infra.sandbox.salesforce.state.state import State


def add_rule(rule_type: type[Flow | ValidationRule | AssignmentRule]) -> Callable[[State, Mapping[str, Any]], None]:
    def add(org: State, args: Mapping[str, Any]) -> None:
        rule = msgspec.convert(dict(args), rule_type)
        kind = object_of(org, args)
        if isinstance(rule, Flow):
            unknown = [name for name in (*rule.set, *rule.changed) if name not in kind.fields]
            if unknown:
                raise ValueError(f"{kind.name} has no field {unknown[0]!r}")
        org.automation.add(rule)

    return add


def remove_rule(org: State, args: Mapping[str, Any]) -> None:
    name = str(args.get("name", ""))
    if org.duplicate_rules.pop(name, None) is None and not org.automation.remove(name):
        raise ValueError(f"no rule named {args.get('name')!r}")


def add_duplicate_rule(org: State, args: Mapping[str, Any]) -> None:
    rule = msgspec.convert(dict(args), DuplicateRule)
    kind = object_of(org, args)
    unknown = [name for name in rule.fields if name not in kind.fields]
    if unknown or not rule.fields:
        raise ValueError(f"{kind.name} has no field {unknown[0] if unknown else ''!r}")
    org.duplicate_rules[rule.name] = rule
