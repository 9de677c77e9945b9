"""One Marketo instance: its state, its journal, and the section in which both change together."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Entry, Journal
from infra.sandbox.kernel.system import restore
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.origins import members_of
from infra.sandbox.marketo.state.store import Store

OPERATOR = "operator@marketo.example"
"""The person at the user interface, unless a control verb names another."""


@dataclass(slots=True)
class Section:
    """Collects the entries of one call. Each is applied when it is added: the next record of the call sees it."""

    store: Store
    now_ms: int
    entries: list[Entry] = field(default_factory=list)

    def add(self, op: str, kind: str, key: str, origin: Origin, **members: Any) -> None:
        """`activities` are rows `[lead id, type, primary id, primary, [[name, value], ...]]` that the change leaves in the log."""
        extra = members_of(origin) | members.pop("extra", {})
        if activities := members.pop("activities", None):
            extra["activities"] = activities
        self.put(Entry(self.now_ms, origin.actor, op, kind, key, request_id=origin.request_id, extra=extra, **members))

    def put(self, entry: Entry) -> None:
        self.store.apply(entry)
        self.entries.append(entry)


@dataclass(slots=True)
class Instance:
    journal: Journal
    clock: Clock
    store: Store
    listeners: list[Callable[[Sequence[Entry]], None]] = field(default_factory=list)
    """Told of each section's entries when they are in the journal."""

    @classmethod
    def open(cls, journal: Journal, clock: Clock, store: Store) -> "Instance":
        restore(journal, clock, store.apply)
        return cls(journal, clock, store)

    @contextmanager
    def section(self) -> Iterator[Section]:
        """Nothing may be awaited inside: what is applied to memory is in the journal before anybody can see it. A disk that refuses ends
        the process, for memory would say what the history does not."""
        section = Section(self.store, self.clock.now_ms())
        self._commit_late(section)
        try:
            yield section
        finally:
            try:
                self.journal.append(section.entries)
            except OSError as error:
                sys.stderr.write(f"the journal can't be written: {error}\n")
                os._exit(70)
            for listener in self.listeners:
                listener(section.entries)

    def commit_late(self) -> None:
        """Commits the late activities that are due; called before activities are read."""
        if self.store.late:
            with self.section():
                pass

    def _commit_late(self, section: Section) -> None:
        due = [activity_id for activity_id, (at_ms, _, _) in self.store.late.items() if at_ms <= section.now_ms]
        if due:
            section.put(Entry(section.now_ms, "sandbox", "_late", "Activity", "", extra=due))
