"""A sort of record that one of the systems doesn't show to Tandem's user: why, and what a person can do. Pure."""

from consumers.mapping.fields import ObjectMapping
from streams.marketo.api.custom_activity import CustomActivity


def left_out_by(mapping: ObjectMapping) -> str:
    """The setting that leaves such records out: `account.sync: false`, `task.as: none`."""
    return f"{mapping.section}.{'as: none' if mapping.has_forms else 'sync: false'}"


def not_in_marketo(mapping: ObjectMapping) -> tuple[str, str]:
    """What is wrong, and what to do."""
    out = f"leave them out ({left_out_by(mapping)})"
    if isinstance(mapping.resource, CustomActivity):
        what = f"Marketo has no approved activity type {mapping.resource.api_name}, or doesn't show it to Tandem's API user"
        return what, f"Run tandem setup --yes, which makes it (Read-Write Activity and Activity Metadata), or {out}."
    if mapping.has_forms and mapping.resource is not None:
        what = f"Marketo has no approved custom object {mapping.resource.name}, or doesn't show it to Tandem's API user"
        return what, f"Run tandem setup --yes, which makes it, or {out}."
    what = f"Marketo's {mapping.marketo} records are not visible to Tandem's API user"
    return what, f"Give the API user's role access to {mapping.marketo} records, or {out}."
