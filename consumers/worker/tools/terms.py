"""The terms under which a worker keeps pairs in step: the rules and how long to wait, from the configuration and what was asked for."""

from dataclasses import replace

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.mapping.describes import Describes
from consumers.mapping.fields import SyncRules
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.writes import Patience
from streams.wire.errors import Unprepared


def terms_of(settings: Settings, rules: SyncRules, identity: Identity) -> Terms:
    """These rules, kept by this identity, with the patience that the configuration asks for."""
    ours, theirs = _patience(settings)
    late_ms = round(settings.intervals.lateness_seconds * 1000)
    rules = replace(rules, own_user=identity.salesforce_user)
    return Terms(rules=rules, identity=identity, lateness_ms=late_ms, salesforce=ours, marketo=theirs)


def rules_of(settings: Settings, describes: Describes, *, stamped: bool) -> SyncRules:
    """The rules as configured. Raises `Unprepared` where Marketo lacks a field in which Tandem keeps something."""
    rules = build(settings, describes, stamp=stamped)
    links = rules.links
    missing = [name for name in (links.lead_id, links.contact_id, links.type, links.is_deleted) if name not in describes.marketo]
    if missing:
        raise Unprepared(f"Marketo has no field {', '.join(missing)} that Tandem's user can see.", remedy="Run `tandem setup`.")
    if links.stamp and links.stamp not in describes.marketo:
        raise Unprepared(f"Marketo has no field {links.stamp} that Tandem's user can see.", remedy="Run `tandem setup`.")
    return rules


def _patience(settings: Settings) -> tuple[Patience, Patience]:
    """With Salesforce, and with Marketo, whose feed is polled."""
    call_ms = round(settings.settle.lease_seconds * 1000)
    poll_ms = round(settings.intervals.poll_seconds * 1000)
    theirs = marketo_settings(settings)
    theirs_ms = round(max(theirs.write_seconds, theirs.merge_seconds) * 1000)
    slow_ms = round(settings.intervals.activities_max_seconds * 1000) + 20_000
    return (
        Patience(
            call_ms=call_ms,
            time_out_ms=round(salesforce_settings(settings).request_timeout_seconds * 1000),
            silent_ms=20_000,
            lost_ms=max(60_000, 2 * poll_ms),
        ),
        Patience(call_ms=call_ms, time_out_ms=theirs_ms, silent_ms=slow_ms, lost_ms=max(2 * slow_ms, 2 * poll_ms)),
    )
