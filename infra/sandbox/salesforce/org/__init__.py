"""The org itself: its state with the journal beneath it, the recycle bin, and the faults that it can be given."""
