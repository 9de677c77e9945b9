"""The oracle: it sees both systems' own histories, knows who had seen what, and says what is wrong in the end."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from consumers.merge.edits.verdicts import ONE_OF_SEVERAL
from consumers.merge.pair.decision import Decision, Verdict
from consumers.merge.pair.state import PairState
from consumers.reports.records.derived import Agreement, agreements
from streams.wire.events import Happened, Value
from streams.wire.systems import System
from tests.consumers.simulation.plot import BOX, CHOOSY, CLEARED, DOWN, EMAIL, REFUSED, SCORE, SET, TEXTS, UP, Plot, start_of
from tests.consumers.simulation.systems import MARK, OURS, Entry, SimulatedSystem, typed

_QUIET_AFTER = 680.0
_READ_FOR_CALL = 2.0
"""A reading this long before a call, or less, was made for it."""
_JUDGED = frozenset(Verdict) - {Verdict.WAITING, Verdict.KNOWN, Verdict.UNUSABLE, Verdict.ECHO}
"""Verdicts on an edit, or on one that came too late to count (`superseded`, with the value). A ruling of another kind names nobody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """Everything there is to see when a history is over."""

    plot: Plot
    winner: System
    systems: Mapping[System, SimulatedSystem]
    pairs: Mapping[int, PairState]
    decisions: Sequence[Decision]

    def faults(self) -> Iterator[str]:
        """What is wrong."""
        for system in System:
            if any(entry.author == OURS[system] and entry.at > _QUIET_AFTER + self.plot.seconds for entry in self.systems[system].log):
                yield "not quiet"
        if len(self.pairs) != 1:
            yield f"{len(self.pairs)} pairs"
        counts = {system: len(self.systems[system].records) for system in System}
        if counts != self._counts():
            yield f"records {counts}"
        elif self.plot.deleted is not None:
            yield from self._after_deletion()
        else:
            yield from self._in_step()
        yield from self._unnamed()
        yield from self._underivable()

    def _underivable(self) -> Iterator[str]:
        """What is agreed that the decisions don't tell. Link fields are Tandem's own; what the history begins with was never decided."""
        told: dict[int, dict[str, Agreement]] = {}
        for number, decision in enumerate(self.decisions):
            told.setdefault(decision.pair, {}).update(agreements(number, decision))
        for pair, state in self.pairs.items():
            for key, field in state.fields.items():
                found = told.get(pair, {}).get(key)
                if key.startswith("sf") or (found is None and field.version <= 1):
                    continue
                if found is None or (found.value, found.version) != (field.value, field.version):
                    yield f"underivable {key}: {found} is not {field.value} {field.version}"

    def _counts(self) -> dict[System, int]:
        gone = self.plot.deleted
        counts = {system: 0 if system is gone else 1 for system in System}
        if gone is System.MARKETO and self.plot.follow:
            counts[System.SALESFORCE] = 0
        return counts

    def _after_deletion(self) -> Iterator[str]:
        if self.plot.deleted is System.SALESFORCE and self._row(System.MARKETO).get("sfIsDeleted") is not True:
            yield "the deletion is not told"

    def _in_step(self) -> Iterator[str]:
        names = [*TEXTS.items(), EMAIL] + ([CLEARED] if self.plot.wide else [])
        for key, name in names:
            ours, theirs = self._final(key, name)
            if ours != theirs and self._is_contested(key):
                continue
            if ours != theirs:
                yield f"diverged {key}: {ours} {theirs}"
            elif self._knows_winner(key) and theirs not in self._wanted(key, name):
                yield f"wrong winner {key}: {theirs}, wanted {' or '.join(map(str, self._wanted(key, name)))}"
        yield from self._score()
        if self.plot.wide:
            yield from self._box()
            yield from self._set()
            yield from self._one_way()
            yield from self._choosy()

    def _unnamed(self) -> Iterator[str]:
        """Every edit that a write of ours replaced is named by a decision: it was judged, and the decision tells its value."""
        named = {
            (decision.system, ruling.field, typed(ruling.value))
            for decision in self.decisions
            if decision.kind == "judged"
            for ruling in decision.fields
            if ruling.verdict in _JUDGED
        }
        for system, key, edit, write in self._replaced():
            value = typed(edit.after[self._name(system, key)])
            if not value and self.plot.born != "both":
                continue  # emptied before anybody had read it: what was never seen full is not seen to be emptied
            if (system, key, value) not in named and not self._out_of_sight(system, key, edit, write):
                yield f"no decision names {key} = {value} in {system}, replaced at {write.at:.2f}"

    def _replaced(self) -> Iterator[tuple[System, str, Entry, Entry]]:
        """People's edits with the write of ours that replaced each: system, field, edit, write."""
        for system in System:
            last: dict[tuple[str, str], Entry] = {}
            for entry in self.systems[system].log:
                for key, name in ((key, self._name(system, key)) for key in self._keys()):
                    if name not in entry.after:
                        continue
                    before = last.get((entry.record, name))
                    if entry.author == OURS[system] and before is not None and before.author == "person":
                        yield system, key, before, entry
                    last[entry.record, name] = entry

    def _out_of_sight(self, system: System, key: str, edit: Entry, write: Entry) -> bool:
        """Whether nobody can know of this edit: the feed never told of it, and it was made after the last reading before our call, or
        the change of ours that would tell what stood there before was lost, too (Marketo's). Where there is no feed, nor of one that
        brought back what people had found there.
        """
        name = self._name(system, key)
        if name not in edit.untold:
            return False
        if self.systems[system].muted and typed(edit.after[name]) == self._written(system, key, edit.at):
            return True
        if system is System.MARKETO and name in write.untold:
            return True
        called = self.systems[system].calls.get(write.write, write.at)
        read = [at for at in self.systems[system].readings.get(edit.record, ()) if at <= called]
        return bool(read) and called - read[-1] < _READ_FOR_CALL and read[-1] <= edit.at

    def _written(self, system: System, key: str, at: float) -> Value:
        """What our last write before that left in a field, or the beginning."""
        name, told = self._name(system, key), self.systems[system]
        ours = [(entry.at, entry.after[name]) for entry in told.log if entry.author == OURS[system] and name in entry.after]
        written = sorted((*ours, *told.unchanged.get(name, ())), key=lambda each: each[0])
        return typed(next((value for moment, value in reversed(written) if moment < at), start_of(self.plot)[key]))

    def _is_judged(self, key: str) -> bool:
        """Whether all that happened to a field could be known, so that it can be told what should stand in the end.

        Not so where we replaced an edit out of sight; where the feed never told of a write of ours, and somebody edited the field in the
        second in which it was made: before it or after it?; or where the feed never told what a system made of our value: then a reading
        can't tell it from somebody's edit; or where a system made something of one of our values, and nobody can tell of which.
        """
        if any(ruling.reason == ONE_OF_SEVERAL for each in self.decisions for ruling in each.fields if ruling.field == key):
            return False
        if any(name == key and self._out_of_sight(system, key, edit, write) for system, name, edit, write in self._replaced()):
            return False
        if self.plot.unheard and any(self._edited_in_its_second(self.systems[system], self._name(system, key)) for system in System):
            return False
        return not any(
            entry.author == OURS[system] and name in entry.untold and str(entry.after[name]).endswith(MARK[system])
            for system, name in ((system, self._name(system, key)) for system in System)
            for entry in self.systems[system].log
        )

    def _edited_in_its_second(self, system: SimulatedSystem, name: str) -> bool:
        """Whether somebody edited the field right after a write of ours that was never told of, under the same stamp."""
        changes = [entry for entry in system.log if name in entry.after]
        return any(
            ours.author == OURS[system.system]
            and name in ours.untold
            and edit.author == "person"
            and system.second_of(ours) == system.second_of(edit)
            for ours, edit in pairwise(changes)
        )

    def _keys(self) -> Sequence[str]:
        return tuple(key for key, _ in self._fields())

    def _fields(self) -> list[tuple[str, str]]:
        return [*TEXTS.items(), EMAIL, SCORE] + ([CLEARED, BOX, SET] if self.plot.wide else [])

    def _name(self, system: System, key: str) -> str:
        return dict(self._fields())[key] if system is System.SALESFORCE else key

    def _row(self, system: System) -> dict[str, Value]:
        return next(iter(self.systems[system].records.values()))

    def _final(self, key: str, name: str) -> tuple[Value, Value]:
        return typed(self._row(System.SALESFORCE).get(name)), typed(self._row(System.MARKETO).get(key))

    def _knows_winner(self, key: str) -> bool:
        """At a first meeting nobody has seen anybody, and an emptied field is not unique."""
        return self.plot.born != "twice" and key != CLEARED[0] and self._is_judged(key)

    def _is_contested(self, key: str) -> bool:
        """Whether a value of which there are few was put back again and again, so that the field is held for a person."""
        few = key in (BOX[0], CLEARED[0]) or self.plot.puts_back > 0
        return few and next(iter(self.pairs.values())).fields[key].hold.startswith("contested")

    def _typed(self, system: System, name: str) -> list[Entry]:
        """What people did to a field, in order."""
        log = self.systems[system].log
        return [entry for entry in log if entry.author == "person" and entry.kind is Happened.UPDATED and name in entry.after]

    def _wanted(self, key: str, name: str) -> set[Value]:
        """The edit that had seen the other; where neither had, the side that the rule names. Of something put back that had not replaced
        the other side's last edit it can't be said by its value what its author had seen: then either may stand.
        """
        last: dict[System, Entry] = {}
        names = {System.SALESFORCE: name, System.MARKETO: key}
        for system, field_name in names.items():
            for entry in self._typed(system, field_name):
                last[system] = entry
        values = {system: typed(entry.after[names[system]]) for system, entry in last.items()}
        if len(last) < 2:
            return set(values.values()) or {start_of(self.plot)[key]}
        for system, field_name in names.items():
            if typed(last[system].before[field_name]) == values[system.other] and last[system].at > last[system.other].at:
                return {values[system]}
        if any(self._is_put_back(system, names[system], last[system]) for system in System):
            return set(values.values())
        for system, field_name in names.items():
            if values[system.other] in self._stood_before(system, field_name, last[system].at):
                return {values[system]}
        return {values[self.winner]}

    def _is_put_back(self, system: System, name: str, edit: Entry) -> bool:
        return typed(edit.after[name]) in self._stood_before(system, name, edit.at) | {*self._first(name)}

    def _first(self, name: str) -> set[Value]:
        start = start_of(self.plot)
        return {start[key] for key, each in self._fields() if name in (key, each)}

    def _stood_before(self, system: System, name: str, at: float) -> set[Value]:
        return {typed(entry.after[name]) for entry in self.systems[system].log if entry.at < at and name in entry.after}

    def _score(self) -> Iterator[str]:
        key, name = SCORE
        ours, theirs = self._final(key, name)
        if ours != theirs:
            yield f"diverged score: {ours} {theirs}"
            return
        total = 0
        for system, field_name in ((System.SALESFORCE, name), (System.MARKETO, key)):
            for entry in self._typed(system, field_name):
                total += int(entry.after[field_name] or 0) - int(entry.before.get(field_name) or 0)
        if self.plot.born != "twice" and theirs != total and self._is_judged(key):
            yield f"wrong sum {theirs}, wanted {total}"

    def _box(self) -> Iterator[str]:
        key, name = BOX
        ours, theirs = self._final(key, name)
        if bool(ours) != bool(theirs) and self._is_contested(key):
            return
        if bool(ours) != bool(theirs):
            yield f"diverged box: {ours} {theirs}"
            return
        sides = ((System.SALESFORCE, name), (System.MARKETO, key))
        edits = [(system, entry.after[each]) for system, each in sides for entry in self._typed(system, each)]
        alone = len({system for system, _ in edits}) == 1
        if alone and self.plot.born == "both" and bool(ours) != bool(edits[-1][1]):
            yield f"lost box: {ours}, last {edits[-1]}"

    def _set(self) -> Iterator[str]:
        """Every choice that anybody added is there, unless somebody has removed it; each stood for one thing only."""
        key, name = SET
        ours, theirs = (_choices(value) for value in self._final(key, name))
        if ours != theirs:
            yield f"diverged set: {sorted(ours)} {sorted(theirs)}"
            return
        added: set[str] = _choices(start_of(self.plot)[key])
        removed: set[str] = set()
        for system, field_name in ((System.SALESFORCE, name), (System.MARKETO, key)):
            for entry in self._typed(system, field_name):
                before, after = _choices(entry.before.get(field_name)), _choices(entry.after[field_name])
                added, removed = added | (after - before), removed | (before - after)
        if self.plot.born == "both" and ours != added - removed and self._is_judged(key):
            yield f"wrong set {sorted(ours)}, wanted {sorted(added - removed)}"

    def _one_way(self) -> Iterator[str]:
        """The source of a one-way field has what was typed there; what the receiving side typed is put back, or stands alone."""
        if self.plot.born != "both":
            return
        key, name = DOWN
        ours, theirs = self._final(key, name)
        if not ours == theirs == self._last(System.SALESFORCE, name, key):
            yield f"one-way {key}: {ours} {theirs}, wanted {self._last(System.SALESFORCE, name, key)}"
        key, name = UP
        ours, theirs = self._final(key, name)
        if theirs != self._last(System.MARKETO, key, key) or ours not in (theirs, self._last(System.SALESFORCE, name, key)):
            yield f"one-way {key}: {ours} {theirs}"

    def _last(self, system: System, name: str, key: str) -> Value:
        edits = self._typed(system, name)
        return typed(edits[-1].after[name]) if edits else start_of(self.plot)[key]

    def _choosy(self) -> Iterator[str]:
        key, name = CHOOSY
        ours, theirs = self._final(key, name)
        field = next(iter(self.pairs.values())).fields[key]
        if ours == theirs:
            if REFUSED in str(ours):
                yield f"refused, and yet there: {ours}"
        elif REFUSED not in str(theirs):
            yield f"diverged {key}: {ours} {theirs}"
        elif field.salesforce.refused != field.version or "please" not in field.salesforce.reason:
            yield f"refused, and not held: {ours} {theirs} {field.salesforce.reason}"


def _choices(value: Value) -> set[str]:
    return set(str(value).split(";")) if value else set()
