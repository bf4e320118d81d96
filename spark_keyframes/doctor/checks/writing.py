"""Writing: stores one object in a folder of the user's, reads it and removes it."""

import secrets
import time
from collections.abc import Callable, Iterator

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.errors import KeyframesError, UnsupportedSchemeError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage import check_writable, open_url, remove_url, write_url

_BYTES = 100_000  # as an image of a keyframe


def check(options: Options) -> Iterator[Finding]:
    """Do it, and say how long each part took."""
    folder = options.write
    if not folder:
        return
    shown = redact_url(folder)
    name = f".spark_keyframes_doctor-{secrets.token_hex(4)}"
    url, data = f"{folder.rstrip('/')}/{name}", secrets.token_bytes(_BYTES)
    try:
        check_writable(folder)
        written = _seconds(lambda: write_url(url, data, content_type="application/octet-stream"))
    except KeyframesError as error:
        yield _failed(error, shown)
        return
    try:
        read = _seconds(lambda: _compare(url, data))
    except (KeyframesError, ValueError) as error:
        yield bad("writing", f"{shown}: written, but not read: {error}",
                  "give the key the right to read, if videos are there too")  # fmt: skip
        read = None
    try:
        removed = _seconds(lambda: remove_url(url))
    except KeyframesError as error:
        yield note(
            "writing",
            f"{shown}: an object was written, but not removed: {error}",
            f"remove {name} there by hand; a sampler needs no right to remove",
        )
        return
    if read is not None:
        yield good(
            "writing",
            f"{shown}: 100 kB written in {written:.2f} s, read in {read:.2f} s, removed in "
            f"{removed:.2f} s",
        )


def _seconds(action: Callable[[], None]) -> float:
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


def _compare(url: str, data: bytes) -> None:
    with open_url(url) as file:
        if file.read() != data:
            raise ValueError("other bytes came back")


def _failed(error: KeyframesError, shown: str) -> Finding:
    text, _, advice = str(error).partition("; ")
    if isinstance(error, UnsupportedSchemeError):
        advice = advice or "give tos://bucket/folder, s3://bucket/folder or a local folder"
    return bad(
        "writing",
        text if shown in text else f"{shown}: {text}",
        advice or "check the place, see docs/storage.md",
    )
