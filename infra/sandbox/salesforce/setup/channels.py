"""Set-up of change data capture: which entities on which channels, with enrichment and filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.events.channels import EVERY_ENTITY as CHANGE_EVENTS
from infra.sandbox.salesforce.events.channels import check_member
from infra.sandbox.salesforce.state.members import ManagedSubscription, Member
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire import ids

CHANNELS_MAX = 100


def select_entities(org: State, args: Mapping[str, Any]) -> None:
    """For the standard channel, or with `channel` (`X__chn`) for a custom one; each entity counts once in all."""
    entities = {str(each) for each in args.get("entities", [])}
    unknown = [each for each in sorted(entities) if each not in org.schema.objects or not org.schema.objects[each].captured]
    if unknown:
        raise ValueError(f"{unknown[0]} has no change events")
    channel = args.get("channel")
    others = org.channels if channel is None else {name: found for name, found in org.channels.items() if name != channel}
    every = entities.union(*others.values(), set() if channel is None else org.standard_entities)
    if len(every) > org.options.selected_entities_max:
        raise ValueError(f"{len(every)} entities selected, {org.options.selected_entities_max} are allowed")
    if channel is None:
        org.standard_entities = entities
    elif str(channel).endswith("__chn"):
        org.channels[str(channel)] = entities
    else:
        raise ValueError(f"{channel!r}: the name of a custom channel ends with __chn")
    org.selected_entities = every
    sync_members(org, CHANGE_EVENTS if channel is None else str(channel), entities)


def add_channel(org: State, args: Mapping[str, Any]) -> None:
    """{name: X__chn}: a custom channel without members."""
    name = str(args.get("name", ""))
    if not name.endswith("__chn") or name in org.channels or len(org.channels) >= CHANNELS_MAX:
        raise ValueError(f"{name!r}: the name of a new custom channel ends with __chn; an org has up to {CHANNELS_MAX}")
    org.channels[name] = set()


def add_channel_member(org: State, args: Mapping[str, Any]) -> None:
    """{channel, entity, enriched?, filter?}: selects the entity on the channel, or changes how it is there."""
    channel, entity = str(args.get("channel", CHANGE_EVENTS)), str(args.get("entity", ""))
    if channel != CHANGE_EVENTS and channel not in org.channels:
        raise ValueError(f"no channel {channel!r}")
    known = org.member_of(channel, entity)
    member = Member(
        id=known.id if known else ids.make("0v8", org.members_made + 1), channel=channel, entity=entity,
        enriched=tuple(str(each) for each in args.get("enriched", ())), filter=args.get("filter"),
    )  # fmt: skip
    if entity in org.schema.objects:
        check_member(org, org.schema.objects[entity], member)
    there = org.standard_entities if channel == CHANGE_EVENTS else org.channels[channel]
    select_entities(org, {"channel": None if channel == CHANGE_EVENTS else channel, "entities": [*there, entity]})
    placed = org.member_of(channel, entity)
    if placed is not None:
        org.members[placed.id] = msgspec.structs.replace(member, id=placed.id)


def remove_channel_member(org: State, args: Mapping[str, Any]) -> None:
    member = org.members.get(str(args.get("id", "")))
    if member is None:
        raise ValueError(f"no channel member {args.get('id')!r}")
    there = org.standard_entities if member.channel == CHANGE_EVENTS else org.channels[member.channel]
    channel = None if member.channel == CHANGE_EVENTS else member.channel
    select_entities(org, {"channel": channel, "entities": [each for each in there if each != member.entity]})


def add_managed_subscription(org: State, args: Mapping[str, Any]) -> None:
    """{name, topic, default_replay?, error_recovery_replay?}"""
    managed = msgspec.convert(dict(args), ManagedSubscription)
    managed.id = ids.make("18x", len(org.managed) + 1)
    org.managed[managed.name] = managed


def commit_replay(org: State, args: Mapping[str, Any]) -> None:
    org.managed[str(args["name"])].committed = int(args["replay_id"])


def sync_members(org: State, channel: str, entities: set[str]) -> None:
    """A member for every entity of the channel, and no other; those that stay keep their enrichment and filter."""
    for member in [each for each in org.members.values() if each.channel == channel and each.entity not in entities]:
        del org.members[member.id]
    for entity in sorted(entities):
        if org.member_of(channel, entity) is None:
            org.members_made += 1
            member = Member(id=ids.make("0v8", org.members_made), channel=channel, entity=entity)
            org.members[member.id] = member
