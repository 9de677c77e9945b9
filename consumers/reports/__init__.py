"""What people ask of the ledger: status, one record, the story of one field. Queries and values; who prints them is another matter."""
