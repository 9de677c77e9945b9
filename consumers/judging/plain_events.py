"""Plain events of a batch: each judged on the front of its pair, decided, and due, without anything else of the pair being unpacked."""

from collections.abc import Mapping

from consumers.judging.bursts import Bursts
from consumers.judging.observed import Observed
from consumers.ledger.port import Duty, Pair
from consumers.merge.events.plain import Way, plainly
from consumers.merge.pair.decision import Decision, Origin, Told, Verdict, told
from streams.budget.port import Lane
from streams.wire.events import ChangeEvent
from streams.wire.systems import SALESFORCE, Object

NO_WAYS: Mapping[Object, Way] = {}
_SOURCE = "cdc"
_ACCEPTED, _LIVE, _WRITE_MARKETO = Verdict.ACCEPTED, Lane.LIVE, Duty.WRITE_MARKETO


class PlainEvents:
    """Of one batch. What they come to is told in `observed`."""

    def __init__(self, ways: Mapping[Object, Way], now: int, observed: Observed, bursts: Bursts | None, config: int = 0) -> None:
        self._ways, self._now, self._observed, self._bursts, self._config = ways, now, observed, bursts, config
        self.pairs: dict[int, Pair] = {}
        """Those that were changed so, by their ids."""

    def judged(self, pair: Pair | None, event: ChangeEvent, topic: str, partition: int, offset: int) -> Told | None:
        """The decision on an event of this pair; None where it is not plain: nothing has changed then."""
        if pair is None or event.system is not SALESFORCE or event.source != _SOURCE or (way := self._ways.get(event.object)) is None:
            return None
        front = pair.front()
        rulings = plainly(front, event, way) if front is not None else None
        if front is None or rulings is None:
            return None
        if not front.due[1]:
            since = self._now - (self._bursts.ahead(event, self._now) if self._bursts is not None else 0)
            front.due, front.lane, pair.newly_due = (0, since, 0, 0), _LIVE, (_LIVE, since)
            self._observed.due.add(_WRITE_MARKETO)
        pair.edit(front)
        self.pairs[pair.id] = pair
        self._observed.events += 1
        self._observed.verdicts[_ACCEPTED] += len(rulings)
        origin = Origin(topic, partition, offset, event.source, event.kind, event.at, event.author, event.call, event.origin)
        return told(Decision("judged", self._now, pair.id, SALESFORCE, event.id, origin, rulings, 0, "", "", None, self._config))
