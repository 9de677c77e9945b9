"""Calls to one Marketo instance: the session, one file for each interface, and what answers and refusals mean."""
