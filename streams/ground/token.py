"""SASL OAUTHBEARER with a token that somebody else keeps fresh in a file."""

import asyncio
from pathlib import Path

from aiokafka.abc import AbstractTokenProvider


class TokenInFile(AbstractTokenProvider):
    """The token as it stands in the file when a connection is made."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    async def token(self) -> str:
        """Raises `OSError` where the file can't be read: the connection fails then, and is tried again."""
        return (await asyncio.to_thread(self._file.read_text, encoding="utf-8")).strip()
