"""Which people a call can't see yet: those that another call, still unanswered when this one arrived, is creating.

Concurrent upserts with the same new key make duplicates, since neither sees the other's record before that one's answer (REST API, leads:
upserts).
"""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Flight:
    """One call between its arrival and its answer, in ticks of a counter."""

    arrived: int
    answered: int | None = None


@dataclass(slots=True)
class InFlight:
    _tick: int = 0
    _open: set[Flight] = field(default_factory=set)
    _creators: dict[int, Flight] = field(default_factory=dict)

    def arrive(self) -> Flight:
        self._tick += 1
        flight = Flight(self._tick)
        self._open.add(flight)
        return flight

    def answer(self, flight: Flight) -> None:
        self._tick += 1
        flight.answered = self._tick
        self._open.discard(flight)
        if not self._open:
            self._creators.clear()
        elif len(self._creators) > 1000:
            first = min(one.arrived for one in self._open)
            self._creators = {key: one for key, one in self._creators.items() if one.answered is None or one.answered > first}

    def created(self, flight: Flight, lead_id: int) -> None:
        self._creators[lead_id] = flight

    def hides(self, flight: Flight, lead_id: int) -> bool:
        """Whether `lead_id` is being created by another call that overlaps with this one."""
        creator = self._creators.get(lead_id)
        return creator is not None and creator is not flight and (creator.answered is None or creator.answered > flight.arrived)
