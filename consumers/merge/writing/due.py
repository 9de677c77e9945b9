"""What is due for a pair, and from when on: a write, or a look, at each side. Pure."""

from collections.abc import Sequence

from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import Field, PairState, Record, Write, is_out
from consumers.merge.writing.plan import follows_deletion, is_known, is_there, left_alone, left_behind, may_create, merges_owed, owed
from streams.wire.systems import MARKETO, SALESFORCE, System

_REREAD_MS = 2_000
"""A record that is to be read waits no longer than this for a look that was due later (a lease, a silent write)."""


def due(state: PairState, rules: SyncRules, now: int, *, exact: bool) -> tuple[int, int, int, int]:
    """From when on there is something to do: write to Salesforce, write to Marketo, look at Salesforce, look at Marketo (0: not)."""
    if rules.objects[state.object].left_out:
        return state.due
    salesforce: list[tuple[str, Field]] = []
    marketo: list[tuple[str, Field]] = []
    silent_salesforce = silent_marketo = 0
    one_record, other_record = state.salesforce, state.marketo
    for key, field in state.unsettled().items():
        one, other, version = field.salesforce, field.marketo, field.version
        if one.shows != version:
            salesforce.append((key, field))
        if other.shows != version:
            marketo.append((key, field))
        if (one.writes or other.writes) and key not in rules.objects[state.object].by_key:
            continue  # of what isn't mapped (any more), as a lead's own fields once it is a contact, no reading tells
        if one.writes:
            silent_salesforce = _earliest(silent_salesforce, one.writes, one_record.calling)
        if other.writes:
            silent_marketo = _earliest(silent_marketo, other.writes, other_record.calling)
    fields_only = not (state.retract or state.merges or rules.delete_in_salesforce or one_record.deleted or other_record.deleted)
    waiting = bool(state.waiting)
    return (
        0 if fields_only and one_record.id and not salesforce else _write_due(state, SALESFORCE, rules, now, salesforce, exact=exact),
        0 if fields_only and other_record.id and not marketo else _write_due(state, MARKETO, rules, now, marketo, exact=exact),
        _look_due(state, SALESFORCE, now, silent_salesforce) if silent_salesforce or waiting or _asked(one_record) else 0,
        _look_due(state, MARKETO, now, silent_marketo) if silent_marketo or waiting or _asked(other_record) else 0,
    )


def _asked(record: Record) -> bool:
    """Whether a look may be due for the record itself."""
    return record.reread or record.calling != 0


def contested(state: PairState) -> bool:
    """Whether a field of this pair waits for a person."""
    for field in state.unsettled().values():  # noqa: SIM110 - twice as fast as any(), for every pair of every batch
        if field.hold:
            return True
    return False


def _earliest(before: int, writes: tuple[Write, ...], calling: int) -> int:
    """When the first of these writes is to be looked for, or what came before that; 0 is never. Not while its call is out."""
    first = min((entry.look_at for entry in writes if not calling or not is_out(entry, calling)), default=0)
    if not first:
        return before
    return first if not before else min(first, before)


def _write_due(state: PairState, target: System, rules: SyncRules, now: int, behind: Sequence[tuple[str, Field]], *, exact: bool) -> int:
    """`behind`: the fields whose agreement this side doesn't show."""
    record, mapping = state.record(target), rules.objects[state.object]
    if record.calling:
        return 0
    if state.retract and any(system is target for system, _ in state.retract):
        return state.due[_place(target)] or now
    if state.hold:
        return 0
    follows = state.record(target.other).deleted and follows_deletion(state, target, rules)
    if follows or (state.merges and merges_owed(state, target, rules)):
        wanted = True
    elif is_there(record, mapping):
        behind_hand = bool(behind) and _any_owed(state, target, rules, behind, exact=exact)
        wanted = is_known(record) and (behind_hand or (bool(state.merges) and left_behind(state, target, mapping) != ""))
    else:
        wanted = may_create(state, target, rules) or left_alone(state, target, mapping) != ""
    return (state.due[_place(target)] or now) if wanted else 0


def _any_owed(state: PairState, target: System, rules: SyncRules, behind: Sequence[tuple[str, Field]], *, exact: bool) -> bool:
    mapping = rules.objects[state.object].by_key
    for key, field in behind:
        item = mapping.get(key)
        if item is not None and owed(field, target, item, exact=exact):
            return True
    return False


def _look_due(state: PairState, system: System, now: int, silent: int) -> int:
    """`silent`: when the first write under way is to be looked for; 0: none is."""
    record = state.record(system)
    if record.deleted and not record.reread:
        return 0
    moments: list[int] = []
    if record.calling:
        moments.append(record.calling_until)
    if record.id and record.reread:
        moments.append(min(state.due[2 + _place(system)] or now, now + _REREAD_MS))
    if state.waiting:
        moments += [entry.until for entry in state.waiting if entry.event.system is system]
    if silent and (record.id or record.creating):
        moments.append(silent)
    return min(moments) if moments else 0


def _place(target: System) -> int:
    return 0 if target is SALESFORCE else 1
