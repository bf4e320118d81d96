"""Being a context manager, for all that has something to close."""

from __future__ import annotations

from typing import Protocol, Self


class Closing(Protocol):
    """`with` closes it at the end of its block, whatever happened in there."""

    def close(self) -> None:
        """Free what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
