"""Objects in Volcano Engine TOS, `tos://bucket/key`, through its official SDK.

A key is everything after the bucket, taken as it is: no percent-decoding, no query. The settings
come from the environment, see `tos_environment`; they are read anew for every object, in the
process that needs them, so they never travel in a plan.
"""

import base64
import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from spark_keyframes.errors import (
    CredentialsError,
    KeyframesError,
    ParameterError,
    SourceReadError,
    StorageWriteError,
    root_cause,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.download import interrupt
from spark_keyframes.storage.download.ranged import open_remote
from spark_keyframes.storage.download.remote import BLOCK, Answer, Interrupted, Part
from spark_keyframes.storage.tos.client import (
    build,
    call,
    client_for,
    is_unauthenticated,
    is_wrong_address,
    refusal,
)
from spark_keyframes.storage.tos.environment import TosSettings, read_settings
from spark_keyframes.urls import redact_url

_BUCKET = "abcdefghijklmnopqrstuvwxyz0123456789-"

ASKING_TIMEOUT = 5.0  # seconds: of a question whose answer is only good to have
_accepted: set[tuple[TosSettings, str]] = set()
"""Settings and buckets that TOS has accepted; see `check_accepted`."""


def open_url(url: str, *, access: Access, limits: Limits) -> BinaryIO:
    """Open for reading, see `open_remote`; a body cut short is tried again."""
    bucket, key = _bucket_and_key(url, SourceReadError)
    return open_remote(_Object(url, bucket, key), limits)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Upload one object, whole or not at all; `Interrupted` for what another attempt may mend."""
    bucket, key = _bucket_and_key(url, StorageWriteError)
    client, settings = client_for("upload")
    # As `bytes`: the SDK never tries again what it reads from a file or a generator.
    content = bytes(data)
    # TOS stores nothing that has another MD5 on arrival. The SDK's own checksum, computed only
    # where it is compiled, is of what was stored: by then a good object may have been replaced.
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    # Never with forbid_overwrite: a retried or speculative task stores the same object once more.
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
        _accepted.clear()  # a token that has expired, for example: the next task finds out first
        raise
    finally:
        interrupt.forget()
    if not stored.request_id:
        raise Interrupted(
            lambda attempts: StorageWriteError(
                f"could not store {redact_url(url)}: what answers at {settings.endpoint} is not "
                "TOS; check TOS_ENDPOINT, and the proxies on the way there"
            )
        )


def check_writable(output_dir: str) -> None:
    """Check the bucket's name and the environment; asks no server."""
    bucket, _ = _bucket_and_key(f"{output_dir.rstrip('/')}/frame", ParameterError)
    settings = read_settings(stage="parameters")
    if settings.endpoint.split("://")[1].startswith(f"{bucket}."):
        raise ParameterError(
            f"TOS_ENDPOINT must not hold the bucket's name, got {settings.endpoint}; remove "
            f"{bucket!r} and the dot after it"
        )


def check_accepted(output_dir: str) -> None:
    """Ask TOS, once in each process, whether it knows the credentials and has the bucket.

    Asked for is an object that is not there. A key that may only write is answered AccessDenied,
    which is as good: TOS knew whose it is. By GET, since an answer to HEAD has no body, and so no
    code to tell these cases apart. Trouble that may pass is left to the uploads, which wait for it.
    """
    import tos

    bucket, key = _bucket_and_key(f"{output_dir.rstrip('/')}/.is-accepted", ParameterError)
    settings = read_settings(stage="upload")
    if (settings, bucket) in _accepted:
        return
    with contextlib.closing(build(settings, retries=1, timeout=ASKING_TIMEOUT)) as client:
        try:
            client.get_object(bucket, key, range_start=0, range_end=0)
        except tos.exceptions.TosServerError as error:
            if (
                error.code == "NoSuchBucket"
                or error.status_code < 400  # the bucket is at another endpoint
                or is_unauthenticated(error)
            ):
                raise refusal(error, output_dir, settings, stage="upload") from None
            if error.status_code in (408, 429) or error.status_code >= 500:
                return
        except Exception as error:  # noqa: BLE001 - the SDK lets through whatever it meets
            if is_wrong_address(error):
                raise StorageWriteError(
                    f"could not store {redact_url(output_dir)}: {root_cause(error)} at "
                    f"{settings.endpoint}; check TOS_ENDPOINT and TOS_REGION"
                ) from None
            return
    _accepted.add((settings, bucket))


def _bucket_and_key(url: str, error: type[KeyframesError]) -> tuple[str, str]:
    bucket, _, key = url[len("tos://") :].partition("/")
    if not 3 <= len(bucket) <= 63 or bucket.strip(_BUCKET) or bucket.strip("-") != bucket:
        raise error(
            "a TOS address is tos://bucket/key, with a bucket of 3 to 63 lower-case letters, "
            f"digits and hyphens, got {redact_url(url)!r}"
        )
    # An HTTP client drops these parts from the path, and the signature no longer fits it.
    if not key or {".", ".."} & set(key.split("/")):
        raise error(
            f"a TOS key must not be empty or have a part '.' or '..', got {redact_url(url)!r}"
        )
    return bucket, key


class _Object:
    """An object in a bucket; see `Remote`."""

    def __init__(self, url: str, bucket: str, key: str) -> None:
        self.url = url
        self._bucket, self._key = bucket, key
        self._client, self._settings = client_for("open")
        self._checksum: int | None = None
        """Of the whole object, where TOS gives one and it can be computed here."""
        self._pieces: dict[int, tuple[int, int]] = {}
        """Of all that came, by its start: length and checksum."""

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        import tos

        def request() -> Any:
            span = {} if stop is None else {"range_start": start, "range_end": stop - 1}
            try:
                return self._client.get_object(
                    self._bucket, self._key, if_match=version or None, **span
                )
            except tos.exceptions.TosServerError as error:
                if error.status_code == 416 and not version:  # an empty object has no range
                    return self._client.get_object(self._bucket, self._key)
                raise

        found = call(request, self.url, self._settings, stage="open")
        part = None
        if found.content_range is not None and stop is not None:
            total = int(found.content_range.rpartition("/")[2])
            part = Part(start, min(stop, total), total, found.etag or "")
        if self._checksum is None and found.enable_crc:
            self._checksum = found.hash_crc64_ecma
        return Answer(
            self._body(found, part), lambda: _close(found), part, length=found.content_length
        )

    def verify(self, whole: Iterator[bytes]) -> None:
        import tos

        if self._checksum is None:
            return
        checksum = tos.utils.Crc64()
        found = end = 0
        for start, (length, piece) in sorted(self._pieces.items()):
            if start != end:
                # A piece came twice, after a connection was given up in the middle of it.
                for block in whole:
                    checksum.update(block)
                found = checksum.crc
                break
            found = checksum.combine(found, piece, length)
            end += length
        if found != self._checksum:
            raise SourceReadError(
                f"the parts of {redact_url(self.url)} do not add up to its checksum: damaged on "
                "the way, or where they are kept; try again"
            )

    def close(self) -> None:
        """The connections are the client's, and serve other objects."""

    def _body(self, found: Any, part: Part | None) -> Iterator[bytes]:
        import requests
        import tos
        import urllib3

        received = 0
        try:
            # In blocks: a single read() would not compare the checksum, the empty one at the end
            # does. The SDK tries requests again, but not bodies.
            while block := found.read(BLOCK):
                received += len(block)
                if part is not None:
                    self._pieces[part.start] = received, found.client_crc
                yield block
            if found.content_length not in (None, received):
                raise self._broken(f"received {received} of {found.content_length} bytes")
            is_whole = part is not None and (part.start, part.stop) == (0, part.total)
            # The SDK compares it only where no range was asked for.
            if is_whole and self._checksum not in (None, found.client_crc):
                raise self._broken("the checksum differs")
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            tos.exceptions.TosClientError,
        ) as error:
            raise self._broken(f"{root_cause(error)} after {received} bytes") from None

    def _broken(self, reason: str) -> Interrupted:
        return Interrupted(
            lambda attempts: SourceReadError(
                f"could not read {redact_url(self.url)} whole in {attempts} attempts: {reason}; "
                f"check the network between the executors and {self._settings.endpoint}"
            )
        )


def _close(found: Any) -> None:
    # The SDK has no way to let go of a body that was not read to its end.
    content = getattr(found.content, "data", found.content)
    content.resp.close()
