"""A pair inside a transaction."""

from consumers.ledger.faults import Fault
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import Stored, repack, stored, unpack


class Pair:
    """A pair inside a transaction: locked, and free to be given a new state. `id` is 0 until it is added.

    One that comes `packed` is taken apart when its state is asked for. Until then an edit of the plainest sort may change its `front`:
    it is packed again at once, so that of a batch of pairs only one is in the processor's way at a time.
    """

    __slots__ = ("_loaded", "_packed", "_state", "decided", "edited", "id", "loaded_key", "match_key", "newly_due", "place")

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
        self.edited = b""
        """How it is to be stored where it was only changed in front; empty where it wasn't."""
        self.newly_due: tuple[int, int] | None = None
        """With `edited`, where Marketo was owed nothing before: in which lane, and from when on it is owed."""
        self.place = ""
        """Where the database has just found its row, locked; empty where that isn't known, or is so no more."""

    @classmethod
    def packed(cls, number: int, data: bytes, key: str | None, decided: int, place: str = "") -> "Pair":
        """As it is stored."""
        pair = cls.__new__(cls)  # for every event: in a third of the time that it takes with everything named
        pair.id, pair.decided, pair.place = number, decided, place
        pair._packed, pair._state, pair._loaded = data, None, None  # noqa: SLF001 - its own
        pair.match_key = pair.loaded_key = key
        pair.edited, pair.newly_due = b"", None
        return pair

    @property
    def is_packed(self) -> bool:
        """Whether nobody has asked for its state yet."""
        return self._state is None

    def front(self) -> Stored | None:
        """The state as far as most events ask for it; None once it is taken apart. Raises `Fault` where what is stored is no state."""
        if self._state is not None:
            return None
        try:
            return stored(self.edited or self._packed)
        except Exception as error:
            raise Fault("reading a pair's state", error, self.id) from error

    def edit(self, front: Stored) -> None:
        """Its `front` is this one now. Raises `Fault` where that can't be stored."""
        try:
            self.edited = repack(front)
        except Exception as error:
            raise Fault("storing a pair's state", error, self.id) from error

    def kept(self) -> None:
        """As it was edited it is stored now."""
        self._packed, self.edited, self.newly_due = self.edited or self._packed, b"", None

    @property
    def state(self) -> PairState:
        """Its state now. Raises `Fault` where what is stored is none."""
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

    def _take_apart(self) -> None:
        try:
            self._loaded = unpack(self._packed)
            self._state = unpack(self.edited) if self.edited else self._loaded
        except Exception as error:
            raise Fault("reading a pair's state", error, self.id) from error
