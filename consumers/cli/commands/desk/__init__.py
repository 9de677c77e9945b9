"""Commands by which a person acts on what waits, on what flows, and on what was done."""
