"""Videos that are in their URL, `data:video/mp4;base64,…` (RFC 2397)."""

import io
from typing import BinaryIO, NoReturn
from urllib.parse import unquote_to_bytes

from spark_keyframes.errors import SourceReadError, UnsupportedSchemeError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.base64_text import decode_base64
from spark_keyframes.storage.download.meter import Meter


def open_url(url: str, *, access: Access, limits: Limits, whole: bool = True) -> BinaryIO:
    """Decode the bytes, which `max_download_bytes` bounds."""
    header, comma, text = url.partition(",")
    if not comma:
        raise SourceReadError(f"{redact_url(url)} has no data; give data:video/mp4;base64,…")
    coded = header.lower().endswith(";base64")
    data = decode_base64(url) if coded else unquote_to_bytes(text)
    Meter(url, limits).check_size(len(data))
    return io.BytesIO(data)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Raise UnsupportedSchemeError."""
    _refuse()


def remove_url(url: str) -> None:
    """Raise UnsupportedSchemeError."""
    _refuse()


def check_writable(output_dir: str) -> None:
    """Raise UnsupportedSchemeError."""
    _refuse()


def check_accepted(output_dir: str, check_url: str) -> None:
    """Raise UnsupportedSchemeError."""
    _refuse()


def _refuse() -> NoReturn:
    raise UnsupportedSchemeError(
        "cannot write to a data URL; use tos://bucket/folder or a local folder", stage="upload"
    )
