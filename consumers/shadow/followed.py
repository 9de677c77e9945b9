"""What the log has said of one field of a pair so far, beside what the shadow made of it. Pure."""

from dataclasses import dataclass, replace

from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import Field
from streams.wire.events import Value
from streams.wire.systems import SALESFORCE, System

_KEPT = 8
"""Agreements of a field that a write of ours which comes back may carry."""
MOVES = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.CONTESTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """An agreement of the log, and what the shadow had agreed on by then."""

    logged: int
    value: Value
    version: int
    shadow: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One field. `by`: whose edit made the agreement that the log has now; None: the log doesn't go back so far.
    `owed_salesforce` and `owed_marketo`: since when (ms, ours) the shadow owes that side its agreement; 0: it doesn't."""

    agreed: tuple[Agreed, ...] = ()
    by: System | None = None
    owed_salesforce: int = 0
    owed_marketo: int = 0
    out: tuple[tuple[System, int], ...] = ()
    """Writes of the log that were answered and have not come back: the side, and the version that each carried."""

    def owed_since(self, system: System) -> int:
        """Since when the shadow owes this side its agreement (ms, ours); 0: it doesn't."""
        return self.owed_salesforce if system is SALESFORCE else self.owed_marketo

    def stands(self, field: Field) -> bool:
        """Whether the shadow has agreed on nothing since that the log hasn't: what had seen the one had seen the other."""
        if not self.agreed:
            return True
        last = self.agreed[-1]
        return last.version == field.version and (len(self.agreed) == 1 or self.agreed[-2].version != last.version)

    def settled(self, system: System) -> "Followed":
        """The shadow owes that side nothing any more."""
        return replace(self, owed_salesforce=0) if system is SALESFORCE else replace(self, owed_marketo=0)

    def sent(self, system: System, version: int) -> "Followed":
        """A write to that side was answered."""
        return replace(self, out=(*self.out, (system, version))[-_KEPT:])

    def carried(self, system: System, value: Value) -> Agreed | None:
        """What a write of ours carried that comes back with this value: that of the writes which have not come back, else (the feed was
        quicker than the answer) the newest agreement with that value, else the oldest of those writes, altered."""
        out = [version for side, version in self.out if side is system]
        same = [each for each in self.agreed if each.value == value]
        found = next((each for each in same if each.logged in out), None) or (same[-1] if same else None)
        return found or next((each for each in self.agreed if each.logged in out), None)

    def back(self, system: System, came: Agreed | None) -> "Followed":
        """A write to that side has come back, and with it every one before it."""
        if came is None or not self.out:
            return self
        return replace(self, out=tuple(each for each in self.out if each[0] is not system or each[1] > came.logged))


def followed(before: Followed, old: Field, new: Field, ruling: Ruling, side: System, at: int, *, reaches: frozenset[System]) -> Followed:  # noqa: PLR0917
    """What is known after a ruling of the log on an edit of `side`, which the shadow has judged: `old` became `new`. `at`: ms, ours."""
    agreed, by = before.agreed, before.by
    if not agreed and ruling.verdict not in MOVES:
        agreed = (Agreed(logged=ruling.version, value=ruling.agreed, version=old.version, shadow=old.value),)
    elif not agreed or ruling.version > agreed[-1].logged:
        told = Agreed(logged=ruling.version, value=ruling.agreed, version=new.version, shadow=new.value)
        agreed, by = (*agreed[-_KEPT + 1 :], told), side if ruling.verdict in MOVES else by
    owed = {}
    for system in System:
        shows, since = new.side(system).shows == new.version, before.owed_since(system)
        owed[system] = 0 if shows or system not in reaches else since if since and new.version == old.version else at
    known = before.back(side, before.carried(side, ruling.value)) if ruling.verdict is Verdict.ECHO else before
    return replace(known, agreed=agreed, by=by, owed_salesforce=owed[SALESFORCE], owed_marketo=owed[SALESFORCE.other])
