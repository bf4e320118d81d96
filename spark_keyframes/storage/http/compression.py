"""Undoing a compression of HTTP that nobody asked for."""

import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from spark_keyframes.errors import SourceReadError
from spark_keyframes.storage.download.remote import BLOCK
from spark_keyframes.urls import redact_url

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def unpacked(blocks: Iterator[bytes], encoding: str, url: str) -> Iterator[bytes]:
    """The body in blocks, as it was before `encoding`, "" for none; `url` is for messages.

    Raises SourceReadError where it is broken, or where this encoding is none that can be undone.
    """
    if not encoding:
        yield from blocks
        return
    if encoding not in ("gzip", "x-gzip"):
        raise SourceReadError(
            f"{redact_url(url)} came with Content-Encoding {encoding[:100]!r} though none was "
            "asked for; serve the video uncompressed"
        )
    first = next(blocks, b"")
    blocks = chain([first], blocks)
    if not first.startswith(b"\x1f\x8b"):
        # Labelled so and not compressed: a common mistake of object storages' metadata.
        yield from blocks
        return
    try:
        with gzip.GzipFile(fileobj=cast("BinaryIO", io.BufferedReader(_Blocks(blocks)))) as packed:
            # In blocks: what is unpacked is counted as it comes, and may be without end.
            while block := packed.read1(BLOCK):
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceReadError(
            f"{redact_url(url)} came gzip-compressed and broken: {error}"
        ) from None


class _Blocks(io.RawIOBase):
    """A body as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        count = min(len(target), len(self._rest))
        target[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
