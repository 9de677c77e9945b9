"""The commands of `tandem`, their options and help; what they do is in the modules that they import."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from consumers.cli.commands.configuration import config_app
from consumers.cli.commands.console import console_app
from consumers.cli.commands.copy import copy_app
from consumers.cli.commands.custom_objects import custom_app
from consumers.cli.commands.desk.canary import add_canary_command
from consumers.cli.commands.desk.conflicts import conflicts_app
from consumers.cli.commands.desk.control import add_control_commands
from consumers.cli.commands.desk.dead_letters import letters_app
from consumers.cli.commands.desk.force import add_force_commands
from consumers.cli.commands.desk.holds import holds_app
from consumers.cli.commands.desk.reconcile import reconcile_app
from consumers.cli.commands.desk.undo import add_undo_command
from consumers.cli.commands.links import add_link_commands
from consumers.cli.commands.logs.deliveries import deliveries_app
from consumers.cli.commands.logs.replay import add_replay_command
from consumers.cli.commands.logs.trying import add_trying_commands
from consumers.cli.commands.looking.audit_log import add_audit_log_command
from consumers.cli.commands.looking.budget import add_budget_command
from consumers.cli.commands.looking.bundle import add_bundle_command
from consumers.cli.commands.looking.coverage import add_coverage_commands
from consumers.cli.commands.looking.doctor import add_doctor_command
from consumers.cli.commands.looking.drift import drift_app
from consumers.cli.commands.looking.records import add_record_commands
from consumers.cli.commands.looking.schemas import add_schemas_command
from consumers.cli.commands.looking.sight import add_sight_commands
from consumers.cli.commands.looking.subscribe import add_subscription_commands
from consumers.cli.commands.person import person_app
from consumers.cli.terms import (
    DEFAULT_CONFIG,
    EXIT_CODES,
    Config,
    Exit,
    Json,
    Reason,
    console,
    examples,
    fail,
    finish,
    print_json,
    settings_of,
)

app = typer.Typer(
    name="tandem",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(config_app, name="config")
app.add_typer(custom_app, name="custom-objects")
app.add_typer(person_app, name="person")
app.add_typer(drift_app, name="drift")
app.add_typer(copy_app, name="copy")
app.add_typer(letters_app, name="dead-letters")
app.add_typer(holds_app, name="holds")
app.add_typer(conflicts_app, name="conflicts")
app.add_typer(reconcile_app, name="reconcile")
app.add_typer(console_app, name="console")
app.add_typer(deliveries_app, name="deliveries")
add_link_commands(app)
add_control_commands(app)
add_undo_command(app)
add_force_commands(app)
add_bundle_command(app)
add_doctor_command(app)
add_canary_command(app)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - quick start

        sys.stdout.write(f"tandem {version('tandem')}\n")
        raise typer.Exit


@app.callback(epilog=EXIT_CODES)
def tandem(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")] = False,
) -> None:
    """Keeps a Salesforce org and a Marketo Engage instance in step, within seconds."""
    del version  # told by its callback


class Role(StrEnum):
    """What a worker does; all of it unless told otherwise."""

    RELAY = "relay"
    OBSERVE = "observe"
    SETTLE = "settle"
    RECONCILE = "reconcile"
    COPY = "copy"
    AUDIT = "audit"
    FLOW_STEPS = "flow-steps"
    INTAKE = "intake"
    DELIVER = "deliver"


class Listable(StrEnum):
    """What people may wait in."""

    HELD = "held"
    REFUSED = "refused"
    OWED = "owed"
    CONTESTED = "contested"


@app.command(short_help="Run a worker.", epilog=examples("tandem run", "tandem run --role relay --role observe"))
def run(
    config: Config = DEFAULT_CONFIG,
    role: Annotated[list[Role] | None, typer.Option("--role", "-r", help="Only this role; may be given several times.")] = None,
) -> None:
    """Run a worker until it is told to stop (Ctrl-C, SIGTERM)."""
    settings = settings_of(config)
    from consumers.worker.app import run as run_worker  # noqa: PLC0415 - brings in the whole worker

    roles = frozenset(str(each) for each in role or Role)
    raise typer.Exit(run_worker(settings, roles))


@app.command(
    short_help="How things stand: in step or not, and why.",
    epilog=examples("tandem status", "tandem status --all", "tandem status --watch 2", "tandem status --json"),
)
def status(
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also sources, gaps, cycles, partitions, counts of the last minutes.")] = False,
    watch: Annotated[
        float,
        typer.Option("--watch", metavar="SECONDS", min=0, help="Show it anew every so many seconds, until Ctrl-C.", show_default=False),
    ] = 0,
    json: Json = False,
) -> None:
    """How things stand: in step or not, why and since when, what is refused or held, the calls of the day."""
    settings = settings_of(config)
    if watch:
        from consumers.cli.watching import watched  # noqa: PLC0415 - quick start

        watched(settings, watch, everything=everything, json=json)
    from consumers.answers.looking.ledger import status_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.status import print_status  # noqa: PLC0415 - quick start

    told = finish(status_of(settings))
    if json:
        print_json(told)
    else:
        print_status(console(), told, everything=everything)
    if told.away:
        raise typer.Exit(int(Exit.UNREACHABLE))
    if told.troubles:
        raise typer.Exit(int(Exit.PROBLEMS))


@app.command(
    "list",
    short_help="Who is held, refused, owed or contested.",
    epilog=examples("tandem list refused", "tandem list held --csv > held.csv"),
)
def list_people(
    queue: Annotated[Listable, typer.Argument(metavar="held|refused|owed|contested", help="Which of them.")],
    config: Config = DEFAULT_CONFIG,
    *,
    most: Annotated[int, typer.Option("--most", min=1, max=1_000_000, help="At most so many lines.")] = 1_000,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV for spreadsheets.")] = False,
    json: Json = False,
) -> None:
    """Name the records that are held, refused by a system, owed a change, or contested, and say why."""
    settings = settings_of(config)
    from consumers.answers.looking.ledger import list_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.lists import print_csv, print_list  # noqa: PLC0415 - quick start
    from consumers.reports.standing.lists import Queue  # noqa: PLC0415 - quick start

    if as_csv and json:
        raise typer.BadParameter("one of --csv and --json")
    lines = finish(list_of(settings, Queue(str(queue)), most=most))
    if as_csv:
        print_csv(lines)
    elif json:
        print_json(lines)
    else:
        print_list(console(), Queue(str(queue)), lines, most=most)


add_record_commands(app)


@app.command(
    short_help="Does the configuration fit both systems?", epilog=examples("tandem check", "tandem check --notes", "tandem check --canary")
)
def check(
    config: Config = DEFAULT_CONFIG,
    *,
    canary: Annotated[
        bool, typer.Option("--canary", help="Also write to one Marketo person, to find out how own writes can be recognised.")
    ] = False,
    canary_id: Annotated[
        str | None, typer.Option("--canary-id", help="Marketo id of that person; without it one is found, or created.")
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Show notes too: lengths that differ, numbers that are rounded.")] = False,
    json: Json = False,
) -> None:
    """Compare the configuration with both systems: fields, types, permissions, lengths, links, the change stream."""
    settings = settings_of(config)
    from consumers.cli.systems import check_of  # noqa: PLC0415 - quick start

    told = finish(check_of(settings, canary=canary, canary_id=canary_id))
    if json:
        print_json(told)
    else:
        from consumers.cli.text.tables import print_check  # noqa: PLC0415 - quick start

        print_check(console(), told, notes=notes)
    if told.refused:
        raise typer.Exit(int(Exit.CONFIGURATION))
    if told.unreachable:
        raise typer.Exit(int(Exit.UNREACHABLE))
    if told.problems:
        raise typer.Exit(int(Exit.PROBLEMS))


@app.command(short_help="What is missing in both systems.", epilog=examples("tandem setup", "tandem setup --yes"))
def setup(
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Create them; without it nothing is changed.")] = False,
    json: Json = False,
) -> None:
    """Create the Marketo fields that Tandem keeps itself and the types of activities that it writes; say what an admin must create in
    Salesforce."""
    settings = settings_of(config)
    from consumers.cli.systems import setup_of  # noqa: PLC0415 - quick start

    told = finish(setup_of(settings, create=yes))
    if json:
        print_json(told)
    else:
        from consumers.cli.text.tables import print_setup  # noqa: PLC0415 - quick start

        print_setup(console(), told)
    if not told.complete:
        raise typer.Exit(int(Exit.PROBLEMS))


add_sight_commands(app)
add_subscription_commands(app)
add_schemas_command(app)
add_trying_commands(app)
add_replay_command(app)
add_audit_log_command(app)
add_coverage_commands(app)
add_budget_command(app)


@app.command("confirm-deletes", short_help="Many deletes stopped a poll: they are meant.", epilog=examples("tandem confirm-deletes lead"))
def confirm_deletes(
    object_name: Annotated[str, typer.Argument(metavar="OBJECT", help="As in the configuration: lead, contact, account ...")],
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask: they are meant.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Confirm that the deletes which stopped a poll are meant (it stops when most of an object is reported deleted at once)."""
    settings = settings_of(config)
    from consumers.answers.looking.ledger import deletes_of  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.deletes import print_deletes  # noqa: PLC0415 - quick start
    from consumers.configuration.mapping.registered import registry_of  # noqa: PLC0415 - quick start
    from consumers.reconcile.confirmation import confirm_deletes as confirm  # noqa: PLC0415 - quick start
    from consumers.reports.records.called import several  # noqa: PLC0415 - quick start

    known = registry_of(settings)
    obj = known.called(object_name)
    if obj is None:
        raise typer.BadParameter(f"{object_name}: one of {', '.join(known.sorts)}", param_hint="OBJECT")
    waiting = finish(deletes_of(settings, obj))
    if waiting is None:
        fail(f"No deletes of {several(obj)} wait for a confirmation; nothing was done.", Exit.PROBLEMS)
    if not json:
        print_deletes(console(), waiting)
    if not yes and (json or not typer.confirm("Are they meant?")):
        fail("Not confirmed; the deletes go on waiting (--yes confirms them).", Exit.PROBLEMS)
    confirming = confirm(settings.postgres.dsn.reveal(), obj, waiting.until_ms)
    finish(noted(settings, "confirm-deletes", {"object": obj, "gone": waiting.gone, "until_ms": waiting.until_ms}, confirming, reason))
    if json:
        print_json(waiting)
    else:
        console().print(f"Confirmed: these {waiting.gone:,} deletes are passed on within seconds.")
