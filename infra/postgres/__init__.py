"""The ledger's database: a PostgreSQL server on this machine, and the migrations for any server."""
