"""What people ask of the ledger: status, one record, the story of one field. Queries, values, and their rendering on a terminal."""
