"""Pauses: what a person has asked not to be written for a while, kept in the ledger and heard of by every worker within a second or two."""
