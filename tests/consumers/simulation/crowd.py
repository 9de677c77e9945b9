"""Several people: some of them merge, in either system or in both, and leads are converted, while everybody goes on typing."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from consumers.merge.lives.joining import IN_DOUBT
from consumers.merge.lives.link import link_values
from consumers.merge.pair.state import Field, PairState, Record, Side
from streams.wire.events import Happened, Value
from streams.wire.systems import CONTACT, LEAD, System
from tests.consumers.simulation import world
from tests.consumers.simulation.plot import SCORE, TEXTS, Plot, Report, start_of
from tests.consumers.simulation.systems import EPOCH_MS, OURS, typed
from tests.consumers.simulation.virtual import run_virtually
from tests.consumers.simulation.world import World

_SCORE_EACH = 100
_MEETING_SECONDS, _TYPING_SECONDS, _CALM_SECONDS = 60.0, 260.0, 120.0
"""People merge and are converted in the first minute, and type until some minutes later. What is typed long after that has been seen."""
_QUIET_AFTER, _APART_SECONDS = 800.0, 60.0
"""Of two edits that stand so close, neither may have seen the other."""


@dataclass(slots=True)
class _Person:
    """One of them, and who they are part of since."""

    number: int
    records: dict[System, str]
    into: "_Person | None" = None
    texts: dict[str, set[Value]] = field(default_factory=dict)
    """What was typed of each text, on either side."""
    scored: list[tuple[System, str, float]] = field(default_factory=list)
    """What was added to the score, and where."""

    def now(self) -> "_Person":
        """Whom they are part of."""
        return self if self.into is None else self.into.now()


class Crowd(World):
    """A history of several people. The first three may merge, the fourth is converted, the fifth into the sixth, who is a contact."""

    def __init__(self, plot: Plot) -> None:
        super().__init__(plot)
        self.crowd: list[_Person] = []

    def begin(self) -> None:
        """All of them are in step."""
        for number in range(self.plot.people):
            self._introduce_one(number)
        self.ledger.settled_on_disk()

    def _introduce_one(self, number: int) -> None:
        links, obj = self.rules.links, CONTACT if number == 5 else LEAD
        records = {system: self.systems[system].new_id() for system in System}
        linked = link_values(links, obj, records[System.SALESFORCE], deleted=False)
        email = f"p{number}@example.com"
        start = {**start_of(self.plot), **linked, "email": email, "leadScore": _SCORE_EACH, "firstName": f"v{number}"}
        start["title"] = f"v{number}" if number != 1 else None
        mapped = self.rules.objects[LEAD].by_key
        for system in System:
            self.systems[system].made.update({f"v{number}": False})
            row = {mapped[each].name_on(system): value for each, value in start.items() if mapped[each].name_on(system)}
            self.systems[system].records[records[system]] = row
        if obj == CONTACT:
            self.systems[System.SALESFORCE].contacts.add(records[System.SALESFORCE])
        sides = {each: Side(seen=value, seen_at=EPOCH_MS - 3_600_000, shows=1) for each, value in start.items()}
        fields = {each: Field(value=value, version=1, salesforce=sides[each], marketo=sides[each]) for each, value in start.items()}
        salesforce, marketo = (Record(id=records[system], complete=True) for system in System)
        pair = self.ledger.new_pair_id()
        self.ledger.pairs[pair] = PairState(object=obj, fields=fields, salesforce=salesforce, marketo=marketo)
        self.ledger.keys[pair] = email
        self.crowd.append(_Person(number, records, texts={each: {start[each]} for each in TEXTS}))

    def edit(self, number: int, side: System) -> None:
        """Somebody types something, of one of them."""
        person, system = self.rng.choice(self.crowd), self.systems[side]
        record = person.records[side]
        if record not in system.records:
            return
        values = self._typed(number, side, system.records[record])
        place = 1 if side is System.SALESFORCE else 0
        score = values.get(SCORE[place])
        if isinstance(score, (int, float)):
            before = system.records[record].get(SCORE[place]) or 0
            person.scored.append((side, record, score - before))  # type: ignore[operator]
        for key, name in TEXTS.items():
            person.texts[key] |= {typed(values[each]) for each in (key, name) if each in values}
        system.update("person", record, values)
        self.note("person", person.number, side, sorted(values))

    def merge(self, side: System) -> None:
        """Two of the first three, of whom both have a record there."""
        system = self.systems[side]
        there = [person for person in self.crowd[:3] if person.records[side] in system.records]
        if len(there) < 2:
            return
        winner, loser = self.rng.sample(there, 2)
        if loser.into is not None and loser.now() is not winner.now():
            return  # part of somebody on the other side already: nobody can say whose that person is then
        system.merge("person", winner.records[side], [loser.records[side]])
        self.note("merged", side, loser.number, "into", winner.number)
        if loser.now() is not winner.now():
            loser.now().into = winner.now()

    def convert(self, number: int) -> None:
        """One of the two leads that are converted."""
        system, lead = self.systems[System.SALESFORCE], self.crowd[number]
        if lead.records[System.SALESFORCE] not in system.records:
            return
        into = self.crowd[5] if number == 4 else None
        known = into.records[System.SALESFORCE] if into is not None else None
        contact = system.convert("person", lead.records[System.SALESFORCE], known)
        self.note("converted", number, contact)
        if into is not None:
            lead.into = into
        else:
            lead.records[System.SALESFORCE] = contact

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        super()._schedule(loop)
        for number in range(self.plot.edits):
            loop.call_at(self.rng.uniform(0, _TYPING_SECONDS), self.edit, 1000 + number, self.rng.choice(list(System)))
        for _ in range(self.rng.randrange(1, 4)):
            loop.call_at(self.rng.uniform(1, _MEETING_SECONDS), self.merge, self.rng.choice(list(System)))
        for number in (3, 4):
            if self.rng.random() < 0.8:
                loop.call_at(self.rng.uniform(1, _MEETING_SECONDS), self.convert, number)

    def _told(self) -> Report:
        report = super()._told()
        report.faults = list(self._faults())
        return report

    def _faults(self) -> Iterator[str]:
        for system in System:
            if any(entry.author == OURS[system] and entry.at > _QUIET_AFTER for entry in self.systems[system].log):
                yield "not quiet"
        groups: dict[int, list[_Person]] = {}
        for person in self.crowd:
            groups.setdefault(person.now().number, []).append(person)
        counts = [len(self.ledger.pairs), *(len(self.systems[system].records) for system in System)]
        if counts != [len(groups)] * 3:
            yield f"{len(groups)} people, but {counts[0]} pairs, {counts[1]} and {counts[2]} records"
            return
        pairs = {state.salesforce.id: state for state in self.ledger.pairs.values()}
        for group in groups.values():
            yield from self._of_one(group, pairs)

    def _of_one(self, group: list[_Person], pairs: dict[str, PairState]) -> Iterator[str]:
        ours = {person.records[System.SALESFORCE] for person in group} & self.systems[System.SALESFORCE].records.keys()
        theirs = {person.records[System.MARKETO] for person in group} & self.systems[System.MARKETO].records.keys()
        who = sorted(person.number for person in group)
        if len(ours) != 1 or len(theirs) != 1:
            yield f"{who}: records {sorted(ours)} and {sorted(theirs)}"
            return
        state = pairs.get(next(iter(ours)))
        if state is None or state.marketo.id != next(iter(theirs)):
            yield f"{who}: not a pair"
            return
        if state.hold or state.retract or any(record != IN_DOUBT for _, record in state.merges):
            yield f"{who}: held {state.hold!r}, to be deleted {state.retract}, to be merged {state.merges}"
        yield from self._values(who, group, state)

    def _values(self, who: list[int], group: list[_Person], state: PairState) -> Iterator[str]:
        rows = {system: self.systems[system].records[state.record(system).id] for system in System}
        for key, name in TEXTS.items():
            ours, theirs = typed(rows[System.SALESFORCE].get(name)), typed(rows[System.MARKETO].get(key))
            texts = set[Value]().union(*(person.texts[key] for person in group))
            if ours != theirs:
                yield f"{who}: diverged {key}: {ours} {theirs}"
            elif ours not in texts or (ours is None and len(texts) > 1):
                yield f"{who}: {key} is {ours}, which nobody of them typed"
            else:
                yield from self._last(who, key, name, state)
        ours, theirs = rows[System.SALESFORCE].get(SCORE[1]), rows[System.MARKETO].get(SCORE[0])
        if ours != theirs:
            yield f"{who}: diverged score: {ours} {theirs}"
        # where they were merged one way here and the other way there, the record that stays is met anew, with what nobody had seen of it
        scored = [each for person in group for each in person.scored]
        most = _SCORE_EACH * len(group) + sum(added for _, _, added in scored)
        doubtful = sum(added for system, record, added in scored if record not in self.systems[system].records)
        least = most - doubtful  # what was typed of a record that ended may have come to be known after that
        crossed = (
            len({person.number for person in group for system in System if person.records[system] in self.systems[system].records}) > 1
        )
        if not least <= int(ours or 0) <= most and not crossed:
            yield f"{who}: score {ours}, wanted {least} to {most}"

    def _last(self, who: list[int], key: str, name: str, state: PairState) -> Iterator[str]:
        """What was typed last, long after they met, stands; where both sides typed, one of the two."""
        last: dict[System, tuple[float, Value]] = {}
        typed_here: list[tuple[float, Value]] = []
        for system, field_name in ((System.SALESFORCE, name), (System.MARKETO, key)):
            for entry in self.systems[system].log:
                mine = entry.record == state.record(system).id and entry.author == "person" and entry.kind is Happened.UPDATED
                if mine and field_name in entry.after:
                    typed_here.append((entry.at, typed(entry.after[field_name])))
                if mine and field_name in entry.after and entry.at > _MEETING_SECONDS + _CALM_SECONDS:
                    last[system] = typed_here[-1]
        apart = _APART_SECONDS if not self.plot.lost else _CALM_SECONDS
        since = min((at for at, _ in last.values()), default=0.0) - apart
        late = {value for at, value in typed_here if at >= since}
        stands = typed(self.systems[System.MARKETO].records[state.marketo.id].get(key))
        if last and stands not in late:
            yield f"{who}: {key} is {stands}, though {last} was typed last"


def play(plot: Plot) -> Report:
    """One history, of one person or of several."""
    return run_virtually(Crowd(plot).history()) if plot.people > 1 else world.play(plot)
