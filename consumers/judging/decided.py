"""Decided: what the ledger keeps of an event that was judged. Pure."""

from consumers.ledger.port import Pair
from consumers.merge.pair.decision import Decision, Origin, Ruling
from streams.wire.events import ChangeEvent


def decided(pair: Pair | None, event: ChangeEvent, origin: Origin, rulings: tuple[Ruling, ...], now: int, config: int) -> Decision:  # noqa: PLR0917
    """The decision on an event, with where it came from."""
    return Decision(
        kind="judged",
        at=now,
        pair=pair.id if pair else 0,
        system=event.system,
        record=event.id,
        event=Origin(
            topic=origin.topic,
            partition=origin.partition,
            offset=origin.offset,
            source=event.source,
            kind=event.kind,
            at=event.at,
            author=event.author,
            call=event.call,
            how=event.origin,
        ),
        fields=rulings,
        config=config,
    )
