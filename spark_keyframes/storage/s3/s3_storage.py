"""Reads and writes objects in S3, `s3://bucket/key`, through botocore, the SDK of AWS.

Each process reads the settings from its environment, so that a Spark plan never holds them.
"""

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import urllib3

from spark_keyframes.error_chain import root_cause
from spark_keyframes.errors import (
    CredentialsError,
    KeyframesError,
    ParameterError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.download import interrupt, meter
from spark_keyframes.storage.download.ranged import open_remote
from spark_keyframes.storage.download.remote import BLOCK, Answer, Part, requested_part
from spark_keyframes.storage.retry import TransientError
from spark_keyframes.storage.s3.address import bucket_and_key
from spark_keyframes.storage.s3.calls import call, in_attempts
from spark_keyframes.storage.s3.client import (
    build_client,
    check_installed,
    client_for,
    environment,
    request_payer,
)
from spark_keyframes.storage.s3.s3_listing import list_url

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
_accepted: set[tuple[frozenset[tuple[str, str]], str]] = set()
"""The settings, and the URLs that `check_accepted` has stored with them."""

_MD5 = re.compile(r'"([0-9a-f]{32})"')
_has_md5: dict[tuple[str, str], bool] = {}
"""Endpoint and bucket → whether ETags that look like an MD5 are one, where an object has shown it.

Some storages encrypt objects, and say so in no header.
"""


def open_url(url: str, *, access: Access, limits: Limits, whole: bool = True) -> BinaryIO:
    """Open for reading, see `open_remote`; incomplete bodies are retried."""
    bucket, key = bucket_and_key(url, SourceReadError)
    return open_remote(S3Object(url, bucket, key), limits, whole=whole)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Upload one object, completely or not at all."""
    bucket, key = bucket_and_key(url, StorageWriteError)
    client = client_for(url, stage="upload")
    content = bytes(data)
    md5 = hashlib.md5(content, usedforsecurity=False)
    try:
        stored = call(
            lambda: client.put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                # S3 refuses an object with another MD5.
                ContentMD5=base64.b64encode(md5.digest()).decode(),
                **request_payer(),
            ),
            url,
            client,
            stage="upload",
        )
    except CredentialsError:
        _accepted.clear()  # the token may have expired: the next task checks before its videos
        raise
    finally:
        interrupt.unregister()
    tag, reason = _tag(stored), ""
    if not tag:
        reason = (
            f"the server at {redact_url(client.meta.endpoint_url)} is not S3; check "
            "AWS_ENDPOINT_URL, and the proxies on the way there"
        )
    elif _is_md5(stored, tag, client, bucket) and tag != f'"{md5.hexdigest()}"':
        if _compare(S3Object(url, bucket, key), tag, md5.digest()):
            _has_md5[client.meta.endpoint_url, bucket] = False
        else:
            reason = "what was stored differs from the image; check the storage"
    if reason:
        raise TransientError(
            lambda attempts: StorageWriteError(
                f"could not store {redact_url(url)}{in_attempts(attempts)}: {reason}"
            )
        )


def _compare(stored: "S3Object", tag: str, md5: bytes) -> bool:
    """Return whether an object whose ETag is not its MD5 has it all the same."""
    try:
        return stored.md5_of_all(tag) == md5
    except KeyframesError:
        return True  # it may not be read, and S3 has compared the MD5 that it got


def remove_url(url: str) -> None:
    """Remove one object."""
    bucket, key = bucket_and_key(url, StorageWriteError)
    client = client_for(url, stage="upload")
    try:
        call(
            lambda: client.delete_object(Bucket=bucket, Key=key, **request_payer()),
            url,
            client,
            stage="remove",
        )
    finally:
        interrupt.unregister()


def check_writable(output_dir: str) -> None:
    """Check the bucket's name and that botocore is installed, without network."""
    shortest = f"{output_dir.rstrip('/')}/{_SHORTEST_NAME}"
    bucket_and_key(shortest, ParameterError, shown=output_dir)
    check_installed(output_dir, stage="parameters")


def check_accepted(output_dir: str, check_url: str) -> None:
    """Store the object, once per process for each folder and settings, within `CHECK_TIMEOUT`."""
    bucket, key = bucket_and_key(check_url, ParameterError, shown=output_dir)
    check_installed(output_dir, stage="upload")
    checked = environment(), check_url
    if checked in _accepted:
        return
    client = build_client(stage="upload", timeout=CHECK_TIMEOUT)
    with contextlib.closing(client):
        try:
            call(
                lambda: client.put_object(Bucket=bucket, Key=key, Body=b"", **request_payer()),
                output_dir,
                client,
                stage="upload",
            )
        except TransientError:
            return
        finally:
            interrupt.unregister()
    _accepted.add(checked)


class S3Object:
    """An object in a bucket; see `RemoteFile`."""

    def __init__(self, url: str, bucket: str, key: str) -> None:
        self.url = url
        self._bucket, self._key = bucket, key
        self._client = client_for(url, stage="open")
        self._meter: meter.Meter | None = None
        self._tag = self._md5 = ""
        """The ETag of the object, and again where it is the object's MD5."""

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        """Request a range or the whole object."""
        from botocore.exceptions import ClientError

        def request() -> Any:
            wanted = {"Bucket": self._bucket, "Key": self._key, **request_payer()}
            if version:
                wanted["IfMatch"] = version
            if stop is None:
                return self._client.get_object(**wanted)
            try:
                return self._client.get_object(**wanted, Range=f"bytes={start}-{stop - 1}")
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 416 and not version:  # an empty object has no ranges
                    return self._client.get_object(**wanted)
                raise

        found = call(request, self.url, self._client, stage="open")
        status = found["ResponseMetadata"]["HTTPStatusCode"]
        tag, length = _tag(found), found.get("ContentLength")
        part = None
        if stop is not None and "ContentRange" in found:
            part = requested_part(found["ContentRange"], length, start, stop, tag)
        if length is None or length < 0 or (part is None and status != 200):
            found["Body"].close()
            raise self._incomplete("the answer does not announce the requested bytes")
        if not version:  # anew in each attempt: the object may have been replaced
            self._tag, self._meter = tag, meter.current()
            self._md5 = tag if _is_md5(found, tag, self._client, self._bucket) else ""
        return Answer(self._blocks(found["Body"], part), found["Body"].close, part, length)

    def verify(self, content: Iterator[bytes]) -> None:
        """Compare the MD5 of the received parts with the ETag, where that is one."""
        if self._md5 and not self._is_right(_md5_of(content)):
            raise SourceReadError(
                f"the checksum of {redact_url(self.url)} differs from that of its parts, which "
                "were damaged in transit or in storage; try again"
            )

    def close(self) -> None:
        """Do nothing: the connections belong to the client, which serves other objects too."""

    def md5_of_all(self, version: str) -> bytes:
        """Read the whole object, in that version, for its MD5."""
        found = call(
            lambda: self._client.get_object(
                Bucket=self._bucket, Key=self._key, IfMatch=version, **request_payer()
            ),
            self.url,
            self._client,
            stage="open",
        )
        with contextlib.closing(found["Body"]) as body:
            return _md5_of(self._read(body))

    def _blocks(self, body: Any, part: Part | None) -> Iterator[bytes]:
        is_whole = part is None or part.stop - part.start == part.total
        md5 = hashlib.md5(usedforsecurity=False) if is_whole and self._md5 else None
        for block in self._read(body):
            if md5:
                md5.update(block)
            yield block
        if md5 and not self._is_right(md5.digest()):
            raise self._incomplete("the checksum differs")

    def _read(self, body: Any) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError

        received = 0
        try:
            while block := body.read(BLOCK):
                received += len(block)
                yield block
        except (BotoCoreError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            reason = root_cause(getattr(error, "kwargs", {}).get("error") or error)
            raise self._incomplete(f"{reason} after {received} bytes") from None

    def _is_right(self, md5: bytes) -> bool:
        """Return whether the object has this MD5, by its ETag or by another look at it."""
        place = self._client.meta.endpoint_url, self._bucket
        if self._md5 == f'"{md5.hex()}"':
            _has_md5.setdefault(place, True)
            return True
        if _has_md5.get(place):
            return False
        with self._meter.requesting() if self._meter else contextlib.nullcontext():
            again = self.md5_of_all(self._tag)
        if again == md5:
            _has_md5[place] = False
        return again == md5

    def _incomplete(self, reason: str) -> TransientError:
        return TransientError(
            lambda attempts: SourceReadError(
                f"could not read all of {redact_url(self.url)}{in_attempts(attempts)}: {reason}; "
                "check the network between the executors and "
                f"{redact_url(self._client.meta.endpoint_url)}"
            )
        )


def _tag(found: Any) -> str:
    """Return the ETag of an answer; "" if it has none, or one that may stay when bytes change."""
    tag = str(found.get("ETag") or "").strip()
    return tag if tag.startswith('"') else ""


def _is_md5(found: Any, tag: str, client: Any, bucket: str) -> bool:
    """Return whether the ETag should be the object's MD5: not of several parts, nor encrypted."""
    is_encrypted = "SSECustomerAlgorithm" in found or "kms" in str(
        found.get("ServerSideEncryption")
    )
    may_be = _has_md5.get((client.meta.endpoint_url, bucket), True)
    return may_be and bool(_MD5.fullmatch(tag)) and not is_encrypted


def _md5_of(blocks: Iterable[bytes]) -> bytes:
    md5 = hashlib.md5(usedforsecurity=False)
    for block in blocks:
        md5.update(block)
    return md5.digest()
