"""What is wrong at the moment, since when, and when it is tried again: one list, of which readiness, status and metrics are views.

Whoever finds something out adds it in one place: a role by its `ready` (this worker's own troubles, which every worker tells the
others by its beat), or a check in `troubles.ledger.CHECKS` (what the ledger shows, the same to everybody who looks).
"""
