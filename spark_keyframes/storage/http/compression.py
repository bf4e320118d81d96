"""Decompresses HTTP bodies that a server compressed without being asked."""

import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from spark_keyframes.errors import SourceReadError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.remote import BLOCK

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def decompress(blocks: Iterator[bytes], encoding: str, url: str) -> Iterator[bytes]:
    """Yield a body's blocks without its compression.

    Args:
        blocks: the body as it was sent.
        encoding: its Content-Encoding.
        url: for messages.

    Raises:
        SourceReadError: the data are damaged, or the encoding is not supported.
    """
    if encoding not in ("gzip", "x-gzip"):
        raise SourceReadError(
            f"{redact_url(url)} came with Content-Encoding {encoding[:100]!r}, which was not "
            "requested; serve the video uncompressed"
        )
    first = next(blocks, b"")
    blocks = chain([first], blocks)
    if not first.startswith(b"\x1f\x8b"):
        # Not compressed in spite of the header: a common mistake in the metadata of objects.
        yield from blocks
        return
    try:
        with gzip.GzipFile(fileobj=cast("BinaryIO", io.BufferedReader(_Blocks(blocks)))) as body:
            # In blocks, because the caller counts them: a small body may expand without end.
            while block := body.read1(BLOCK):
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceReadError(f"{redact_url(url)} came with damaged gzip data: {error}") from None


class _Blocks(io.RawIOBase):
    """A file that reads from blocks."""

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
