"""Everything Tandem needs, and Tandem, as background processes: for `make up`, the demo, tests and benchmarks."""

from infra.stack.stack import Stack
from infra.stack.tandem import Worker

__all__ = ["Stack", "Worker"]
