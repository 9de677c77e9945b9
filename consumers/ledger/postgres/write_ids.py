"""Ids for writes: handed out of blocks, so that hardly any needs a statement."""


class WriteIds:
    """Ids for writes out of blocks of the sequence `write_ids`, whose increment is the size of a block."""

    SIZE = 1000

    def __init__(self) -> None:
        self._next = self._end = 0

    def begin(self, first: int) -> None:
        """Go on with the block that begins here; what is left of the former one is never given."""
        self._next, self._end = first, first + self.SIZE

    def take(self) -> int | None:
        """The next id; None when the block is used up."""
        if self._next == self._end:
            return None
        self._next += 1
        return self._next - 1
