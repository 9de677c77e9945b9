"""The story of a field as people read it."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.answers.looking.ledger import Story
from consumers.reports.clock import moment
from consumers.reports.records.plain import NAMES, quoted, spelled
from consumers.reports.records.story import Chapter
from streams.wire.systems import System

_EDITS = {"accepted", "won", "lost", "review", "put_back", "left", "contested"}
"""Verdicts on somebody's change."""


def print_story(console: Console, story: Story, *, technical: bool) -> None:
    """What happened, in order, in the reader's time zone; then how it stands. `technical`: versions, echoes and client ids, too."""
    who = f"{story.person} ({story.email})" if story.email and story.email != story.person else story.person
    number = f", pair:{story.pair}" if technical else ""
    when = f", at {moment(story.at_ms)}" if story.at_ms is not None else ""
    what = f"{escape(story.field)} of " if story.field else ""
    console.print(f"[bold]{what}{escape(who)}{number}{when}[/]", soft_wrap=True)
    told = [(each, _in_full(each) if technical else each.plain) for each in story.chapters]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for chapter, sentence in told:
        if sentence:
            about = f"{chapter.field}: " if chapter.field and not story.field else ""
            table.add_row(moment(chapter.happened_at or chapter.at), escape(about + sentence))
    if table.row_count:
        console.print(table)
    elif story.chapters:
        console.print("Nothing was changed by anybody: what there is to tell is technical (--technical).")
    else:
        console.print("No decision has touched it: nobody ever gave it a value, or it was the same on both sides at first sight.")
    for sentence in story.now:
        console.print(f"[bold]{escape(spelled(sentence))}[/]", soft_wrap=True)


def _in_full(chapter: Chapter) -> str:
    """With what each side showed before, where somebody's change was judged."""
    if not chapter.before or chapter.verdict not in _EDITS or chapter.kind != "judged":
        return chapter.sentence
    before = ", ".join(f"{NAMES[System(system)]} showed {quoted(value)}" for system, value in chapter.before.items())
    return f"{chapter.sentence} Before it {before}."
