"""Custom objects: what Marketo lacks of them, compared with describe, and how it is made."""
