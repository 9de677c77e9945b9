"""The story of a field as people read it."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from consumers.answers.ledger import Story
from consumers.reports.clock import moment
from consumers.reports.records.plain import spelled


def print_story(console: Console, story: Story, *, technical: bool) -> None:
    """What happened, in order, in the reader's time zone; then how it stands. `technical`: versions, echoes and client ids, too."""
    who = f"{story.person} ({story.email})" if story.email and story.email != story.person else story.person
    number = f", pair:{story.pair}" if technical else ""
    console.print(f"[bold]{escape(story.field)} of {escape(who)}{number}[/]", soft_wrap=True)
    told = [(each, each.sentence if technical else each.plain) for each in story.chapters]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for chapter, sentence in told:
        if sentence:
            table.add_row(moment(chapter.happened_at or chapter.at), escape(sentence))
    if table.row_count:
        console.print(table)
    elif story.chapters:
        console.print("Nothing was changed by anybody: what there is to tell is technical (--technical).")
    else:
        console.print("No decision has touched this field: nobody ever gave it a value, or it was the same on both sides at first sight.")
    for sentence in story.now:
        console.print(f"[bold]{escape(spelled(sentence))}[/]", soft_wrap=True)
