"""What the ledger has recorded, onto the topics that anyone may subscribe to."""
