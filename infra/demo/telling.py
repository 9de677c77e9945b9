"""What the demo says while it runs: a live line on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Teller:
    """Tells phases and what happens in them, with the seconds since the start."""

    def __init__(self, *, silent: bool = False) -> None:
        self.console = Console(highlight=False, emoji=False, file=sys.stderr if silent else None, quiet=silent)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, emoji=False, width=160, file=self.console.file, quiet=silent)
        self._begun = time.monotonic()
        self._status: Status | None = None
        self._shown = ""

    def seconds(self) -> float:
        return time.monotonic() - self._begun

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """A phase; on a terminal its `now` lines replace each other beside a spinner."""
        self.say(f"[bold]{escape(title)}[/]")
        if not self.console.is_terminal:
            yield
            return
        with self.console.status("") as self._status:
            yield
        self._status = None

    def say(self, markup: str) -> None:
        """A line that stays."""
        self.console.print(f"[dim]{self.seconds():6.1f} s[/]  {markup}")

    def say_all(self, lines: Sequence[str]) -> None:
        """Lines to be copied from: as they are."""
        for line in lines:
            self.console.print(line, markup=False, soft_wrap=True)

    def now(self, text: str) -> None:
        """What is going on; elsewhere than on a terminal a line only when it changed."""
        if self._status is not None:
            self._status.update(f"[dim]{self.seconds():6.1f} s  {escape(text)}[/]")
        elif text != self._shown:
            self.say(f"  {escape(text)}")
        self._shown = text
