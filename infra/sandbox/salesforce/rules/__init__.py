"""What an administrator told the org to do or to refuse when a record is saved: flows, validation, duplicates, roll-ups."""
