"""Which field is which, and what the systems describe of them: plain values."""
