"""One transaction: changes of records with all that the org does to them, then journal and change events in one step.

Order of a save (Apex guide, order of execution): field checks, before-save flows, duplicate rules, required fields, validation rules,
uniqueness, the save, after-save flows, roll-ups. Changes are applied to memory at once and undone when a later step refuses; `commit`
appends everything as one journal block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.records.store import Table, changed_names, compact, put
from infra.sandbox.salesforce.records.values import checked
from infra.sandbox.salesforce.rules.automation import Flow, Occasion, worked_out
from infra.sandbox.salesforce.rules.duplicates import check_duplicates
from infra.sandbox.salesforce.saving import cascades, consequences
from infra.sandbox.salesforce.saving.checks import check_person, check_saved, check_shared, check_unlocked, live_row, table_of
from infra.sandbox.salesforce.saving.consequences import Changed, Consequence, Made
from infra.sandbox.salesforce.saving.derivations import auto_numbered, derive
from infra.sandbox.salesforce.schema import personaccounts
from infra.sandbox.salesforce.schema.compound import full_name
from infra.sandbox.salesforce.schema.standard.activities import CHILD
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType, Row, Value
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError
from infra.sandbox.salesforce.wire.stamps import stamp_of

FLOW_DEPTH_MAX = 5
PERSON_ACCOUNT = "person account"
CONSEQUENCE = "consequence"
Keep = Callable[[Caller, Sequence[Entry], int, Sequence[Entry]], None]
"""Journals what a caller changed, when it was changed, and what else belongs to it, then publishes. OSError: nothing happened."""


class Transaction:
    def __init__(self, org: State, caller: Caller, keep: Keep) -> None:
        self._org = org
        self._caller = caller
        self._keep = keep
        self._now_ms = org.clock.now_ms()
        self._stamp = stamp_of(self._now_ms - int(caller.late_seconds * 1000))
        self._entries: list[Entry] = []

    # -- changes

    def create(self, object_name: str, values: Mapping[str, Value]) -> str:
        """Creates a record from values as read from JSON; returns its id. Raises `RecordError` and leaves nothing behind."""
        mark = len(self._entries)
        try:
            values = dict(values)
            child = consequences.child_event(self._org, values) if object_name == "EventRelation" else None
            if child is not None:
                values[CHILD] = self.create("Event", child)
            record_id = self._create(self._org.store.tables[object_name], values)
        except RecordError:
            self.rollback(mark)
            raise
        return record_id

    def update(self, record_id: str, values: Mapping[str, Value], *, via: str | None = None) -> None:
        """Changes a record, even when no value differs: the stamps move. Raises `RecordError` and leaves nothing behind."""
        mark = len(self._entries)
        table = table_of(self._org, record_id)
        if via is None:
            check_shared(self._org, table, record_id, self._caller.user_id)
            check_person(table.rows.get(record_id), values)
        try:
            self._update(table, record_id, values, via=via)
        except RecordError:
            self.rollback(mark)
            raise

    def delete(self, record_id: str, *, master: str | None = None, by_org: bool = False) -> None:
        """Moves a record to the recycle bin, and what hangs on it; a record of an object without one is gone. `master`: it was merged
        into that record, and its children were moved before. `by_org`: not the caller deletes it, the org does."""
        table, mark = table_of(self._org, record_id), len(self._entries)
        row = live_row(table, record_id)
        if not by_org:
            check_shared(self._org, table, record_id, self._caller.user_id)
        check_unlocked(self._org, record_id)
        if master is not None:
            self._delete(table, record_id, master)
            return
        cascades.refuse(self._org, table.kind, row)
        try:
            for child in cascades.going_along(self._org, table.kind, record_id):
                self._delete(table_of(self._org, child), child, None, along=True)
            cleared = cascades.cut_off(self._org, table.kind, record_id)
            self._delete(table, record_id, None, cleared=cleared)
            for child, name in cleared:
                self.update(child, {name: None}, via=cascades.CUT_OFF)
        except RecordError:
            self.rollback(mark)
            raise

    def undelete(self, record_id: str, *, by_org: bool = False) -> None:
        """Takes a record out of the recycle bin, and what was deleted with it. Raises UNDELETE_FAILED when it is not in there."""
        table = table_of(self._org, record_id)
        if not by_org:
            check_shared(self._org, table, record_id, self._caller.user_id)
        row = table.rows.get(record_id)
        kept = table.kind.undeletable or table.kind.name in cascades.KEPT_WITH_PARENT
        if row is None or "IsDeleted" not in row or not kept:
            raise RecordError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        along, tied = cascades.coming_back(self._org, table.kind, row), cascades.tied_again(self._org, row)
        moved: Row = {"IsDeleted": False, **self._touch(row)}
        moved |= dict.fromkeys(name for name in ("MasterRecordId", cascades.CLEARED) if name in row)
        after = {**table.kind.unticked, **compact({**row, **moved})}
        extra = {"before": {name: row.get(name) for name in moved}, "after": moved}
        self._record("undelete", table, record_id, after=after, extra=extra)
        self._sum_up(table, [table.rows[record_id]])
        for each in along:
            self.undelete(each, by_org=True)
        for child, name in tied:
            self.update(child, {name: record_id}, via=cascades.CUT_OFF)

    # -- ends

    @property
    def mark(self) -> int:
        return len(self._entries)

    def rollback(self, mark: int = 0) -> None:
        while len(self._entries) > mark:
            self._org.store.revert(self._entries.pop())

    def commit(self, also: Sequence[Entry] = ()) -> None:
        """Journals the changes with their events, and `also` with them, then publishes. When the journal refuses, memory is as before and
        OSError is raised."""
        if not self._entries and not also:
            return
        try:
            self._keep(self._caller, self._entries, self._now_ms, also)
        except OSError:
            self.rollback()
            raise
        self._entries = []

    # -- steps of a save

    def _create(self, table: Table, values: Mapping[str, Value]) -> str:
        kind, org = table.kind, self._org
        fresh: Row = dict(kind.defaults)
        put(fresh, {name: checked(kind.fields[name], value) for name, value in values.items()})
        if "OwnerId" in kind.fields:
            assigned = org.automation.assigned_owner(kind.name, fresh) if self._caller.auto_assign else None
            fresh["OwnerId"] = assigned or fresh.get("OwnerId") or self._caller.user_id
        person = kind.name == "Account" and org.is_person_account(fresh)
        self._before_save(kind, fresh, "create", set(fresh))
        if kind.personal or person:
            fresh["Name"] = full_name(fresh)
        derive(org, kind, fresh, set(fresh), set(values))
        if self._caller.duplicates is not None and org.duplicate_rules:
            check_duplicates(org.duplicate_rules.values(), table, fresh, None, self._caller.duplicates)
        check_saved(org, table, fresh, fresh, None)
        record_id = table.new_id()
        if kind.auto_numbers:
            fresh |= auto_numbered(kind, record_id)
        author, given = self._caller.user_id, set(fresh)
        contact: Row | None = None
        if person:
            fresh |= {"IsPersonAccount": True, "PersonContactId": org.store.tables["Contact"].new_id()}
            contact = personaccounts.own_contact(fresh, record_id, org.schema.objects["Contact"].fields)
        fresh = {
            **kind.unticked, "Id": record_id, **fresh, "CreatedDate": self._stamp, "CreatedById": author, "LastModifiedDate": self._stamp,
            "LastModifiedById": author, "SystemModstamp": self._stamp,
        }  # fmt: skip
        self._record("create", table, record_id, after=fresh)
        if contact is not None:
            self._create(org.store.tables["Contact"], contact)
        self._follow(consequences.of_create(org, kind.name, table.rows[record_id]))
        self._after_save(table, record_id, "create", given, 0)
        self._sum_up(table, [fresh])
        return record_id

    def _update(self, table: Table, record_id: str, values: Mapping[str, Value], depth: int = 0, via: str | None = None) -> None:
        kind, org = table.kind, self._org
        row = live_row(table, record_id)
        check_unlocked(org, record_id)
        if "IsConverted" in row and via != cascades.MERGED:
            raise RecordError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        proposed: Row = dict(row)
        wanted = {name: checked(kind.fields[name], value) for name, value in values.items()}
        put(proposed, wanted)
        owner = org.automation.assigned_owner(kind.name, proposed) if self._caller.auto_assign and depth == 0 else None
        if owner is not None:
            wanted["OwnerId"] = proposed["OwnerId"] = owner
        touched = self._before_save(kind, proposed, "update", changed_names(row, proposed, wanted)) | wanted.keys()
        if kind.personal or "IsPersonAccount" in row:
            proposed["Name"] = full_name(proposed)
            touched |= {"Name"}
        touched |= derive(org, kind, proposed, changed_names(row, proposed, touched), set(values))
        changed = changed_names(row, proposed, touched)
        if self._caller.duplicates is not None and org.duplicate_rules and changed:
            check_duplicates(org.duplicate_rules.values(), table, proposed, record_id, self._caller.duplicates)
        check_saved(org, table, proposed, {name: proposed.get(name) for name in changed}, record_id)
        before = {name: row.get(name, _empty(kind.fields[name])) for name in changed}
        after = {name: proposed.get(name, _empty(kind.fields[name])) for name in changed}
        stamps = self._touch(row)
        before.update({name: row.get(name) for name in stamps})
        old = dict(row) if org.rollups else row
        self._record("update", table, record_id, before=before, after={**after, **stamps}, extra=None if via is None else {"via": via})
        if "IsPersonAccount" in row and via != PERSON_ACCOUNT:
            self._mirror(table, record_id, after, depth)
        self._follow(consequences.of_update(org, kind.name, table.rows[record_id], changed))
        self._after_save(table, record_id, "update", changed, depth)
        self._sum_up(table, [old, table.rows[record_id]])

    def _mirror(self, table: Table, record_id: str, changed: Row, depth: int) -> None:
        """Saves the other half of a person account, whether or not it has a part in the change."""
        row, tables, objects = table.rows[record_id], self._org.store.tables, self._org.schema.objects
        if table.kind.name == "Account":
            values = personaccounts.to_contact(changed, objects["Contact"].fields)
            self._update(tables["Contact"], str(row["PersonContactId"]), values, depth + 1, PERSON_ACCOUNT)
        elif "AccountId" in row:
            values = personaccounts.to_account(changed, objects["Account"].fields)
            self._update(tables["Account"], str(row["AccountId"]), values, depth + 1, PERSON_ACCOUNT)

    def _delete(
        self, table: Table, record_id: str, master: str | None, *, along: bool = False, cleared: Sequence[tuple[str, str]] = ()
    ) -> None:
        row = live_row(table, record_id)
        whole = {**table.kind.unticked, **row}
        moved: Row = {"IsDeleted": True, **self._touch(row)}
        if master is not None:
            moved["MasterRecordId"] = master
        if cleared:
            moved[cascades.CLEARED] = " ".join(f"{child}:{name}" for child, name in cleared)
        extra: dict[str, object] = {"before": {name: row.get(name) for name in moved}, "after": moved}
        if not table.kind.undeletable and not (along and table.kind.name in cascades.KEPT_WITH_PARENT):
            extra = {"gone": self._stamp}
        self._record("delete", table, record_id, before=whole, extra=extra)
        self._sum_up(table, [row])

    def _before_save(self, kind: ObjectType, proposed: Row, occasion: Occasion, changed: set[str]) -> set[str]:
        """Lets the flows rewrite the values; returns the names of the fields that they set."""
        touched: set[str] = set()
        for flow in self._org.automation.flows_for(kind.name, "before_save", occasion, self._caller.user_name, changed):
            if self._org.automation.holds(kind.name, flow.when, proposed):
                put(proposed, _worked_out(kind, flow, proposed))
                touched |= flow.set.keys()
        return touched

    def _after_save(self, table: Table, record_id: str, occasion: Occasion, changed: set[str], depth: int) -> None:
        kind = table.kind
        for flow in self._org.automation.flows_for(kind.name, "after_save", occasion, self._caller.user_name, changed):
            row = table.rows[record_id]
            if not self._org.automation.holds(kind.name, flow.when, row):
                continue
            values = _worked_out(kind, flow, row)
            if all(row.get(name, _empty(kind.fields[name])) == value for name, value in values.items()):
                continue
            if depth >= FLOW_DEPTH_MAX:
                message = f"Maximum trigger depth exceeded in flow {flow.name}"
                raise RecordError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
            self._update(table, record_id, values, depth + 1, via=flow.name)

    def _follow(self, following: Iterable[Consequence]) -> None:
        for each in following:
            match each:
                case Made(object_name, values):
                    self.create(object_name, values)
                case Changed(record_id, values):
                    self.update(record_id, values, via=CONSEQUENCE)
                case _:
                    assert_never(each)

    def _sum_up(self, table: Table, rows: list[Row]) -> None:
        """Brings the roll-ups of the parents of these rows up to date: updates of the parents within this transaction."""
        if self._org.rollups:
            for parent_id, values in self._org.rollups.due(self._org.store.tables, table.kind.name, rows):
                self._update(table_of(self._org, parent_id), parent_id, values, 1, via="roll-up")

    # -- parts

    def _touch(self, row: Row) -> Row:
        stamp = max(self._stamp, str(row["CreatedDate"]))
        stamps: Row = {"LastModifiedDate": stamp, "SystemModstamp": stamp}
        if row.get("LastModifiedById") != self._caller.user_id:
            stamps["LastModifiedById"] = self._caller.user_id
        return stamps

    def _record(
        self, op: str, table: Table, record_id: str, *, before: Row | None = None, after: Row | None = None, extra: object = None
    ) -> None:
        entry = Entry(self._now_ms, self._caller.user_name, op, table.kind.name, record_id, before, after, self._caller.request_id, extra)
        self._org.store.apply(entry)
        self._entries.append(entry)


def _empty(field: Field) -> Value:
    return False if field.kind is Kind.BOOLEAN else None


def _worked_out(kind: ObjectType, flow: Flow, row: Row) -> dict[str, Value]:
    return {name: checked(kind.fields[name], worked_out(assignment, name, row)) for name, assignment in flow.set.items()}
