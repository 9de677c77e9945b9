"""Looks: what nobody knows of a write is found out."""
