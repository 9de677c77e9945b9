"""The garbage collector of a worker: told what stays, and to look less often for what goes.

Records and events are freed by their reference counts; cycles are rare here. With Python's defaults (a look every 700 new containers)
a batch of 500 events sets off dozens of looks, a twelfth of its processor time as measured by `tests/benchmarks`.
"""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 20


def calm() -> None:
    """Everything that is loaded now is taken to stay; from now on the collector looks after 50,000 new containers."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
