"""The configuration held against what both systems, the database and the broker say of themselves: checks, set-up, rights, the canary."""
