"""Bulk jobs as they are kept: what is known of each in the journal, its sheets in files."""
