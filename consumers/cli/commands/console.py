"""`tandem console`: the console in the browser."""

import getpass
from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Json, Reason, console, examples, finish, print_json, settings_of

console_app = typer.Typer(
    invoke_without_command=True,
    help="The console in the browser: how everything stands, a record on both sides, why a field has its value.",
    short_help="Look at everything in a browser.",
    epilog=examples("tandem console", "tandem console link", "tandem console password ann --role operator"),
)


@console_app.callback()
def serve(
    context: typer.Context,
    config: Config = DEFAULT_CONFIG,
    *,
    with_link: Annotated[bool, typer.Option("--link/--no-link", help="Print a link that signs in, where no users are configured.")] = True,
) -> None:
    """Serve the console until it is told to stop (Ctrl-C, SIGTERM). Where no users are configured it prints a link that signs in once."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    settings = settings_of(config)
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.console import serving  # noqa: PLC0415 - brings in the web server

    if with_link and (serving.has_links(settings.console) or (settings.console.users is None and settings.console.oidc.issuer is None)):
        link = finish(serving.link_of(settings, who_acts()))
        console().print(
            f"The console: {link}\n(signs in once, within a day; another one: tandem console link)", soft_wrap=True, markup=False
        )
    else:
        console().print(f"The console: {serving.address(settings.console)}", soft_wrap=True, markup=False)
    finish(serving.serve(settings, config))


@console_app.command(
    short_help="Another one-time link for the console that runs.", epilog=examples("tandem console link", "tandem console link --who ann")
)
def link(
    config: Config = DEFAULT_CONFIG,
    *,
    who: Annotated[str, typer.Option("--who", help="Whom the audit log names; you, unless told otherwise.", show_default=False)] = "",
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Print a link that signs somebody in to the console once, within a day, as an administrator. Only where no users are configured."""
    settings = settings_of(config)
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.console import serving  # noqa: PLC0415 - brings in the web server

    name = who.strip() or who_acts()
    made = finish(noted(settings, "console link", {"for": name}, serving.link_of(settings, name), reason))
    if json:
        print_json({"url": made})
    else:
        console().print(made, soft_wrap=True, markup=False)


@console_app.command(
    short_help="A line for the file of the console's users.", epilog=examples("tandem console password ann --role operator")
)
def password(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The user's name, without a space.")],
    role: Annotated[str, typer.Option("--role", help="viewer, operator or admin.")] = "viewer",
    *,
    json: Json = False,
) -> None:
    """Ask for a password, and print the line for the users' file (console.users): name, role, hash (argon2id)."""
    from consumers.console.access.roles import Role  # noqa: PLC0415 - quick start
    from consumers.console.access.users import hashed_password  # noqa: PLC0415 - quick start

    if role not in tuple(Role):
        raise typer.BadParameter(f"one of {', '.join(Role)}", param_hint="--role")
    if not name or name.split() != [name] or name.startswith(("#", "link:", "program:")):
        raise typer.BadParameter("a name without a space, which doesn't begin like a link's or a program's", param_hint="NAME")
    given = getpass.getpass(f"Password of {name}: ")
    if len(given) < 12:
        raise typer.BadParameter("at least 12 characters", param_hint="password")
    line = f"{name} {role} {hashed_password(given)}"
    if json:
        print_json({"line": line})
    else:
        console().print(line, soft_wrap=True, markup=False)
