"""Plans of custom objects, as people read them."""

from rich.console import Console
from rich.markup import escape

from consumers.fitting.custom.objects import Planned
from consumers.fitting.custom.plan import ObjectPlan
from streams.marketo.api.object_types import TypeField


def print_plan(console: Console, plan: Planned, *, made: bool, everything: bool) -> None:
    """Object by object: what is, or would be, made; what can't be; `everything`: what is left out, too."""
    if not plan.objects:
        console.print("The configuration names no custom objects (custom_objects).")
        return
    for each in plan.objects:
        _print_object(console, each, made=made, everything=everything)
    done = sum(1 for each in plan.objects if each.changes and not each.problems)
    if made and done:
        console.print(f"[green]{done} made and approved.[/] Workers that run already take them in when they are started again.")
    elif done:
        console.print(f"{done} to be made or changed: tandem custom-objects apply")
    if plan.by_hand:
        console.print(f"[yellow]Marketo's types can't be made from here: {escape(plan.by_hand)}.[/]", soft_wrap=True)
    if plan.problems:
        console.print(f"[red]{plan.problems} can't be made, or not as in Salesforce.[/]")
    elif not done:
        console.print("[green]Marketo has them all, as they are in Salesforce.[/]")


def _print_object(console: Console, plan: ObjectPlan, *, made: bool, everything: bool) -> None:
    console.print(f"[bold]{plan.name}[/] -> {plan.marketo} ({plan.label}): {_standing(plan, made=made)}", soft_wrap=True)
    if not plan.problems:
        for field in plan.add:
            console.print(f"  + {escape(_field(field))}", soft_wrap=True)
    for why in plan.problems:
        console.print(f"  [red]! {escape(why)}.[/]", soft_wrap=True)
    for why in plan.differs:
        console.print(f"  [yellow]! {escape(why)}.[/]", soft_wrap=True)
    if plan.unused:
        console.print(f"  nothing fills {escape(', '.join(plan.unused))}", style="dim", soft_wrap=True)
    if not everything:
        left = sum(1 for each in plan.left_out)
        if left:
            console.print(f"  {left} fields are left out (--all says why)", style="dim")
        return
    for each in plan.left_out:
        console.print(f"  - {escape(each.field)}: {escape(each.why)}", style="dim", soft_wrap=True)


def _standing(plan: ObjectPlan, *, made: bool) -> str:
    if plan.problems:
        return "[red]can't be made[/]" if plan.changes or plan.state == "absent" else "[yellow]differs[/]"
    if not plan.changes:
        return "[yellow]differs[/]" if plan.differs else "as in Salesforce"
    fields = f"{len(plan.add)} field{'s' if len(plan.add) != 1 else ''}"
    if plan.create:
        return f"made with {fields}, and approved" if made else f"to be made with {fields}, and approved"
    if plan.add:
        return f"{fields} added, and approved" if made else f"{fields} to be added, and approved"
    return "its draft was approved" if made else "its draft to be approved"


def _field(field: TypeField) -> str:
    if field.related is not None:
        return f"{field.name} ({field.label}): link to {field.related[0]} {field.related[1]}"
    return f"{field.name} ({field.label}): {field.type}"
