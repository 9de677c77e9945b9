"""The org's pages for people: what `pages` shows of it, and edits as the ordinary user makes them in the user interface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from infra.sandbox.pages.console import EditRefusedError, FieldShown, Listed, Note, ObjectLink, Page, RecordShown
from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.control.verbs import USER_INTERFACE
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest.input import read_values
from infra.sandbox.salesforce.saving.cascades import children_of
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.schema.compound import shown_value
from infra.sandbox.salesforce.schema.types import Kind, Row
from infra.sandbox.salesforce.state.state import SYSTEM
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError

_COLUMNS = ("Name", "Email", "Company", "Title", "Status", "StageName", "Subject", "Username", "Amount", "LastModifiedDate")
_FIRST = ("FirstName", "LastName", "Name", "Email", "Phone", "Company", "Title", "Status", "StageName", "OwnerId")
_SEARCHED = ("Name", "Email", "Company", "Title", "Subject", "Username")
_RELATED_MAX = 30
_SCANNED_MAX = 200_000


class OrgConsole:
    title = "Salesforce"
    stamps = frozenset({"LastModifiedDate", "LastModifiedById", "SystemModstamp", "CreatedDate", "CreatedById", "Id"})
    accent = "#0b5cab"

    def __init__(self, org: Org, person: str) -> None:
        self._org = org
        self.person = person

    def objects(self) -> Sequence[ObjectLink]:
        tables = self._org.store.tables
        return [
            ObjectLink(name=seen.kind.name, label=seen.kind.plural, count=len(tables[seen.kind.name].rows))
            for seen in self._org.view(SYSTEM).objects().values()
        ]

    def records(self, name: str, search: str, start: int, count: int) -> Page:
        seen = self._seen(name)
        columns = [each for each in _COLUMNS if each in seen.names][:6]
        if "Name" not in columns:
            columns.insert(0, "Id")
        found = list(islice(self._found(seen, search), start, start + count + 1))
        rows = [Listed(id=str(row["Id"]), values=[shown_value(seen.names[each], row) for each in columns]) for row in found[:count]]
        return Page(columns=columns, rows=rows, more=len(found) > count)

    def record(self, name: str, key: str) -> RecordShown:
        seen, row = self._seen(name), self._row(name, key)
        ordered = sorted(seen.names.values(), key=lambda each: (each.name not in _FIRST, _place(each.name)))
        fields = [
            FieldShown(
                name=each.name, label=each.label, value=shown_value(each, row),
                type="textarea" if each.kind is Kind.TEXTAREA else str(each.kind), editable=each.updateable and "IsDeleted" not in row,
                choices=[one for one in each.picklist if one not in each.inactive],
            )
            for each in ordered if each.kind is not Kind.ADDRESS
        ]  # fmt: skip
        state = " · in the recycle bin" if "IsDeleted" in row else " · converted" if "IsConverted" in row else ""
        related = [(f"Related ({each[0]})", [each[1]]) for each in self._related(seen, row)]
        return RecordShown(title=_title(row), subtitle=f"{seen.kind.label} {row['Id']}{state}", fields=fields, related=_grouped(related))

    def edit(self, name: str, key: str, values: dict[str, str | None]) -> None:
        seen = self._seen(name)
        self._row(name, key)
        with self._by_hand() as transaction:
            transaction.update(ids.normalise(key), read_values(seen, values, "update"))

    def blank(self, name: str) -> Sequence[FieldShown]:
        seen = self._seen(name)
        if not seen.kind.creatable:
            return ()
        ordered = sorted(seen.names.values(), key=lambda each: (each.name not in _FIRST, _place(each.name)))
        return [
            FieldShown(
                name=each.name, label=each.label, value=None,
                type="textarea" if each.kind is Kind.TEXTAREA else str(each.kind), editable=True,
                choices=[one for one in each.picklist if one not in each.inactive],
            )
            for each in ordered if each.kind is not Kind.ADDRESS and seen.createable(each)
        ]  # fmt: skip

    def create(self, name: str, values: dict[str, str | None]) -> str:
        seen = self._seen(name)
        with self._by_hand() as transaction:
            made = transaction.create(seen.kind.name, read_values(seen, values, "create"))
        return str(made)

    @contextmanager
    def _by_hand(self) -> Iterator[Transaction]:
        """A transaction as the person makes one in the user interface: all or nothing."""
        user = self._org.user_named(self.person)
        if user is None:
            raise EditRefusedError(f"no user {self.person}")
        transaction = self._org.transaction(self._org.caller(user, origin=USER_INTERFACE))
        try:
            yield transaction
        except (RecordError, ApiError) as refused:
            transaction.rollback()
            raise EditRefusedError(refused.message) from refused
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()

    def _seen(self, name: str) -> VisibleObject:
        seen = self._org.view(SYSTEM).object(name)
        if seen is None:
            raise KeyError(name)
        return seen

    def _row(self, name: str, key: str) -> Row:
        if not ids.well_formed(key):
            raise KeyError(key)
        return self._org.store.tables[self._seen(name).kind.name].rows[ids.normalise(key)]

    def _found(self, seen: VisibleObject, search: str) -> Iterator[Row]:
        """Live rows, the newest first, that hold the text in a field that people search by; so many are looked through at most."""
        table, wanted = self._org.store.tables[seen.kind.name], search.casefold()
        for record_id in islice(reversed(table.rows), _SCANNED_MAX):
            row = table.rows[record_id]
            if "IsDeleted" not in row and (not wanted or _matches(row, wanted)):
                yield row

    def _related(self, seen: VisibleObject, row: Row) -> Iterator[tuple[str, Note]]:
        for _, child in islice(children_of(self._org, seen.kind, str(row["Id"])), _RELATED_MAX):
            kind = self._org.schema.of_id(str(child["Id"]))
            if kind is not None:
                yield kind.label, Note(at=str(child["CreatedDate"])[:10], what=_title(child), link=(kind.name, str(child["Id"])))


def _matches(row: Row, wanted: str) -> bool:
    return wanted == str(row["Id"]).casefold() or any(wanted in str(row[each]).casefold() for each in _SEARCHED if each in row)


def _title(row: Row) -> str:
    return str(next((row[each] for each in ("Name", "Subject", "Username", "Label", "Status") if each in row), row["Id"]))


def _place(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else 0


def _grouped(related: list[tuple[str, list[Note]]]) -> list[tuple[str, list[Note]]]:
    found: dict[str, list[Note]] = {}
    for head, notes in related:
        found.setdefault(head, []).extend(notes)
    return list(found.items())
