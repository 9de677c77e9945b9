"""The shadow: the pairs as these rules would have made them of what the log tells. Pure: entries in, states out.

The log's decisions say to whom each event belonged, in which order events were judged, and who had seen what (`guided`); the verdicts and
the values are the rules' own. Writes under way are no part of it: what is owed stays owed until the log, or time, says that it landed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from consumers.judging.meeting.introductions import MET
from consumers.mapping.fields import SyncRules
from consumers.merge.edits.values import Unfit, equal, neutral
from consumers.merge.edits.verdicts import Edit
from consumers.merge.lives.joining import join
from consumers.merge.lives.link import agree_link
from consumers.merge.lives.outlived import outlived
from consumers.merge.lives.record import noted
from consumers.merge.pair.decision import BY_HAND, Decision, Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record, shallow
from consumers.merge.terms import Terms
from consumers.shadow.followed import Followed, followed
from consumers.shadow.guided import LANDS_MS, begun, chosen, judged, shown
from consumers.shadow.lived import ALL, born, is_beginning, is_ours, object_of, owes, same_debt, unmet
from consumers.shadow.logged import Logged, Made
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import SALESFORCE, Object, System

_NEWLY = "newly mapped"
_NEW = Followed()
_DELETED = Happened.DELETED
_UNDONE = frozenset({Verdict.SUPERSEDED, Verdict.WAITING, Verdict.UNUSABLE})
Seed = Callable[[int], PairState | None]


def _blank(pair: int) -> None:
    del pair


class Shadow:
    """Takes the log entry by entry. `logged_under`: the rules that the log was made by, where they are others; `seed`: of a pair that the
    log tells of for the first time, what it was before that, if anybody knows; `seeded_late`: what it is now, so that fields of which the
    log tells are taken from there."""

    def __init__(self, terms: Terms, *, logged_under: SyncRules | None = None, seed: Seed = _blank, seeded_late: bool = False) -> None:
        self._terms, self._logged_under, self._seed, self._late = terms, logged_under or terms.rules, seed, seeded_late
        self._lands_ms: int | None = None
        self.pairs: dict[int, PairState] = {}
        self.ended: dict[int, int] = {}
        """Pairs that are part of others since."""
        self.owed = 0
        """Records that were to be written to, so far."""
        self.unplaced = 0
        """Decisions that can't be followed: the log doesn't say what sort of record they are about."""
        self.former: dict[tuple[System, Object, str], int] = {}
        """Records that are part of these pairs since they have none of their own."""
        self.partly: set[int] = set()
        """Pairs of which the log doesn't tell the beginning, and nobody else does."""
        self._known: dict[int, dict[str, Followed]] = {}
        self._called: dict[tuple[int, System], Object] = {}
        """Of pairs that aren't there yet: what a topic has called their records."""

    def fork(self, terms: Terms) -> "Shadow":
        """Another one that begins where this one stands, under other rules."""
        new = Shadow(terms, logged_under=self._logged_under, seed=self._seed, seeded_late=self._late)
        new._lands_ms = LANDS_MS
        new.pairs, new.ended, new.partly = dict(self.pairs), dict(self.ended), set(self.partly)
        new._called = dict(self._called)
        new._known = {pair: dict(fields) for pair, fields in self._known.items()}
        return new

    def take(self, logged: Logged) -> list[Made]:
        """One entry; what became of each of its rulings."""
        decision = logged.decision
        match decision.kind:
            case "judged" if decision.pair:
                return self._judged(decision, logged.event)
            case "written" if decision.pair:
                self._written(decision)
            case kind if kind == BY_HAND and decision.pair in self.pairs:
                self.pairs[decision.pair] = self._chosen(self.pairs[decision.pair], decision)
            case "joined" if decision.joined is not None:
                self._joined(decision, decision.joined.pair)
            case "forgotten":
                self.pairs.pop(decision.pair, None)
                self._known.pop(decision.pair, None)
            case "wanted" if decision.pair in self.pairs:
                state = shallow(self.pairs[decision.pair])
                state.wanted = state.wanted or decision.at
                self.pairs[decision.pair] = state
            case _:
                pass
        return []

    # -- edits -----------------------------------------------------------------------------------------------------------
    def _judged(self, decision: Decision, event: ChangeEvent | None) -> list[Made]:
        told = [ruling for ruling in decision.fields if ruling.verdict not in _UNDONE]
        if decision.pair not in self.pairs and (named := event.object if event else object_of(decision)) is not None:
            self._called[decision.pair, decision.system] = named
        if decision.fields and not told:
            self._note(decision, event)
            return []
        state = self._state(decision)
        if state is None:
            self.unplaced += 1
            return []
        before = state
        state = self._lived(state, decision, event, told)
        self.pairs[decision.pair] = state
        made: list[Made] = []
        edits = [ruling for ruling in told if ruling.field != ALL]
        for ruling in (*edits, *self._unmapped(state, event)):
            state, now = self._one(state, decision, ruling)
            logged = None if ruling.verdict is Verdict.ACCEPTED and ruling.rule == _NEWLY else ruling
            made.append(Made(object=state.object, field=ruling.field, pair=decision.pair, side=decision.system, logged=logged, now=now))
        if decision.system is SALESFORCE:
            state = agree_link(state, self._terms, self._at(decision))
        state = self._met(state, decision)
        self._count(before, state)
        self.pairs[decision.pair] = state
        return made

    def _one(self, state: PairState, decision: Decision, ruling: Ruling) -> tuple[PairState, Ruling | None]:
        mapping = self._terms.mapping(state).by_key.get(ruling.field)
        if mapping is None:
            return state, None
        side, trails = decision.system, self._known.setdefault(decision.pair, {})
        field = state.fields.get(ruling.field)
        if field is None or (ruling.field not in trails and decision.pair in self.partly):
            field = begun(side, ruling) if decision.pair in self.partly else Field()
        known = trails.get(ruling.field, _NEW)
        at = self._at(decision)
        edit = Edit(side=side, object=state.object, value=ruling.value, at=at, alone=not state.record(side.other).id)
        try:
            told = judged(mapping, field, edit, ruling, known, decision.at, lands_ms=self._lands_ms)
        except Unfit:
            return state, None
        if told is None:
            return state, None
        new, now = told
        reaches = frozenset(system for system in System if mapping.direction.reaches(system) and state.record(system).id)
        trails[ruling.field] = followed(known, field, new, ruling, side, decision.at, reaches=reaches)
        return state.with_fields({ruling.field: new}), now

    def _chosen(self, state: PairState, decision: Decision) -> PairState:
        """What a person has decided, whatever the rules say."""
        changed: dict[str, Field] = {}
        trails = self._known.setdefault(decision.pair, {})
        for ruling in decision.fields:
            mapping = self._terms.mapping(state).by_key.get(ruling.field)
            if mapping is None or ruling.verdict is not Verdict.ACCEPTED:
                continue
            old = state.fields.get(ruling.field) or begun(decision.system, ruling)
            new = changed[ruling.field] = chosen(mapping, old, ruling, decision.at)
            known = trails.get(ruling.field, _NEW)
            reaches = frozenset(system for system in System if mapping.direction.reaches(system) and state.record(system).id)
            after = followed(known, old, new, ruling, decision.system, decision.at, reaches=reaches)
            trails[ruling.field] = replace(after, by=None)
        return state.with_fields(changed) if changed else state

    def _unmapped(self, state: PairState, event: ChangeEvent | None) -> Iterator[Ruling]:
        """What an event tells of fields that only these rules know: edits that had seen whatever there was to be seen."""
        if event is None or self._logged_under is self._terms.rules or event.kind is _DELETED:
            return
        mapped = self._logged_under.objects[state.object].by_key
        for name, wire in event.fields.items():
            mapping = self._terms.mapping(state).by_name(event.system).get(name)
            if mapping is None or mapping.key in mapped:
                continue
            try:
                value = neutral(mapping.type, wire)
            except Unfit:
                continue
            field = state.fields.get(mapping.key) or Field()
            if event.is_read and equal(mapping, value, field.side(event.system).seen):
                continue
            yield Ruling(field=mapping.key, verdict=Verdict.ACCEPTED, value=value, agreed=value, version=field.version + 1, rule=_NEWLY)

    # -- lives -----------------------------------------------------------------------------------------------------------
    def _state(self, decision: Decision) -> PairState | None:
        state = self.pairs.get(decision.pair)
        if state is None:
            state = self._seed(decision.pair)
            if state is not None and self._late:
                self.partly.add(decision.pair)
        if state is not None:
            return state
        obj = self._called.pop((decision.pair, decision.system), None)
        if obj is None:
            return None
        sort = self._terms.rules.objects[self._terms.rules.sort_of(decision.system, obj)]
        if not is_beginning(decision):
            self.partly.add(decision.pair)
        return PairState(object=sort.object, counterpart=sort.marketo)

    def _lived(self, state: PairState, decision: Decision, event: ChangeEvent | None, told: list[Ruling]) -> PairState:
        """The pair with what the entry says of its record's life."""
        side, before = decision.system, state.record(decision.system)
        came = any(ruling.field == ALL and ruling.reason.startswith(MET) for ruling in told)
        if came or (not before.id and state.record(side.other).id and decision.pair not in self.partly and not is_ours(told)):
            state = unmet(state, side, self._terms)
        kind = decision.event.kind if decision.event else ""
        record = shallow(state.record(side))
        if event is not None and not event.is_read and event.id == decision.record:
            record = noted(record, event)
        if record.id and record.id != decision.record:
            self.former[side, state.named_on(side), record.id] = decision.pair
        record.id, record.at = decision.record, max(record.at, self._at(decision))
        record.complete, record.reread, record.heir = True, decision.pair in self.partly and not before.id, 0
        deleted = kind == _DELETED and any(ruling.field == ALL and ruling.verdict is Verdict.ACCEPTED for ruling in told)
        record.deleted = deleted or (record.deleted and kind == _DELETED)
        state = state.with_record(side, record)
        obj = event.object if event else object_of(decision)
        if side is SALESFORCE and obj is not None and obj in self._terms.rules.objects and state.object != obj:
            state = shallow(state)
            state.object = obj
        return outlived(state, side, self._at(decision), self._terms) if deleted else state

    @staticmethod
    def _met(state: PairState, decision: Decision) -> PairState:
        """After a meeting: what the record was not told to hold is blank there."""
        changed: dict[str, Field] = {}
        for key, field in state.unsettled().items():
            side = field.side(decision.system)
            if not side.known:
                new = shallow(side)
                new.known, new.seen = True, None
                if field.value is None or field.value is False:
                    new.shows = field.version
                changed[key] = field.with_side(decision.system, new)
        return state.with_fields(changed) if changed else state

    def _note(self, decision: Decision, event: ChangeEvent | None) -> None:
        """An event that told nothing new is judged all the same."""
        state = self.pairs.get(decision.pair)
        if state is None or event is None or event.is_read or state.record(decision.system).id != event.id:
            return
        self.pairs[decision.pair] = state.with_record(decision.system, noted(state.record(decision.system), event))

    def _written(self, decision: Decision) -> None:
        state = self.pairs.get(decision.pair) or self._seed(decision.pair)
        what, _, fate = decision.outcome.partition(" ")
        if state is None or fate not in ("done", "confirmed"):
            return
        side, record = decision.system, shallow(state.record(decision.system))
        if what == "create":
            if decision.record != record.id:
                record = Record(id=decision.record, at=record.at)
            record.complete, record.origin = True, "tandem"
            state = born(state.with_record(side, record), side)
        if what == "delete" and decision.record == record.id:
            record.deleted = True
            state = state.with_record(side, record)
        fed = self._terms.has_feed(side, state.named_on(side))
        if what in ("create", "update") and not (fed and (what == "update" or side is SALESFORCE)):
            state = self._shown(state, decision)
        elif what in ("create", "update"):
            trails = self._known.setdefault(decision.pair, {})
            for ruling in decision.fields:
                trails[ruling.field] = trails.get(ruling.field, _NEW).sent(side, ruling.version)
        self.pairs[decision.pair] = state

    def at_rest(self) -> Iterator[tuple[int, PairState]]:
        """The pairs as they are once what was written has come back, for what the log would tell only then: a write that changed nothing
        never comes back."""
        for pair, state in self.pairs.items():
            changed: dict[str, Field] = {}
            for key, known in self._known.get(pair, {}).items():
                field, mapping = state.fields.get(key), self._terms.mapping(state).by_key.get(key)
                if field is None or mapping is None or not known.agreed:
                    continue
                for side, version in known.out:
                    if version == known.agreed[-1].logged and known.agreed[-1].version == field.version:
                        field = changed[key] = shown(mapping, field, side)
            yield pair, state.with_fields(changed) if changed else state

    def _shown(self, state: PairState, decision: Decision) -> PairState:
        """The answer is the witness that a write has landed."""
        changed: dict[str, Field] = {}
        trails = self._known.setdefault(decision.pair, {})
        for ruling in decision.fields:
            field, known = state.fields.get(ruling.field), trails.get(ruling.field, _NEW)
            mapping = self._terms.mapping(state).by_key.get(ruling.field)
            if field is None or mapping is None:
                continue
            sent = next((each for each in reversed(known.agreed) if each.logged == ruling.version), None)
            if sent is None or sent.version == field.version:
                changed[ruling.field] = shown(mapping, field, decision.system)
                trails[ruling.field] = known.settled(decision.system)
        return state.with_fields(changed) if changed else state

    def _joined(self, decision: Decision, loser: int) -> None:
        winner, lost = self.pairs.get(decision.pair) or self._seed(decision.pair), self.pairs.pop(loser, None) or self._seed(loser)
        self._known.pop(loser, None)
        self.ended[loser] = decision.pair
        if winner is not None and lost is not None:
            for system in System:
                if lost.record(system).id and lost.record(system).id != winner.record(system).id:
                    self.former[system, lost.named_on(system), lost.record(system).id] = decision.pair
            self.pairs[decision.pair] = join(winner, lost, decision.system, self._terms, decision.at)

    # -- counts ----------------------------------------------------------------------------------------------------------
    def _count(self, before: PairState, after: PairState) -> None:
        """A record is to be written to by what this entry brought."""
        mapped = self._terms.mapping(after).by_key
        for system in System:
            if after.record(system).id and any(
                owes(field, system, mapped.get(key)) and not same_debt(before.fields.get(key), field, system)
                for key, field in after.unsettled().items()
            ):
                self.owed += 1

    @staticmethod
    def _at(decision: Decision) -> int:
        return decision.event.at if decision.event else decision.at
