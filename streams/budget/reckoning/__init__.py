"""What may be called, and whether the day lasts: arithmetic on what all workers know together. Pure."""
