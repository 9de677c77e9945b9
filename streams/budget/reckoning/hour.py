"""The last hour of a system's calls, in stretches of five minutes: what a forecast of the day is made of. Pure."""

import msgspec

from streams.budget.reckoning.state import BudgetState

STRETCH_MS = 300_000
_KEPT_MS = 3_600_000
_WRITER_MS = 600_000


def noted(state: BudgetState, now: int, *, calls: int = 0, written: int = 0, at_once: float = 0.0) -> BudgetState:
    """With calls that edits and what finds them have cost, `written` of them writing edits; `at_once` calls it would have taken to write
    each of these edits by itself.
    """
    began = now - now % STRETCH_MS
    *before, last = state.hour or ((began, 0, 0, 0.0),)
    if last[0] < began:
        before, last = [*before, last], (began, 0, 0, 0.0)
    added = (last[0], last[1] + calls, last[2] + written, last[3] + at_once)
    return msgspec.structs.replace(state, hour=(*before, added))


def kept(state: BudgetState, now: int) -> BudgetState:
    """Without what is older than an hour; a clock set back loses what it puts into the future."""
    hour = tuple(each for each in state.hour if now - _KEPT_MS - STRETCH_MS < each[0] <= now)
    writers = {name: at for name, at in state.writers.items() if now - _WRITER_MS < at <= now + STRETCH_MS}
    return msgspec.structs.replace(state, hour=hour, writers=writers)
