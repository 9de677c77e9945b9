"""One round: claim, ask, call, answers."""
