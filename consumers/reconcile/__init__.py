"""What the polls found against what the ledger knows: gaps, unseen rows, mass deletions, fields that can be seen again."""
