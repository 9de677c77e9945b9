"""`tandem doctor`: everything that Tandem lives on, looked at once, each with what helps."""

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of


def add_doctor_command(app: typer.Typer) -> None:
    """The command, at the top."""
    app.command("doctor", short_help="What is wrong, and what helps.", epilog=examples("tandem doctor", "tandem doctor --json"))(doctor)


def doctor(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Look at everything that Tandem lives on, and say what helps: configuration, credentials, permissions and the change stream (as
    `tandem check`, which needs neither ledger nor topics), database, topics, clocks, quotas, workers, and what waits for people."""
    settings = settings_of(config)
    from consumers.cli.doctor import diagnosis_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.doctor import print_diagnosis  # noqa: PLC0415 - quick start

    told = finish(diagnosis_of(settings))
    if json:
        print_json(told)
    else:
        print_diagnosis(console(), told)
    if told.refused:
        raise typer.Exit(int(Exit.CONFIGURATION))
    if told.unreachable:
        raise typer.Exit(int(Exit.UNREACHABLE))
    if told.problems:
        raise typer.Exit(int(Exit.PROBLEMS))
