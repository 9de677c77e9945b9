"""Entry point of the Marketo process; the supervisor starts it."""

from infra.sandbox.kernel.process import main
from infra.sandbox.marketo.server import build

if __name__ == "__main__":
    main("marketo", build)
