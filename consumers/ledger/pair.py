"""A pair inside a transaction."""

from consumers.ledger.faults import Fault
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import Stored, stored, unfolded, unpack


class Pair:
    """A pair inside a transaction: locked, and free to be given a new state. `id` is 0 until it is added.

    One that comes `packed` is taken apart when its state is asked for. Until then an edit of the plainest sort may change its `front`.
    """

    __slots__ = ("_loaded", "_packed", "_state", "decided", "edited", "front", "id", "loaded_key", "match_key", "newly_due")

    def __init__(
        self, *, id: int,  # noqa: A002 - what it is called
        state: PairState | None, loaded: PairState | None, match_key: str | None = None, loaded_key: str | None = None,
        decided: int = 0,
    ) -> None:  # fmt: skip
        self.id = id
        self._state = state
        self._loaded = loaded
        self._packed = b""
        self.match_key = match_key
        self.loaded_key = loaded_key
        self.decided = decided
        """Where the ledger keeps the newest decision about it."""
        self.front: Stored | None = None
        """The state as far as it is taken apart; None once it is so as a whole."""
        self.edited = False
        """Whether `front` is another one than was loaded."""
        self.newly_due = False
        """With `edited`: whether Marketo was owed nothing before."""

    @classmethod
    def packed(cls, number: int, data: bytes, key: str | None, decided: int) -> "Pair":
        """As it is stored. Raises `Fault` where that is no state."""
        pair = cls.__new__(cls)  # for every event: in a third of the time that it takes with everything named
        pair.id, pair.decided = number, decided
        pair._packed, pair._state, pair._loaded = data, None, None  # noqa: SLF001 - its own
        pair.match_key = pair.loaded_key = key
        pair.edited = pair.newly_due = False
        try:
            pair.front = stored(data)
        except Exception as error:
            raise Fault("reading a pair's state", error, number) from error
        if pair.front is None:
            pair._take_apart()  # noqa: SLF001 - as above
        return pair

    @property
    def state(self) -> PairState:
        """Its state now."""
        if self._state is None:
            self._take_apart()
        return self._state  # type: ignore[return-value]  # there it is

    @state.setter
    def state(self, state: PairState) -> None:
        if self._state is None:
            self._take_apart()
        self._state = state

    @property
    def loaded(self) -> PairState | None:
        """As it was read; None for a new pair."""
        if self._state is None:
            self._take_apart()
        return self._loaded

    @loaded.setter
    def loaded(self, loaded: PairState) -> None:
        self._loaded = loaded

    def kept(self, data: bytes) -> None:
        """Its front was stored like this."""
        self._packed, self.edited = data, False

    def _take_apart(self) -> None:
        front, self.front = self.front, None
        try:
            self._loaded = unpack(self._packed)
            self._state = unfolded(front) if front is not None and self.edited else self._loaded
        except Exception as error:
            raise Fault("reading a pair's state", error, self.id) from error
