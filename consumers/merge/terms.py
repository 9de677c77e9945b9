"""Everything that the merge is told besides state and event: rules, who we are, how long to wait. Built once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from consumers.mapping.fields import FieldMapping, ObjectMapping, RuleName, SyncRules
from consumers.merge.edits.values import canonical
from consumers.merge.pair.state import PairState, shallow
from consumers.merge.writing.due import due
from consumers.merge.writing.plan import row_mark
from consumers.merge.writing.writes import Patience, reconsidered
from streams.wire.events import ChangeEvent
from streams.wire.systems import MARKETO, SALESFORCE, Object, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How our own changes are told: our user on each side, and the stamp field where Marketo doesn't name users."""

    salesforce_user: str
    marketo_user: str
    stamp: str | None = None

    def owns(self, event: ChangeEvent) -> bool:
        """Whether the feed names our user as the author. Marketo's users are e-mail addresses, whatever their case."""
        if event.author is None:
            return False
        if event.system is SALESFORCE:
            return event.author == self.salesforce_user
        return event.author.casefold() == self.marketo_user.casefold()

    def made_last(self, reading: ChangeEvent) -> bool:
        """Whether a reading says that our user was the last to change its record."""
        return reading.modified_by == self.salesforce_user


def _nobody(program: str) -> None:
    del program


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms under which pairs are kept in step."""

    rules: SyncRules
    identity: Identity
    salesforce: Patience = field(default_factory=lambda: Patience(silent_ms=20_000))
    marketo: Patience = field(default_factory=Patience)
    lateness_ms: int = 30_000
    """How long a missing link in Marketo's feed is waited for."""
    winner_of: Callable[[str], System | None] = _nobody
    """Of a program in Marketo: whose value stands in a conflict about its members, where its link says so."""
    version: int = 0
    """Which version of the configuration the rules are (`consumers.ledger.versions`); 0: nobody has numbered them."""
    exact: bool = False
    """Whether Marketo's activities name the call that made them, for certain."""
    _linking: Mapping[Object, tuple[FieldMapping, ...]] = field(init=False, repr=False, compare=False)
    _won_by: Mapping[tuple[Object, System], ObjectMapping] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        objects, names = self.rules.objects, self.rules.links.names
        linking = {obj: tuple(mapping.by_key[name] for name in names if name in mapping.by_key) for obj, mapping in objects.items()}
        object.__setattr__(self, "_linking", linking)
        derived = {obj: mapping for obj, mapping in objects.items() if mapping.is_derived}
        object.__setattr__(self, "_won_by", {(obj, side): won_by(mapping, side) for obj, mapping in derived.items() for side in System})

    def mapping(self, state: PairState) -> ObjectMapping:
        """What is mapped of this pair's records."""
        mapping = self.rules.objects[state.object]
        return self._as_linked(mapping, state) if mapping.is_derived else mapping

    def _as_linked(self, mapping: ObjectMapping, state: PairState) -> ObjectMapping:
        """The mapping with the rule of the link that the record belongs to, where that says another one."""
        winner = self.winner_of((state.marketo.id or state.name).partition(".")[0])
        return mapping if winner is None else self._won_by[state.object, winner]

    def linking(self, state: PairState) -> tuple[FieldMapping, ...]:
        """The link fields among them."""
        return self._linking.get(state.object, ())

    def has_feed(self, system: System, obj: Object) -> bool:
        """Whether a system tells of the changes of such records by itself."""
        if system is SALESFORCE:
            return self.rules.objects[obj].streamed
        return any(mapping.marketo == obj for mapping in self.rules.people.values())

    def meets(self, event: ChangeEvent) -> bool:
        """Whether the record of an event may belong to a pair that knows it not yet."""
        mapping = self.mapping_of(event)
        return mapping.is_person or mapping.is_derived

    def mapping_of(self, event: ChangeEvent) -> ObjectMapping:
        """What is mapped of records like that of an event."""
        return self.rules.objects[self.rules.sort_of(event.system, event.object)]

    def patience(self, system: System) -> Patience:
        """How long calls to this system and its feed are waited for."""
        return self.salesforce if system is SALESFORCE else self.marketo

    def exact_on(self, system: System) -> bool:
        """Whether own changes on this system name the call that made them."""
        return self.exact and system is MARKETO

    def with_due(self, state: PairState, now: int) -> PairState:
        """The state with what is due for it, from `now` on unless it was due before; what was refused under other terms is due again."""
        if (state.salesforce.refused or state.marketo.refused) and not self.rules.objects[state.object].left_out:
            mark = row_mark(state, self.rules)
            state = reconsidered(reconsidered(state, SALESFORCE, mark), MARKETO, mark)
        moments = due(state, self.rules, now, exact=self.exact)
        if moments == state.due:
            return state
        new = shallow(state)
        new.due = moments
        return new

    def match_key(self, state: PairState) -> str | None:
        """By what this pair is matched, as below."""
        return match_key(state, self.rules)


def won_by(mapping: ObjectMapping, winner: System) -> ObjectMapping:
    """The mapping in which this side wins what a side wins at all; other rules stay, and fall back to it where they can't tell."""
    sides = (RuleName.SALESFORCE, RuleName.MARKETO)
    fields = tuple(
        replace(item, rule=replace(item.rule, name=RuleName(str(winner)) if item.rule.name in sides else item.rule.name, default=winner))
        for item in mapping.fields
    )
    return replace(mapping, fields=fields)


def name_key(mapping: ObjectMapping, name: str) -> str | None:
    """The match key of a name in Marketo; None: it isn't known yet. It can't be taken for an e-mail address."""
    return f"{mapping.marketo}:{name}" if name else None


def match_key(state: PairState, rules: SyncRules) -> str | None:
    """By what this pair is matched: people by the canonical e-mail, who is named by its parents by that name; the rest never (None)."""
    sort = rules.objects[state.object]
    if sort.is_derived:
        return name_key(sort, state.marketo.id or state.name)
    agreed = state.fields.get(rules.email_key)
    mapping = sort.by_key.get(rules.email_key)
    if agreed is None or mapping is None or not sort.is_person:
        return None
    key = canonical(mapping, agreed.value)
    return key if isinstance(key, str) else None
