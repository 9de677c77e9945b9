"""Marketo Engage as a system: its REST API, and its activity feed as a source of change events."""
