"""Entry point of the Marketo process; the supervisor starts it."""

import gc

from infra.sandbox.kernel.process import main
from infra.sandbox.marketo.server import build

if __name__ == "__main__":
    gc.set_threshold(100_000, 50, 100)  # people and activities form no cycles: walking a million of them finds nothing
    main("marketo", build)
