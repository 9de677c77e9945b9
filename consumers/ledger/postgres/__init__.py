"""The ledger in PostgreSQL: transactions, statements, decisions in blocks, and where the database's errors become ours."""
