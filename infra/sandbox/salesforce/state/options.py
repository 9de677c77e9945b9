"""Limits and habits of an org, as they can be set."""

from __future__ import annotations

import msgspec


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Limits and habits of the org. The daily allowances are far above those of a real edition, so that a benchmark isn't cut short."""

    api_calls_per_day: int = 5_000_000
    delivered_events_per_day: int = 5_000_000
    selected_entities_max: int = 5
    """Without the add-on, an org may select five entities for change data capture (CDC guide, allocations)."""
    session_seconds: float = 7200.0
    cometd_connect_seconds: float = 110.0
    """How long a connect is held when there is nothing to deliver (Streaming API guide, clients and timeouts)."""
    cometd_idle_seconds: float = 40.0
    """After that long without a connect the client id is forgotten; real time."""
    cometd_clients_max: int = 2000
    query_batch: int = 2000
    changes_per_transaction_max: int = 100_000
    """More changes than this in one transaction end in a GAP_OVERFLOW event (CDC guide, overflow events)."""
    pubsub_keepalive_seconds: float = 270.0
    """How long a subscription with events asked for stays without an answer (Pub/Sub API guide, flow control)."""
    pubsub_idle_seconds: float = 60.0
    """How long one on which no events are asked for stays open."""
    bulk_jobs_per_day: int = 10_000
    bulk_seconds: float = 0.0
    """How long a bulk job stays InProgress at least."""
    converted_status_by_update: bool = False
    """Whether an update may give a lead a status of converted ones without converting it."""
    convert_lead_maps_same_names: bool = False
    """Whether custom fields of one name on lead and target are mapped at conversion without an administrator (`map_lead_fields`)."""
    unchanged_events: bool = True
    """Whether an update that changes no value publishes an event with nothing but its stamp."""
    latest_date_held_back_seconds: int = 0
    """How far `latestDateCovered` stays behind, as it does while a transaction runs for long."""
