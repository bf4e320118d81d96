"""Reads and writes objects in Volcano Engine TOS, `tos://bucket/key`, through its official SDK.

Each process reads the settings from its environment, for every object, so that a Spark plan never
holds them.
"""

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import requests
import urllib3

from spark_keyframes.error_chain import root_cause
from spark_keyframes.errors import (
    CredentialsError,
    ParameterError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.download import interrupt
from spark_keyframes.storage.download.ranged import open_remote
from spark_keyframes.storage.download.remote import BLOCK, Answer, Part, requested_part
from spark_keyframes.storage.retry import TransientError
from spark_keyframes.storage.tos.address import bucket_and_key
from spark_keyframes.storage.tos.client import (
    build_client,
    call,
    client_for,
    is_wrong_address,
    refusal,
)
from spark_keyframes.storage.tos.environment import TosSettings, read_settings
from spark_keyframes.storage.tos.tos_listing import list_url

__all__ = [
    "check_accepted",
    "check_writable",
    "list_url",
    "open_url",
    "remove_url",
    "write_url",
]

_SHORTEST_NAME = f"x-{'0' * 16}/{'0' * 8}.jpg"  # of an image, see images/keys.py

CHECK_TIMEOUT = 5.0  # seconds of `check_accepted`, which is optional
_accepted: set[tuple[TosSettings, str]] = set()
"""The settings, and the URLs that `check_accepted` has stored with them."""


def open_url(url: str, *, access: Access, limits: Limits, whole: bool = True) -> BinaryIO:
    """Open for reading, see `open_remote`; incomplete bodies are retried."""
    bucket, key = bucket_and_key(url, SourceReadError)
    return open_remote(TosObject(url, bucket, key), limits, whole=whole)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Upload one object, completely or not at all."""
    bucket, key = bucket_and_key(url, StorageWriteError)
    client, settings = client_for("upload")
    # As `bytes`, because the SDK never retries a file or a generator.
    content = bytes(data)
    # TOS refuses an object with another MD5. The SDK's own checksum is compared after the object is
    # stored, when a damaged one may have replaced a good one.
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    # Never with forbid_overwrite, because a retried or speculative task stores the object again.
    try:
        stored = call(
            lambda: client.put_object(
                bucket, key, content=content, content_md5=md5, content_type=content_type
            ),
            url,
            settings,
            stage="upload",
        )
    except CredentialsError:
        _accepted.clear()  # the token may have expired: the next task checks before its videos
        raise
    finally:
        interrupt.unregister()
    if not stored.request_id:
        raise TransientError(
            lambda attempts: StorageWriteError(
                f"could not store {redact_url(url)}: the server at {settings.endpoint} is not "
                "TOS; check TOS_ENDPOINT, and the proxies on the way there"
            )
        )


def remove_url(url: str) -> None:
    """Remove one object."""
    bucket, key = bucket_and_key(url, StorageWriteError)
    client, settings = client_for("upload")
    try:
        call(lambda: client.delete_object(bucket, key), url, settings, stage="remove")
    finally:
        interrupt.unregister()


def check_writable(output_dir: str) -> None:
    """Check the bucket's name and the environment, without network."""
    shortest = f"{output_dir.rstrip('/')}/{_SHORTEST_NAME}"
    bucket, _ = bucket_and_key(shortest, ParameterError, shown=output_dir)
    settings = read_settings(stage="parameters")
    if settings.endpoint.split("://")[1].startswith(f"{bucket}."):
        raise ParameterError(
            f"TOS_ENDPOINT must not contain the bucket's name, got {settings.endpoint}; remove "
            f"{bucket!r} and the dot after it"
        )


def check_accepted(output_dir: str, check_url: str) -> None:
    """Store the object, once per process for each folder and settings, within `CHECK_TIMEOUT`."""
    import tos

    bucket, key = bucket_and_key(check_url, ParameterError, shown=output_dir)
    settings = read_settings(stage="upload")
    if (settings, check_url) in _accepted:
        return
    with contextlib.closing(build_client(settings, retries=1, timeout=CHECK_TIMEOUT)) as client:
        try:
            stored = client.put_object(bucket, key, content=b"")
        except tos.exceptions.TosServerError as error:
            if error.status_code in (408, 429) or error.status_code >= 500:
                return
            raise refusal(error, output_dir, settings, stage="upload") from None
        except Exception as error:  # noqa: BLE001 - the SDK raises errors of any class
            if is_wrong_address(error):
                raise StorageWriteError(
                    f"could not store {redact_url(output_dir)}: {root_cause(error)} at "
                    f"{settings.endpoint}; check TOS_ENDPOINT and TOS_REGION"
                ) from None
            return
        finally:
            interrupt.unregister()
    if stored.request_id:  # otherwise it is not TOS, as the uploads will say
        _accepted.add((settings, check_url))


class TosObject:
    """An object in a bucket; see `RemoteFile`."""

    def __init__(self, url: str, bucket: str, key: str) -> None:
        self.url = url
        self._bucket, self._key = bucket, key
        self._client, self._settings = client_for("open")
        self._checksum: int | None = None
        """Checksum of the whole object, or None if it is unknown or cannot be computed here."""
        self._pieces: dict[int, tuple[int, int]] = {}
        """Start of each received piece → its length and checksum."""

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        """Request a range or the whole object."""
        import tos

        def request() -> Any:
            span = {} if stop is None else {"range_start": start, "range_end": stop - 1}
            try:
                return self._client.get_object(
                    self._bucket, self._key, if_match=version or None, **span
                )
            except tos.exceptions.TosServerError as error:
                if error.status_code == 416 and not version:  # an empty object has no ranges
                    return self._client.get_object(self._bucket, self._key)
                raise

        found = call(request, self.url, self._settings, stage="open")
        part, length = None, found.content_length
        if found.content_range is not None and stop is not None:
            part = requested_part(found.content_range, length, start, stop, found.etag or "")
        if length is None or (part is None and found.status_code != requests.codes.ok):
            # TOS always announces the length. The SDK cannot read a body without one.
            _close(found)
            raise self._incomplete("the answer does not announce the requested bytes")
        if found.enable_crc and (not version or self._checksum is None):
            # Anew in each attempt: the object may have been replaced since the last one.
            self._checksum = found.hash_crc64_ecma
        return Answer(self._blocks(found, part), lambda: _close(found), part, length)

    def verify(self, content: Iterator[bytes]) -> None:
        """Compare the checksum of the received pieces with that of the object."""
        import tos

        if self._checksum is None:
            return
        checksum = tos.utils.Crc64()
        found = end = 0
        for start, (length, piece) in sorted(self._pieces.items()):
            if start != end:
                # Pieces overlap, after a transfer that broke in the middle of one.
                for block in content:
                    checksum.update(block)
                found = checksum.crc
                break
            found = checksum.combine(found, piece, length)
            end += length
        if found != self._checksum:
            raise SourceReadError(
                f"the checksum of {redact_url(self.url)} differs from that of its parts, which "
                "were damaged in transit or in storage; try again"
            )

    def close(self) -> None:
        """Do nothing: the connections belong to the client, which serves other objects too."""

    def _blocks(self, found: Any, part: Part | None) -> Iterator[bytes]:
        import tos

        received = 0
        try:
            # The SDK compares the checksum in the last read(), which returns nothing. So a single
            # read() would not compare it. The SDK retries requests, but not bodies.
            while block := found.read(BLOCK):
                received += len(block)
                if part is not None:
                    self._pieces[part.start] = received, found.client_crc
                yield block
            is_whole = part is None or (part.start, received) == (0, part.total)
            # The SDK does not compare the checksum of a part, and not that of an empty body.
            if is_whole and self._checksum not in (None, found.client_crc):
                raise self._incomplete("the checksum differs")
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            tos.exceptions.TosClientError,
        ) as error:
            raise self._incomplete(f"{root_cause(error)} after {received} bytes") from None

    def _incomplete(self, reason: str) -> TransientError:
        return TransientError(
            lambda attempts: SourceReadError(
                f"could not read all of {redact_url(self.url)} in {attempts} attempts: {reason}; "
                f"check the network between the executors and {self._settings.endpoint}"
            )
        )


def _close(found: Any) -> None:
    # The SDK cannot close a body that was not read to its end. For checksums it wraps the answer in
    # an object that calls it `data` or, without an announced length, `iter`.
    content = found.content
    wrapped = getattr(content, "data", None) or getattr(content, "iter", None) or content
    wrapped.resp.close()
