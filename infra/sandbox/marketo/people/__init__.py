"""People: sync, merge and deletion, their fields, and what hangs on them."""
