"""Faults: whatever goes wrong with one event or one pair, told apart from what stops everybody. Pure.

A step of ours that is given one bad value may raise anything. What it raises is made a `Fault` where the step ends, so that loops
can narrow it down to the one event or pair, set that aside, and go on with its neighbours; an outage stays what it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Fault(Exception):  # noqa: N818 - a case that the loops are made for
    """A step failed on something in its batch. `pair`: on which, if that is known (else 0). The message holds no values."""

    def __init__(self, step: str, error: BaseException, pair: int = 0) -> None:
        super().__init__(f"{step} failed ({type(error).__name__}{_where(error)})")
        self.pair = pair


@contextmanager
def step(name: str, pair: int = 0) -> Iterator[None]:
    """Whatever is raised inside is a `Fault` of this step. Nothing inside may wait for a system or for the database."""
    try:
        yield
    except Fault:
        raise
    except Exception as error:
        raise Fault(name, error, pair) from error


def _where(error: BaseException) -> str:
    """The place that raised it, for whoever mends it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
