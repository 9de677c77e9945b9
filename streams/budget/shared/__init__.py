"""The budget that all workers share, on PostgreSQL."""
