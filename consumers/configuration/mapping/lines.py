"""One line of a mapping: what the kind says by default and what the configuration changes of it, as the merge needs it."""

import hashlib
from dataclasses import replace

from consumers.configuration.groups.rules import FieldEntry, RuleEntry
from consumers.mapping.describes import MARKETO_TEXT_MAX, FieldFacts
from consumers.mapping.fields import Direction, FieldMapping, FieldType, Overlong, Rule, RuleName, Unwanted
from consumers.mapping.kind import Default
from streams.wire.systems import System

_NUMBERS = frozenset({FieldType.NUMBER, FieldType.CURRENCY, FieldType.PERCENT})

OPT_OUTS = frozenset(
    {"HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall", "unsubscribed", "doNotCall", "marketingSuspended", "blackListed"}
)
"""What says, on either side, that a person doesn't want to be addressed; such a field follows `true_wins` unless configured otherwise."""


def field_of(marketo: str, default: Default | None, entry: FieldEntry, winner: System, flow: Direction) -> FieldMapping:
    """The line for a field of Marketo's. `winner`, `flow`: of its object, where neither line nor configuration says."""
    salesforce = entry.salesforce or (default.salesforce if default else "")
    kind = entry.type or (default.type if default else FieldType.TEXT)
    opt_out = kind is FieldType.BOOLEAN and not OPT_OUTS.isdisjoint({salesforce, marketo})
    direction = _direction(default, entry, flow)
    winner = System.MARKETO if default and default.direction is Direction.TO_SALESFORCE else winner
    return FieldMapping(
        key=marketo,
        salesforce=salesforce,
        marketo=marketo,
        type=kind,
        direction=direction,
        rule=_rule(entry.rule, winner, opt_out=opt_out),
        overlong=entry.overlong or (default.overlong if default else Overlong.REFUSE),
        unwanted=entry.unwanted or Unwanted.PUT_BACK,
        required_default=entry.default or (default.required_default if default else None),
        blank=default.blank if default else "",
        parent=default.parent if default else "",
        parent_required=bool(default and default.required),
        parent_may_lack=bool(default and default.may_lack),
        placeholder=bool(default and default.placeholder),
        parent_number=bool(default and default.by_number),
    )


def _direction(default: Default | None, entry: FieldEntry, flow: Direction) -> Direction:
    """A reference flows as its kind says it does; the rest as configured, else as its line says, else as its kind does."""
    if default and default.parent:
        return default.direction or Direction.TO_MARKETO
    return entry.direction or (default.direction if default and default.direction else flow)


def _rule(entry: RuleEntry | None, winner: System, *, opt_out: bool) -> Rule:
    if entry is None and opt_out:
        return Rule(name=RuleName.TRUE_WINS, default=winner)
    if entry is None:
        return Rule(name=RuleName(str(winner)), default=winner)
    return Rule(
        name=entry.name,
        default=winner,
        tolerance_ms=entry.tolerance_ms,
        order=entry.order,
        function=entry.function,
        version=digest(f"{entry.order}|{entry.function_name}")[:6] if entry.order or entry.function else "1",
    )


def measured(made: FieldMapping, salesforce: FieldFacts | None, marketo: FieldFacts | None) -> FieldMapping:
    """The same with what both sides can hold, as they describe it."""
    scales = [facts.scale for facts in (salesforce, marketo) if facts and facts.scale is not None]
    return replace(
        made,
        scale=min(scales) if scales and made.type in _NUMBERS else None,
        salesforce_length=salesforce.length if salesforce else None,
        marketo_length=marketo.length if marketo else None,
        marketo_bytes=marketo is not None and marketo.wire_type == "text" and marketo.length == MARKETO_TEXT_MAX,
    )


def digest(text: str) -> str:
    """What a rule or a mapping is told apart by."""
    return hashlib.sha256(text.encode()).hexdigest()
