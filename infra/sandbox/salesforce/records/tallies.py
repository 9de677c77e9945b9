"""What a campaign counts: its members and opportunities, kept with each change of theirs. Its stamps don't move with it, and no event
tells of it (Object Reference, Campaign)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.sandbox.salesforce.schema.types import Row, Value

Amounts = dict[str, float]


def member_counts(row: Mapping[str, Value]) -> Amounts:
    lead, contact = "LeadId" in row, "ContactId" in row
    found: Amounts = {"NumberOfConvertedLeads" if lead and contact else "NumberOfLeads" if lead else "NumberOfContacts": 1}
    return {**found, "NumberOfResponses": 1} if "HasResponded" in row else found


def deal_counts(row: Mapping[str, Value]) -> Amounts:
    amount = value if isinstance(value := row.get("Amount"), int | float) else 0
    found: Amounts = {"NumberOfOpportunities": 1, "AmountAllOpportunities": amount}
    return {**found, "NumberOfWonOpportunities": 1, "AmountWonOpportunities": amount} if "IsWon" in row else found


TALLIED: dict[str, Callable[[Mapping[str, Value]], Amounts]] = {"CampaignMember": member_counts, "Opportunity": deal_counts}


def contribution(name: str, row: Mapping[str, Value] | None) -> tuple[str, Amounts]:
    """(campaign id, what the row adds to it); nothing for a row that is deleted or of no campaign."""
    if row is None or "IsDeleted" in row or "CampaignId" not in row:
        return "", {}
    return str(row["CampaignId"]), TALLIED[name](row)


def moved(campaigns: Mapping[str, Row], before: tuple[str, Amounts], after: tuple[str, Amounts]) -> list[tuple[str, Row]]:
    """(campaign id, its new counts) after a row contributed one thing and contributes another."""
    if before == after:
        return []
    found: dict[str, Row] = {}
    for (campaign, amounts), sign in ((before, -1), (after, 1)):
        row = campaigns.get(campaign)
        if row is None:
            continue
        values = found.setdefault(campaign, {})
        for name, amount in amounts.items():
            held = values.get(name, row.get(name, 0))
            values[name] = (held if isinstance(held, int | float) else 0) + sign * amount
    return list(found.items())
