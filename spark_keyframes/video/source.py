"""Opens the value of a row, a URL, base64 or bytes, as a readable file."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Literal, cast
from urllib.parse import unquote, urlsplit

from spark_keyframes.checks import path_text
from spark_keyframes.errors import (
    ParameterError,
    SourceReadError,
    SourceTypeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage import Access, open_url
from spark_keyframes.storage.base64_text import decode_base64
from spark_keyframes.storage.seekable import SeekableFile
from spark_keyframes.urls import LONGEST_URL, check_length, scheme_of
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.timed_file import descriptor_of

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

VideoSrcType = Literal["video_url", "video_base64", "video_binary"]
_STEM_WITHOUT_URL = "video"


@dataclass(frozen=True)
class Source(Closeable):
    """The opened value of a row; as a context manager, it closes the file."""

    name: str
    """Name for messages: the URL without query and user info, or "video_binary (12345 bytes)"."""

    stem: str
    """File name of the URL's path without its extension; "video" for base64 and binary."""

    identity: str
    """Hex SHA-256 of the URL as given; for base64 and binary, of the video's bytes."""

    file: BinaryIO
    """Seekable binary file, positioned at its start."""

    format_hint: str | None
    """Container to try if the content does not tell: `video_format`; None for URLs."""

    is_at_hand: bool = False
    """Whether all of its bytes are on this machine, so that reading them waits for no network."""

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def open_source(
    value: str | bytes | bytearray | memoryview | os.PathLike[str],
    *,
    video_src_type: VideoSrcType = "video_url",
    video_format: str = "mp4",
    access: Access = Access(),
    limits: Limits = Limits(),
    whole: bool = True,
) -> Source:
    """Open the value of a row: `with open_source("cooking.mp4") as source: …`.

    Args:
        value: a URL or local path, base64 text, or bytes; `video_src_type` says which. A path may
            be a `Path`.
        video_src_type: "video_url", "video_base64" or "video_binary".
        video_format: container of base64 and binary values, tried if the content does not tell.
        access: URLs that may be opened; only used for URLs.
        limits: bounds on downloads; only used for URLs.
        whole: False where only parts of the video may be read; see `storage.open_url`.

    Raises:
        ParameterError: video_src_type is unknown.
        SourceTypeError: the value is empty, or has another type than video_src_type says.
        InvalidBase64Error: the text is not base64.
        KeyframesError: the URL cannot be opened, see `spark_keyframes.storage.open_url`.
    """
    if value is None:  # in a row of an index, where images are wanted
        raise SourceTypeError("the video is null, and images are decoded from it; give the video")
    if video_src_type == "video_url":
        return _from_url(value, access, limits, whole=whole)
    if video_src_type == "video_base64":
        return _from_bytes(_decode_base64(value), video_src_type, video_format)
    if video_src_type == "video_binary":
        return _from_bytes(_as_view(value), video_src_type, video_format)
    raise ParameterError(
        "video_src_type must be one of 'video_url', 'video_base64', 'video_binary', "
        f"got {video_src_type!r}"
    )


def _from_url(value: object, access: Access, limits: Limits, *, whole: bool) -> Source:
    value = path_text(value)
    if not isinstance(value, str):
        raise SourceTypeError(
            f"video_src_type='video_url' needs a string, got {type(value).__name__}; "
            "use video_src_type='video_binary' for the bytes of videos"
        )
    if not value.strip():
        raise SourceTypeError("the video's URL is empty; use null for a row without a video")
    check_length(value)
    name = redact_url(value)
    try:
        # In a local path, "?", "#" and "%" have no special meaning.
        path = unquote(urlsplit(value).path) if "://" in value[:LONGEST_URL] else value
    except ValueError:
        # Do not chain the ValueError: its message may show the password in the URL.
        raise SourceReadError(f"{name} is not a valid URL; check its host and brackets") from None
    file = open_url(value, access=access, limits=limits, whole=whole)
    return Source(
        name=name,
        stem=(scheme_of(value) != "data" and PurePosixPath(path).stem) or _STEM_WITHOUT_URL,
        identity=hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest(),
        file=file,
        format_hint=None,
        is_at_hand=descriptor_of(file) is not None,
    )


def _from_bytes(data: bytes | memoryview, video_src_type: str, video_format: str) -> Source:
    if not data:
        raise SourceTypeError(f"the {video_src_type} value is empty; use null for no video")
    return Source(
        name=f"{video_src_type} ({len(data)} bytes)",
        stem=_STEM_WITHOUT_URL,
        identity=hashlib.sha256(data).hexdigest(),
        file=cast("BinaryIO", io.BufferedReader(_MemoryFile(data))),
        format_hint=video_format,
        is_at_hand=True,
    )


def _as_view(value: object) -> memoryview:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise SourceTypeError(
            f"video_src_type='video_binary' needs bytes, got {type(value).__name__}; use "
            "video_src_type='video_url' or 'video_base64' for strings"
        )
    view = memoryview(value)
    return (view if view.c_contiguous else memoryview(view.tobytes())).cast("B")


def bytes_in_memory(file: BinaryIO) -> memoryview | None:
    """Return the bytes of a source that was opened from bytes; None for other files."""
    raw = getattr(file, "raw", None)
    return raw.data if isinstance(raw, _MemoryFile) else None


class _MemoryFile(SeekableFile):
    """A file over bytes in memory, without the copy that `BytesIO` makes of Arrow's buffers."""

    def __init__(self, data: bytes | memoryview) -> None:
        super().__init__(len(data))
        self.data = memoryview(data)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        target = memoryview(buffer).cast("B")
        part = self.data[self.position : self.position + len(target)]
        target[: len(part)] = part
        self.position += len(part)
        return len(part)


def _decode_base64(value: object) -> bytes:
    if isinstance(value, bytearray | memoryview):
        value = bytes(value)
    if not isinstance(value, str | bytes):
        raise SourceTypeError(
            f"video_src_type='video_base64' needs a string, got {type(value).__name__}"
        )
    return decode_base64(value)
