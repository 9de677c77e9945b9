"""Programs, their channels and copies, and their members."""
