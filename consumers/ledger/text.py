"""Text as a database can keep it."""


def storable(text: str) -> str:
    """What of a text a database can keep: no NUL, no half of a surrogate pair."""
    return text if "\x00" not in text and text.isascii() else text.replace("\x00", "\ufffd").encode(errors="replace").decode()
