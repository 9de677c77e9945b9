"""The status again and again, until somebody has seen enough."""

import time
from typing import NoReturn

import typer

from consumers.answers.looking.ledger import status_of
from consumers.cli.terms import Exit, console, finish, print_line
from consumers.cli.text.status import print_status
from consumers.configuration.loading import Settings


def watched(settings: Settings, seconds: float, *, everything: bool, json: bool) -> NoReturn:
    """Every so many seconds: on a cleared terminal, or a line of JSON. Ends on Ctrl-C, with what it found last: 0, or 1 for troubles."""
    code = Exit.OK
    try:
        while True:
            told = finish(status_of(settings))
            code = Exit.UNREACHABLE if told.away else Exit.PROBLEMS if told.troubles else Exit.OK
            if json:
                print_line(told)
            else:
                out = console()
                out.clear()
                print_status(out, told, everything=everything)
            time.sleep(seconds)
    except KeyboardInterrupt:
        raise typer.Exit(int(code)) from None
