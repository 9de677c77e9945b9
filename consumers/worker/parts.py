"""What roles are put together from: the feed of Marketo's leads, the fields that are read, the pace of calls."""

from collections.abc import Mapping, Sequence
from functools import partial

from consumers.configuration.systems import marketo_settings
from consumers.settle.pace import BucketPace, Pacing, WindowPace
from consumers.worker.tools import Tools
from streams.marketo.decode import Decoding, shown_names
from streams.marketo.feed import LeadFeed
from streams.wire.systems import CREATED_FIELD, MARKETO, PERSON, SALESFORCE, Object, System


async def marketo_feed(tools: Tools, source: str) -> LeadFeed:
    """The leads' feed with every mapped field that this instance has."""
    marketo = tools.describes.marketo
    names = {field.marketo for mapping in tools.terms.rules.objects.values() for field in mapping.fields if field.marketo in marketo}
    if tools.terms.rules.links.stamp:
        names.add(tools.terms.rules.links.stamp)
    types: Mapping[str, str] = {CREATED_FIELD[MARKETO]: "datetime", **{name: marketo[name].wire_type for name in sorted(names)}}
    own = None if tools.terms.identity.stamp else tools.terms.identity.marketo_user
    zone = marketo_settings(tools.settings).zone
    shown = shown_names(await tools.marketo.describe(), types)
    decoding = Decoding(source=source, types=types, zone=zone, own_user=own, shown=shown)
    visible = partial(tools.sight.visible, System.MARKETO, PERSON)
    return LeadFeed(tools.marketo, decoding, visible=visible, unseen_fields=tools.sight.doubts)


def salesforce_fields(tools: Tools, obj: Object) -> Sequence[str]:
    """The fields of an object that are read in Salesforce."""
    rules = tools.terms.rules
    mapped = (field.salesforce for field in rules.objects[obj].fields if field.salesforce)
    return sorted({CREATED_FIELD[SALESFORCE], rules.links.salesforce_key, *mapped})


def pace_of(tools: Tools, system: System) -> Pacing:
    """How calls that aren't full are paced."""
    if system is System.SALESFORCE:
        return BucketPace(burst=50, per_second=20)
    budget = tools.budgets[system]
    return WindowPace(
        calls=tools.settings.marketo.calls_per_20_seconds, window_seconds=budget.window_seconds, leaving=budget.leaving_seconds
    )
