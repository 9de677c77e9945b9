"""Validation rules, flows and assignment rules: what the org itself does to a record that is saved.

Conditions are SOQL conditions over the record as it would be saved. A before-save flow rewrites the values of the same save; an after-save
flow makes a change of its own in the same transaction, by the same user (so change events carry the same commitUser).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from infra.sandbox.salesforce.schema.types import Row, Value

Timing = Literal["before_save", "after_save"]
Occasion = Literal["create", "update"]


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a flow puts into a field: exactly one of the four."""

    value: str | int | float | bool | None = None
    copy: str | None = None
    """Another field's value."""
    transform: Literal["trim", "upper", "lower", "title", "digits", "phone", "truncate"] | None = None
    """Done to the field's own value (or to that of `copy`)."""
    add: float | None = None
    """Added to the field's own number."""
    length: int = 0
    """For `truncate`, in characters."""


class Flow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    object: str
    timing: Timing
    set: dict[str, Assignment]
    when: str | None = None
    """SOQL condition; none means always."""
    on: tuple[Occasion, ...] = ("create", "update")
    changed: tuple[str, ...] = ()
    """Runs only when one of these fields changes."""
    users: tuple[str, ...] = ()
    """Runs only for these user names."""


class ValidationRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Refuses a record for which `when` holds, with FIELD_CUSTOM_VALIDATION_EXCEPTION."""

    name: str
    object: str
    when: str
    message: str
    field: str | None = None


class AssignmentRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Gives a record that is created (or updated) through the API to another owner, unless `Sforce-Auto-Assign: FALSE`."""

    name: str
    object: str
    owner: str
    when: str | None = None


Condition = Callable[[Row], bool]


class Automation:
    """The active rules, by object, with their conditions compiled by `compile_condition(object, text)`."""

    def __init__(self, compile_condition: Callable[[str, str], Condition]) -> None:
        self._compile = compile_condition
        self.flows: dict[str, Flow] = {}
        self.rules: dict[str, ValidationRule] = {}
        self.assignments: dict[str, AssignmentRule] = {}
        self._conditions: dict[tuple[str, str], Condition] = {}

    def add(self, rule: Flow | ValidationRule | AssignmentRule) -> None:
        """Adds or replaces the rule of that name. Raises `ApiError` when its condition can't be read."""
        if rule.when is not None:
            self._condition(rule.object, rule.when)
        match rule:
            case Flow():
                self.flows[rule.name] = rule
            case ValidationRule():
                self.rules[rule.name] = rule
            case AssignmentRule():
                self.assignments[rule.name] = rule

    def remove(self, name: str) -> bool:
        found = [each.pop(name, None) for each in (self.flows, self.rules, self.assignments)]
        return any(each is not None for each in found)

    def flows_for(self, object_name: str, timing: Timing, occasion: Occasion, user: str, changed: set[str]) -> list[Flow]:
        """The flows that this save sets off, their conditions not yet asked."""
        if not self.flows:
            return []
        return [
            flow for flow in self.flows.values()
            if flow.object == object_name and flow.timing == timing and occasion in flow.on
            and (not flow.users or user in flow.users) and (not flow.changed or not changed.isdisjoint(flow.changed))
        ]  # fmt: skip

    def holds(self, object_name: str, when: str | None, row: Row) -> bool:
        return when is None or self._condition(object_name, when)(row)

    def broken_rule(self, object_name: str, row: Row) -> ValidationRule | None:
        for rule in self.rules.values():
            if rule.object == object_name and self.holds(object_name, rule.when, row):
                return rule
        return None

    def assigned_owner(self, object_name: str, row: Row) -> str | None:
        for rule in self.assignments.values():
            if rule.object == object_name and self.holds(object_name, rule.when, row):
                return rule.owner
        return None

    def _condition(self, object_name: str, text: str) -> Condition:
        key = (object_name, text)
        if key not in self._conditions:
            self._conditions[key] = self._compile(object_name, text)
        return self._conditions[key]


def worked_out(assignment: Assignment, name: str, row: Mapping[str, Value]) -> Value:
    """The value that the flow puts there."""
    if assignment.add is not None:
        here = row.get(name)
        return (here if isinstance(here, int | float) else 0) + assignment.add
    if assignment.transform is not None:
        return _transformed(assignment, row.get(assignment.copy or name))
    return row.get(assignment.copy) if assignment.copy is not None else assignment.value


def _transformed(assignment: Assignment, value: Value) -> Value:
    if not isinstance(value, str):
        return value
    match assignment.transform:
        case "upper":
            return value.upper()
        case "lower":
            return value.lower()
        case "title":
            return value.title()
        case "digits":
            return re.sub(r"\D", "", value)
        case "phone":
            return _phone(value)
        case "truncate":
            return value[: assignment.length]
        case _:
            return " ".join(value.split())


def _phone(value: str) -> str:
    """Ten digits as `(415) 555-0123`, as the Salesforce user interface writes them; anything else as it is."""
    digits = re.sub(r"\D", "", value)
    if len(digits) == 11 and digits[0] == "1":
        digits = digits[1:]
    return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}" if len(digits) == 10 else value
