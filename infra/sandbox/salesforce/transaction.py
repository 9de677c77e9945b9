"""One transaction: changes of records with all that the org does to them, then journal and change events in one step.

Order of a save (Apex guide, order of execution): field checks, before-save flows, required fields, validation rules, uniqueness,
the save, after-save flows. Changes are applied to memory at once and undone when a later step refuses; `commit` appends everything
as one journal block.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.automation import Flow, Occasion, worked_out
from infra.sandbox.salesforce.changes import Change, Origin, event_bodies, fold
from infra.sandbox.salesforce.compound import full_name
from infra.sandbox.salesforce.errors import RecordError
from infra.sandbox.salesforce.schema import Field, Kind, ObjectType, Row, Value
from infra.sandbox.salesforce.stamps import stamp_of
from infra.sandbox.salesforce.store import Table, compact
from infra.sandbox.salesforce.values import checked

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org

FLOW_DEPTH_MAX = 5


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """On whose behalf, and through what, a change is made."""

    user_id: str
    user_name: str
    request_id: str | None = None
    origin: str = ""
    auto_assign: bool = False
    late_seconds: float = 0.0
    """How long the transaction has been open: its stamps lie so far back, as those of a long one do when it commits."""
    captured: bool = True
    """Whether change events are published (a bulk load by the sandbox's own verb publishes none)."""


class Transaction:
    def __init__(self, org: Org, caller: Caller) -> None:
        self._org = org
        self._caller = caller
        self._now_ms = org.clock.now_ms()
        self._stamp = stamp_of(self._now_ms - int(caller.late_seconds * 1000))
        self._entries: list[Entry] = []

    # -- changes

    def create(self, object_name: str, values: Mapping[str, Value]) -> str:
        """Creates a record from values as read from JSON; returns its id. Raises `RecordError` and leaves nothing behind."""
        mark = len(self._entries)
        try:
            return self._create(self._org.store.tables[object_name], values)
        except RecordError:
            self.rollback(mark)
            raise

    def update(self, record_id: str, values: Mapping[str, Value]) -> None:
        """Changes a record, even when no value differs: the stamps move. Raises `RecordError` and leaves nothing behind."""
        mark = len(self._entries)
        try:
            self._update(self._table_of(record_id), record_id, values)
        except RecordError:
            self.rollback(mark)
            raise

    def delete(self, record_id: str, *, master: str | None = None) -> None:
        """Moves a record to the recycle bin; an account takes its contacts with it. `master`: it was merged into that record."""
        table = self._table_of(record_id)
        row = self._live(table, record_id)
        if table.kind.name == "Account" and master is None:
            for child in self._org.store.tables["Contact"].find("AccountId", record_id):
                if "IsDeleted" not in child:
                    self.delete(str(child["Id"]))
        moved: Row = {"IsDeleted": True, **self._touch(row)}
        if master is not None:
            moved["MasterRecordId"] = master
        self._record("delete", table, record_id, before={**table.kind.unticked, **row}, extra={"before": _past(row, moved), "after": moved})

    def undelete(self, record_id: str) -> None:
        """Takes a record out of the recycle bin. Raises UNDELETE_FAILED when it is not in there."""
        table = self._table_of(record_id)
        row = table.rows.get(record_id)
        if row is None or "IsDeleted" not in row or not table.kind.undeletable:
            raise RecordError("UNDELETE_FAILED", "Entity is not in the recycle bin")
        moved: Row = {"IsDeleted": False, "MasterRecordId": None, **self._touch(row)}
        if "MasterRecordId" not in table.kind.fields:
            del moved["MasterRecordId"]
        after = {**row, **moved}
        self._record(
            "undelete",
            table,
            record_id,
            after={**table.kind.unticked, **compact(after)},
            extra={"before": _past(row, moved), "after": moved},
        )

    # -- ends

    @property
    def mark(self) -> int:
        return len(self._entries)

    def rollback(self, mark: int = 0) -> None:
        while len(self._entries) > mark:
            self._org.store.revert(self._entries.pop())

    def commit(self) -> None:
        """Journals the changes with their events, then publishes. When the journal refuses, memory is as before and OSError is raised."""
        if not self._entries:
            return
        bodies = self._event_bodies() if self._caller.captured else []
        try:
            self._org.commit(self._entries, bodies, self._now_ms)
        except OSError:
            self.rollback()
            raise
        self._entries = []

    def _event_bodies(self) -> list[tuple[str, bytes]]:
        changes = [change for change in fold(self._entries) if change.object in self._org.selected_entities]
        if not changes:
            return []
        origin = Origin(
            user_id=self._caller.user_id, change_origin=self._caller.origin, transaction_key=str(uuid.uuid4()), commit_ms=self._now_ms,
            commit_number=self._org.next_commit_number(),
        )  # fmt: skip
        return event_bodies(changes, self._org.schema.objects, self._rows_of(changes), origin)

    def _rows_of(self, changes: list[Change]) -> dict[str, Row]:
        return {change.id: self._org.store.tables[change.object].rows[change.id] for change in changes}

    # -- steps of a save

    def _create(self, table: Table, values: Mapping[str, Value]) -> str:
        kind = table.kind
        fresh: Row = dict(kind.defaults)
        _put(fresh, {name: checked(kind.fields[name], value) for name, value in values.items()})
        if "OwnerId" in kind.fields:
            assigned = self._org.automation.assigned_owner(kind.name, fresh) if self._caller.auto_assign else None
            fresh["OwnerId"] = assigned or fresh.get("OwnerId") or self._caller.user_id
        self._before_save(kind, fresh, "create", set(fresh))
        if kind.personal:
            fresh["Name"] = full_name(fresh)
        self._check(table, fresh, fresh, None)
        record_id = table.new_id()
        author, given = self._caller.user_id, set(fresh)
        fresh = {
            **kind.unticked, "Id": record_id, **fresh, "CreatedDate": self._stamp, "CreatedById": author, "LastModifiedDate": self._stamp,
            "LastModifiedById": author, "SystemModstamp": self._stamp,
        }  # fmt: skip
        self._record("create", table, record_id, after=fresh)
        self._after_save(table, record_id, "create", given, 0)
        return record_id

    def _update(self, table: Table, record_id: str, values: Mapping[str, Value], depth: int = 0, via: str | None = None) -> None:
        kind = table.kind
        row = self._live(table, record_id)
        if row.get("IsConverted"):
            raise RecordError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        proposed: Row = dict(row)
        wanted = {name: checked(kind.fields[name], value) for name, value in values.items()}
        _put(proposed, wanted)
        if self._caller.auto_assign and depth == 0:
            owner = self._org.automation.assigned_owner(kind.name, proposed)
            if owner is not None:
                _put(wanted, {"OwnerId": owner})
                proposed["OwnerId"] = owner
        touched = self._before_save(kind, proposed, "update", _changed(row, proposed, wanted)) | wanted.keys()
        if kind.personal:
            proposed["Name"] = full_name(proposed)
            touched |= {"Name"}
        changed = _changed(row, proposed, touched)
        self._check(table, proposed, {name: proposed.get(name) for name in changed}, record_id)
        before = {name: row.get(name, _empty(kind.fields[name])) for name in changed}
        after = {name: proposed.get(name, _empty(kind.fields[name])) for name in changed}
        stamps = self._touch(row)
        before.update({name: row.get(name) for name in stamps})
        extra = None if via is None else {"via": via}
        self._record("update", table, record_id, before=before, after={**after, **stamps}, extra=extra)
        self._after_save(table, record_id, "update", changed, depth)

    def _before_save(self, kind: ObjectType, proposed: Row, occasion: Occasion, changed: set[str]) -> set[str]:
        """Lets the flows rewrite the values; returns the names of the fields that they set."""
        touched: set[str] = set()
        for flow in self._org.automation.flows_for(kind.name, "before_save", occasion, self._caller.user_name, changed):
            if self._org.automation.holds(kind.name, flow.when, proposed):
                _put(proposed, _worked_out(kind, flow, proposed))
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

    def _check(self, table: Table, proposed: Row, changed: Mapping[str, Value], record_id: str | None) -> None:
        """Required fields, validation rules, references and uniqueness. `changed` are the fields that this save touches."""
        kind = table.kind
        missing = [name for name in kind.required if name not in proposed and (record_id is None or name in changed)]
        if missing:
            raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        rule = self._org.automation.broken_rule(kind.name, proposed)
        if rule is not None:
            raise RecordError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, [rule.field] if rule.field else [])
        for name, value in changed.items():
            field = kind.fields[name]
            if value is not None and (field.unique or field.kind is Kind.REFERENCE):
                self._check_value(table, field, value, record_id)

    def _check_value(self, table: Table, field: Field, value: Value, record_id: str | None) -> None:
        if field.unique:
            others = [row for row in table.find(field.name, value) if row["Id"] != record_id and "IsDeleted" not in row]
            if others:
                message = f"duplicate value found: {field.name} duplicates value on record with id: {others[0]['Id']}"
                raise RecordError("DUPLICATE_VALUE", message)
        elif not field.system or field.name == "OwnerId":
            target = self._org.store.row(str(value))
            kind = self._org.schema.of_id(str(value))
            if kind is None or kind.name not in field.reference_to:
                raise RecordError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])
            if target is None or "IsDeleted" in target:
                raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [field.name])
            if field.name == "OwnerId" and kind.name == "User" and "IsActive" not in target:
                raise RecordError("INACTIVE_OWNER_OR_USER", "operation performed with inactive user [" + str(value) + "] as owner of "
                                  + table.kind.name.lower(), [field.name])  # fmt: skip

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

    def _table_of(self, record_id: str) -> Table:
        kind = self._org.schema.of_id(record_id)
        if kind is None:
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        table: Table = self._org.store.tables[kind.name]
        return table

    @staticmethod
    def _live(table: Table, record_id: str) -> Row:
        row = table.rows.get(record_id)
        if row is None:
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if "IsDeleted" in row:
            raise RecordError("ENTITY_IS_DELETED", "entity is deleted")
        return row


def _put(row: Row, values: Mapping[str, Value]) -> None:
    """Sets the values in a row, which holds neither nulls nor false."""
    for name, value in values.items():
        if value is None or value is False:
            row.pop(name, None)
        else:
            row[name] = value


def _changed(row: Row, proposed: Row, names: Iterable[str]) -> set[str]:
    return {name for name in names if row.get(name) != proposed.get(name)}


def _past(row: Row, moved: Row) -> Row:
    return {name: row.get(name) for name in moved}


def _empty(field: Field) -> Value:
    return False if field.kind is Kind.BOOLEAN else None


def _worked_out(kind: ObjectType, flow: Flow, row: Row) -> dict[str, Value]:
    return {name: checked(kind.fields[name], worked_out(assignment, name, row)) for name, assignment in flow.set.items()}
