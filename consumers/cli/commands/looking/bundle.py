"""`tandem support-bundle`: all that is known of one record, in one file."""

from pathlib import Path
from typing import Annotated

import typer

from consumers.cli.commands.desk.picked import RECORD_HELP, without_addresses
from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, examples, fail, finish, print_json, settings_of


def add_bundle_command(app: typer.Typer) -> None:
    """The command, at the top."""
    app.command(
        "support-bundle",
        short_help="All that is known of one record, in one file.",
        epilog=examples("tandem support-bundle ada@example.com", "tandem support-bundle pair:17 --to ada.zip --reveal --reason ticket-7"),
    )(support_bundle)


def support_bundle(
    name: Annotated[str, typer.Argument(metavar="RECORD", help=RECORD_HELP)],
    config: Config = DEFAULT_CONFIG,
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where it goes; else tandem-pair-NUMBER.zip here.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="With personal data; the audit log keeps who and why.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Put the record, its explanation, timeline, decisions and exchanges, the configuration and the versions into one file. Personal data
    is masked; secrets are in none. With --json it is printed instead."""
    settings = settings_of(config)
    from consumers.answers.looking.bundling import as_zip, bundle_of  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.console.masking import masked  # noqa: PLC0415 - quick start

    what = {"what": "support-bundle", "record": without_addresses([name])[0]}
    work = bundle_of(settings, name)
    told = finish(noted(settings, "reveal", what, work, reason) if reveal else work)
    shown = told if reveal else masked(told)
    if json:
        print_json(shown)
        return
    file = to or Path(f"tandem-pair-{told.record.pair}.zip")
    try:
        file.touch(mode=0o600)
        file.write_bytes(as_zip(shown, revealed=reveal))
    except OSError as error:
        fail(f"{file} can't be written ({error.strerror}); choose another place with --to", Exit.CONFIGURATION)
    typer.echo(f"{file}: {'with personal data' if reveal else 'personal data is masked'}; no secret is in it")
