"""Namesakes: whom a saved batch may have met, or left behind, by their e-mail."""

from collections.abc import Mapping, Sequence

from consumers.judging.meeting.candidates import ALIKE_MAX, tokens
from consumers.judging.meeting.holds import hands_changed
from consumers.ledger.port import Pair, Transaction
from consumers.merge.terms import Terms
from streams.wire.errors import Retry

Alike = Mapping[str, Sequence[Pair]]
"""By match key: those who have it."""


def matched(pairs: Sequence[Pair], alike: Alike, terms: Terms) -> tuple[set[str], set[str]]:
    """The pairs are given their match keys. Returns those keys that are had by somebody new, and what the pairs leave behind."""
    introduced: set[str] = set()
    left: set[str] = set()
    for pair in pairs:
        email_told = terms.rules.email_key in pair.state.unsettled()
        if pair.loaded is None or email_told or pair.state.name:  # else it is as it was stored
            pair.match_key = terms.match_key(pair.state)
        if pair.match_key is not None and pair.match_key in alike and (pair.loaded is None or pair.match_key != pair.loaded_key):
            introduced.add(pair.match_key)
        if pair.loaded is not None and hands_changed(pair.loaded, pair.state):
            left |= tokens(pair.loaded, terms)
        elif pair.loaded is not None and email_told:
            left |= tokens(pair.loaded, terms) - tokens(pair.state, terms)
    return introduced, left


async def nobody_else(tx: Transaction, introduced: set[str], alike: Alike, saved: set[int]) -> None:
    """Raises `Retry` where somebody with one of these e-mails was introduced by another transaction meanwhile: it has to be met.

    Who has more namesakes than are ever looked at is ambiguous whoever else comes.
    """
    keys = sorted(key for key in introduced if len(alike[key]) < ALIKE_MAX)
    known = {pair.id for key in keys for pair in alike[key]} | saved
    if keys and await tx.others_with(keys, sorted(known)):
        raise Retry("the ledger: somebody with the same e-mail is being introduced; it is tried again", after_seconds=0.05)
