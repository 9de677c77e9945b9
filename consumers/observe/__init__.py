"""From the change topics into the ledger, batch by batch, from where the ledger stands."""
