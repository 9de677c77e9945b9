"""Text as a database can keep it."""

from collections.abc import Iterable, Sequence


def storable(text: str) -> str:
    """What of a text a database can keep: no NUL, no half of a surrogate pair."""
    return text if "\x00" not in text and text.isascii() else text.replace("\x00", "\ufffd").encode(errors="replace").decode()


def keepable(texts: Sequence[str]) -> list[str]:
    """Those that a database can keep as they are."""
    together = "".join(texts)
    if together.isascii() and "\x00" not in together:
        return list(texts)
    return [text for text in texts if text == storable(text)]


def listed(numbers: Iterable[int]) -> str:
    """Numbers as the database reads an array of them."""
    return f"{{{','.join(map(str, numbers))}}}"


def quoted(texts: Iterable[str]) -> str:
    """Texts without quotes and backslashes in them, of a type that is none of the driver's, as the database reads an array of them."""
    inside = '","'.join(texts)
    return f'{{"{inside}"}}'
