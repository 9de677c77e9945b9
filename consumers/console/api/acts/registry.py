"""All acts, and which commands have none, and why."""

from collections.abc import Mapping

from consumers.console.api.acts import control, deliveries, records, setting, waiting
from consumers.console.api.acts.act import Act

ACTS: tuple[Act, ...] = (*waiting.ACTS, *control.ACTS, *records.ACTS, *deliveries.ACTS, *setting.ACTS)
NONE: Mapping[tuple[str, ...], str] = {
    ("subscribe",): "programs read topics with any Kafka client; values unmasked are in the documents, with `reveal=1`",
    ("config", "rollback"): "it writes the operator's configuration file, which is where `tandem` runs; GET /rules/{version} has its text",
    ("plan",): "it tries a configuration file, with the secrets that it names, on the log: for minutes, at a terminal",
    ("rebuild",): "it writes into a second database, whose credentials this API must not be told",
    ("dead-letters", "show"): "GET /dead-letters tells them; the original, as it came, is for a terminal",
    ("console", "link"): "whoever has a token would make an administrator's session of it",
    ("support-bundle",): "it is a file for people; what is in it are documents here",
    ("schemas",): "it registers the schemas of a release in a registry, when that is installed: a step of setting up",
    ("setup",): "it makes fields in Marketo before there is a ledger, or an audit log",
    ("custom-objects", "apply"): "it changes Marketo's schema, before there is a ledger, or an audit log",
    ("replay",): "a replay onto a topic runs for hours: `tandem replay`, with --resume",
}
"""Commands that act, or show what is masked, and have no act here, and why."""
