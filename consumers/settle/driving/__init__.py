"""Driving: what is due is settled or looked for as soon as it may be, for as long as the process runs."""
